"""Nothing remains of a test server: no process, no file, however its tests end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerProcess
from tests.servers.server import Server
from tests.servers.system import ServerFailed, ServerMissing, programs
from tests.servers.watchdog import processes_in

ROOT = Path(__file__).parents[2]
SERVERS = pytest.mark.parametrize("make", [PostgresServer, MariaDBServer])

# Tests in miniature: they start a server, and wait for the end that they are put to.
_TESTS = """
import time
from tests.servers.{module} import {name}
server = {name}(None)
server.start()
{then}
print(server.directory, flush=True)
time.sleep(600)
"""


def gone(directory: Path, patience: float = 20.0) -> bool:
    """Wait until neither the directory nor a process in it is left."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not directory.exists() and not processes_in(directory):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    """Leave it to the shared fixtures whether a server that is not there skips a test or fails it."""
    if "make" in request.fixturenames:
        request.getfixturevalue({PostgresServer: "postgres", MariaDBServer: "mariadb"}[request.getfixturevalue("make")])


@SERVERS
def test_nothing_remains_of_a_removed_server(make: type[Server], authority: Authority) -> None:
    with make(authority) as server:
        directory = server.directory
        assert server.process
        assert server.process.pid in processes_in(directory)
    assert server.process is None
    assert processes_in(directory) == []
    assert not directory.exists()


@SERVERS
def test_a_removed_server_can_be_started_anew(make: type[Server]) -> None:
    with make(None) as server:
        server.create_database("left_behind")
    with server:
        server.create_database("left_behind")


@SERVERS
@pytest.mark.parametrize(
    ("end", "state"),
    [
        (signal.SIGINT, "running"),
        (signal.SIGTERM, "running"),
        (signal.SIGKILL, "running"),
        (signal.SIGKILL, "frozen"),
    ],
)
def test_nothing_remains_when_the_tests_are_ended(make: type[Server], end: signal.Signals, state: str) -> None:
    module = "postgres" if make is PostgresServer else "mariadb"
    script = _TESTS.format(module=module, name=make.__name__, then="server.freeze()" if state == "frozen" else "")
    tests = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert tests.stdout
    directory = Path(tests.stdout.readline().strip())
    assert directory.is_dir()
    assert processes_in(directory)
    tests.send_signal(end)
    tests.wait(30)
    tests.stdout.close()
    assert gone(directory)


def test_ctrl_c_does_not_reach_the_server(postgres: Server) -> None:
    assert postgres.process
    assert os.getsid(postgres.process.pid) == postgres.process.pid != os.getsid(0)


@SERVERS
def test_a_server_that_does_not_start_says_why_and_is_gone(
    make: type[Server], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make(authority)
    initialise = server.initialise

    def spoil() -> None:
        initialise()
        server.body.give("server.key", b"this is no key")

    monkeypatch.setattr(server, "initialise", spoil)
    with pytest.raises(ServerFailed, match=r"(?s)ended with code .*server\.key"):
        server.start()
    assert gone(server.directory)


def test_a_program_that_fails_shows_its_log() -> None:
    body = ServerProcess("example", ["nobody"])
    body.move_in()
    try:
        with pytest.raises(ServerFailed, match=r"(?s)ended with code 3.*no such luck"):
            body.run(["sh", "-c", "echo no such luck; exit 3"])
    finally:
        body.remove()


def test_a_lone_program_without_its_siblings_is_not_taken(tmp_path: Path) -> None:
    for name, siblings in (("lone", ["postgres"]), ("whole", ["postgres", "initdb"])):
        (tmp_path / name).mkdir()
        for sibling in siblings:
            (tmp_path / name / sibling).touch(mode=0o755)
    found = programs(["initdb", "postgres"], [tmp_path / "lone", tmp_path / "whole"])
    assert found["postgres"] == tmp_path / "whole" / "postgres"
    with pytest.raises(ServerMissing, match="initdb and postgres not found"):
        programs(["initdb", "postgres"], [tmp_path / "lone"])
