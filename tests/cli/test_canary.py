"""A password is looked for in everything that every command writes, and is never found."""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_output import FIELDS
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.files import private
from tests.harness.sample import create_tables

CANARY = "hunter2canary"
LINES = [*FIELDS, "serve --token-env NOWHERE", "ping --driver async", "heroes show", "nonsense"]


@pytest.fixture(params=["url", "password_env", "password_file", "password_command"])
def source(request: pytest.FixtureRequest) -> str:
    """The key by which the profile has the password."""
    return str(request.param)


def configure(run: Dbctl, database: TestDatabase, source: str, password: str) -> Dbctl:
    """Write a profile whose user `canary` has the password from this source."""
    toml = re.sub(r"(?m)^(user|password_env) = .*\n", "", database.toml)
    scheme, place = ("mysql", "my") if database.dialect == "mysql" else ("postgresql", "pg")
    assert database.server
    if source == "url":
        toml = re.sub(r"(?m)^(driver|host|port|database) = .*\n", "", toml)
        where = f"canary:{password}@localhost:{database.server.port}/{database.name}"
        login = f'url = "{scheme}://{where}"'
    else:
        value = {"password_env": '"PW"', "password_file": '"pw"', "password_command": '["cat", "pw"]'}[source]
        login = f'user = "canary"\n{source} = {value}'
    toml = toml.replace(f"[profiles.{place}]\n", f"[profiles.{place}]\n{login}\n", 1)
    private(run.cwd / "profiles.toml").write_text(f'default = "{database.profile}"\n{toml}', encoding="utf-8")
    private(run.cwd / "pw").write_text(password)
    return run.with_env(PW=password)


@pytest.fixture
def known(server_database: TestDatabase) -> Iterator[TestDatabase]:
    """A database whose server knows the user `canary` by the canary."""
    assert server_database.server
    server_database.server.create_role("canary", CANARY)
    create_tables(server_database)
    yield server_database
    server_database.server.drop_role("canary")


def test_no_command_writes_the_password(dbctl: Dbctl, known: TestDatabase, source: str) -> None:
    """The login succeeds, and then much is refused, for the user owns nothing."""
    run = configure(dbctl, known, source, CANARY)
    for line in LINES[:: 4 if source != "url" else 1]:
        result = run(*line.replace("dev.db", known.name).split(), "--echo", "--debug")
        assert result.code in {0, 1, 2, 3, 4}, str(result)
        assert CANARY not in result.out + result.err, line


def test_no_command_writes_a_password_that_is_wrong(dbctl: Dbctl, known: TestDatabase, source: str) -> None:
    run = configure(dbctl, known, source, f"{CANARY}!")
    for line in LINES[1 :: 4 if source != "url" else 2]:
        result = run(*line.replace("dev.db", known.name).split(), "--json", "--debug")
        assert result.code in {0, 2, 3, 4}, str(result)
        assert CANARY not in result.out + result.err, line


def test_the_password_is_not_in_the_list_of_processes(dbctl: Dbctl, known: TestDatabase, source: str) -> None:
    run = configure(dbctl, known, source, CANARY)
    assert known.server
    known.server.freeze()
    process = run.popen("ping")
    try:
        for _ in range(10):
            time.sleep(0.1)
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):  # it has ended
                    assert CANARY.encode() not in path.read_bytes()
        assert process.poll() is None
    finally:
        known.server.thaw()
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=10)
