"""A database that can only be read: what writes is refused at once, in one line; what reads works as ever."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.errors import WorkRefused
from dbctl.work.database import Database
from dbctl.work.retries import run_unit
from tests.faults.standby import Standby
from tests.faults.units import insert, units
from tests.faults.watching import fill
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.forked import forked
from tests.harness.profile import engine_of, profile_of
from tests.harness.result import Result
from tests.harness.shared import make_shared, server_of
from tests.servers.authority import Authority
from tests.servers.postgres import PostgresServer

READ_ONLY = r"(?i)read-?only"
WRITING = (
    ["heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp"],
    ["heroes", "update", "1", "--age", "31"],
    ["heroes", "remove", "1"],
    ["teams", "add", "Others"],
    ["transfer", "1", "--from", "1", "--to", "2"],
    ["init-tables", "--models", "models"],
)
READING = (
    ["heroes", "list"],
    ["heroes", "show", "1"],
    ["teams", "list", "--isolation", "repeatable-read"],
    ["transfers", "list"],
    ["ping"],
    ["pool-stats"],
    ["init-tables", "--check"],
    ["init-tables"],
)
MODELS = (
    "from sqlmodel import Field, SQLModel\nclass Ship(SQLModel, table=True):\n    id: int = Field(primary_key=True)\n"
)


@contextlib.contextmanager
def standby(database: TestDatabase, authority: Authority) -> Iterator[TestDatabase]:
    primary = database.server
    assert isinstance(primary, PostgresServer)
    with Standby(primary, authority) as server:
        yield TestDatabase.on_server(server, database.name)


@contextlib.contextmanager
def set_read_only(database: TestDatabase) -> Iterator[TestDatabase]:
    server = database.server
    assert server
    server.execute("SET GLOBAL read_only = 1")
    try:
        yield database
    finally:
        server.execute("SET GLOBAL read_only = 0")


@pytest.fixture(scope="module", params=SERVER_KINDS)
def read_only(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database with the sample's rows and the table `t`: on a hot standby, or on a server set to read_only."""
    for database in make_shared(request.param, request):
        fill(database)
        database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
        authority = request.getfixturevalue("authority")
        with standby(database, authority) if database.kind == "postgresql" else set_read_only(database) as opened:
            yield opened
        server_of(request.param, request)


@pytest.fixture
def quick(dbctl: Dbctl, read_only: TestDatabase) -> Dbctl:
    (dbctl.cwd / "models.py").write_text(MODELS)
    return forked(dbctl, read_only)


def is_refused(result: Result, reason: str = READ_ONLY) -> bool:
    assert result.code == 1, str(result)
    assert result.talk.startswith("dbctl: error: "), str(result)
    return result.out == "" and result.talk.count("\n") == 1 and re.search(reason, result.talk) is not None


@pytest.mark.parametrize("command", WRITING, ids=lambda command: " ".join(command[:2]))
def test_a_command_that_writes_is_refused_at_once(quick: Dbctl, command: list[str]) -> None:
    began = time.monotonic()
    assert is_refused(quick(*command))  # one line: no note of a retry either
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("command", READING, ids=lambda command: " ".join(command[:2]))
def test_a_command_that_reads_works(quick: Dbctl, command: list[str]) -> None:
    result = quick.ok(*command, "--json")
    assert result.json or command == ["transfers", "list"]
    assert "error" not in result.talk


def test_doctor_looks_at_it(quick: Dbctl) -> None:
    result = quick.ok("doctor", "--json")
    assert result.json
    assert "error" not in result.talk


def test_a_dry_run_of_what_writes_is_refused_too(quick: Dbctl) -> None:
    """It does all of it before it rolls back, so it tells what the run itself would meet."""
    assert is_refused(quick(*WRITING[0], "--dry-run"))


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_unit_of_work_that_writes_is_refused_and_the_next_one_reads(
    read_only: TestDatabase, asynchronous: bool
) -> None:
    with units(profile_of(read_only, {"pool.size": 1, "pool.max_overflow": 0}), asynchronous) as opened:
        with pytest.raises(WorkRefused, match=READ_ONLY) as caught:
            opened.run(lambda session: insert(session, 1))
        assert type(caught.value) is WorkRefused
        assert not caught.value.heals
        for writes in (True, False):
            assert opened.run(lambda session: session.execute(text("SELECT x FROM t")).all(), writes=writes) == []


def test_it_is_not_run_again(read_only: TestDatabase) -> None:
    runs = []
    profile = profile_of(read_only)

    def work(unit: Database) -> None:
        runs.append(unit)
        insert(unit.session, 1)

    with engine_of(profile) as engine, pytest.raises(WorkRefused, match=READ_ONLY):
        run_unit(Connector(engine, backend_of(profile)), work, retries=3, strict=True)
    assert len(runs) == 1


# --- SQLite: the file's permissions -----------------------------------------------------------------------------------


@pytest.fixture
def powerless(dbctl: Dbctl, sqlite_database: TestDatabase) -> Dbctl:
    """Dbctl on SQLite with nothing but its own permissions, also where root runs the tests."""
    fill(sqlite_database)
    forked(dbctl, sqlite_database)
    (dbctl.cwd / "models.py").write_text(MODELS)
    if os.geteuid() != 0:
        return dbctl
    return replace(dbctl, program=("setpriv", "--bounding-set=-all", *dbctl.program))


@pytest.fixture
def file(sqlite_database: TestDatabase) -> Iterator[Path]:
    path = Path(sqlite_database.name)
    yield path
    path.chmod(0o644)
    path.parent.chmod(0o755)


def test_a_file_that_can_only_be_read_is_read_and_not_written(powerless: Dbctl, file: Path) -> None:
    file.chmod(0o444)
    before = file.read_bytes()
    assert is_refused(powerless(*WRITING[0]))
    powerless.ok("heroes", "list")
    powerless.ok("init-tables", "--check")
    assert file.read_bytes() == before
    file.chmod(0o644)
    powerless.ok(*WRITING[0])


def test_a_file_in_a_directory_that_can_only_be_read_is_read_and_not_written(powerless: Dbctl, file: Path) -> None:
    """SQLite has nowhere to put its journal."""
    file.parent.chmod(0o555)
    before = file.read_bytes()
    assert is_refused(powerless(*WRITING[0]), r"(?i)read-?only|unable to open")
    powerless.ok("heroes", "list")
    assert file.read_bytes() == before
    file.parent.chmod(0o755)
    powerless.ok(*WRITING[0])


def test_no_file_is_made_in_a_directory_that_can_only_be_read(powerless: Dbctl, file: Path) -> None:
    file.unlink()
    file.parent.chmod(0o555)
    result = powerless("init-tables", "--models", "models")
    assert (result.code, result.out, result.talk.count("\n")) == (4, "", 1), str(result)
    assert re.search(r"(?i)unable to open|read-?only|permission", result.talk), str(result)
    file.parent.chmod(0o755)
    powerless.ok("init-tables", "--models", "models")
