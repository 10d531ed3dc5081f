"""`dbctl serve`."""

import contextlib
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import sqlalchemy

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.servers.system import free_port

LEAVES_OPEN = tuple(int(number) for number in re.findall(r"\d+", sqlalchemy.__version__)[:3]) < (2, 0, 55)
LEFT_OPEN = (
    f"dbctl: SQLAlchemy {sqlalchemy.__version__} leaves the connection open, with its transaction, that the pool was "
    "opening when a task was cancelled; 2.0.55 closes it"
)


@dataclass
class Serving:
    """A run of `dbctl serve` that takes requests."""

    process: subprocess.Popen[str]
    client: httpx.Client
    announced: str

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, list[str]]:
        """Send a signal, and return the exit code, stdout, and the lines on stderr after the first."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err.splitlines()


@contextlib.contextmanager
def serving(dbctl: Dbctl, *options: str) -> Iterator[Serving]:
    process = dbctl.popen("serve", "--port", "0", *options)
    try:
        assert process.stderr
        announced = process.stderr.readline()
        url = re.search(r"http://\S+", announced)
        assert url, announced + process.stderr.read()
        with httpx.Client(base_url=url[0], timeout=30, trust_env=False, verify=False) as client:
            yield Serving(process, client, announced)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("driver", "number"), [("sync", signal.SIGINT), ("async", signal.SIGTERM)], ids=["sync-Ctrl-C", "async-termination"]
)
def test_it_serves_the_profiles_database_until_it_is_told_to_end(
    on_database: Dbctl, database: TestDatabase, driver: str, number: signal.Signals
) -> None:
    on_database.ok("init-tables")
    with serving(on_database, "--driver", driver) as served:
        assert re.fullmatch(
            rf"dbctl: profile {database.profile} is served on http://127\.0\.0\.1:\d+\n", served.announced
        )
        assert served.client.post("/teams/", json={"name": "Preventers"}).status_code == 201
        code, out, err = served.end(number)
    assert (code, out) == (0, "")
    *before, answered = err
    assert re.fullmatch(r'dbctl: 127\.0\.0\.1:\d+ - "POST /teams/ HTTP/1\.1" 201', answered)
    # A process says it once, and a fork of one that has said it does not.
    assert before in ([], [LEFT_OPEN] if driver == "async" and LEAVES_OPEN else [])
    assert database.execute("SELECT name FROM team") == [("Preventers",)]


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_request_in_progress_is_answered_before_the_end(
    dbctl: Dbctl, postgres_database: TestDatabase, driver: str
) -> None:
    (dbctl.cwd / "profiles.toml").write_text(f'default = "pg"\n{postgres_database.toml}', encoding="utf-8")
    dbctl = dbctl.with_env(**postgres_database.env)
    dbctl.ok("init-tables")
    dbctl.ok("heroes", "add", "Spider-Boy", "--secret-name", "Pedro")
    answers: list[int] = []
    with serving(dbctl, "--driver", driver) as served:

        def change() -> None:
            answers.append(served.client.patch("/heroes/1", json={"age": 17}).status_code)

        changing = threading.Thread(target=change)
        with contextlib.closing(postgres_database.connect(autocommit=False)) as holder:
            holder.cursor().execute("UPDATE hero SET age = 16")
            changing.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            deadline = time.monotonic() + 30
            while postgres_database.execute(waiting) == [(0,)]:
                assert time.monotonic() < deadline
            served.process.send_signal(signal.SIGTERM)
            holder.commit()
        changing.join(30)
        code, _, _ = served.end()
    assert (answers, code) == ([200], 0)
    assert postgres_database.execute("SELECT age FROM hero") == [(17,)]


def test_with_a_token_nobody_else_comes_in(dbctl: Dbctl) -> None:
    dbctl.ok("init-tables")
    with serving(dbctl.with_env(API_TOKEN="sesame"), "--token-env", "API_TOKEN", "--host", "localhost") as served:
        assert served.client.get("/heroes/").status_code == 401
        answer = served.client.get("/heroes/", headers={"Authorization": "Bearer sesame"})
    assert (answer.status_code, answer.json()) == (200, [])


def test_quiet_is_quiet(dbctl: Dbctl) -> None:
    port = free_port()
    process = dbctl.popen("serve", "--port", str(port), "--quiet")
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(httpx.ConnectError):
                assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False, verify=False).is_success
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "nowhere.invalid"])
def test_all_but_loopback_needs_a_token(dbctl: Dbctl, host: str) -> None:
    result = dbctl("serve", "--host", host, "--port", "0")
    assert result.code == 2, str(result)
    assert ("--token-env" in result.err) is (host != "nowhere.invalid")


@pytest.mark.parametrize("token", [None, ""])
def test_a_token_that_is_not_there_is_a_wrong_configuration(dbctl: Dbctl, token: str | None) -> None:
    env = {} if token is None else {"API_TOKEN": token}
    result = dbctl("serve", "--token-env", "API_TOKEN", env=env)
    assert result.code == 3, str(result)
    assert "API_TOKEN is not set" in result.err


def test_a_port_that_is_taken_is_told(dbctl: Dbctl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = dbctl("serve", "--port", str(taken.getsockname()[1]))
    assert result.code == 2, str(result)
    assert "in use" in result.err


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_profile_that_is_wrong_is_told_before_anything_is_served(dbctl: Dbctl, driver: str) -> None:
    (dbctl.cwd / "profiles.toml").write_text(
        'default = "pg"\n[profiles.pg]\nurl = "postgresql://app@127.0.0.1/app"\npassword_env = "NOT_SET"\n'
    )
    result = dbctl("serve", "--port", "0", "--driver", driver)
    assert result.code == 3, str(result)
    assert result.talk.count("\n") == 1
    assert "NOT_SET is not set" in result.err


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_without_its_extra_it_says_what_to_install(installed: Dbctl, missing: str) -> None:
    # What lies in the directory that dbctl is run in comes before what is installed.
    (installed.cwd / f"{missing}.py").write_text(f"raise ModuleNotFoundError(name={missing!r})\n")
    result = installed("serve")
    assert result.code == 3, str(result)
    assert result.err == f'dbctl: error: {missing} is not installed; pip install "sqlmodel-dbctl[fastapi]"\n'
