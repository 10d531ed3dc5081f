"""The fixtures that tests of every part share: the servers, a fresh database, and dbctl to run on it."""

import gc
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.pairs import Pair, running_pair
from tests.harness.cli import Dbctl
from tests.harness.database import KINDS, SERVER_KINDS, TestDatabase
from tests.harness.dice import dice
from tests.harness.forked import Forked
from tests.harness.kinds import left_out
from tests.harness.shared import make_shared
from tests.marks import marks_of
from tests.servers.authority import Authority
from tests.servers.bastion import Bastion
from tests.servers.mariadb import MariaDBServer
from tests.servers.mysql import MySQLServer
from tests.servers.named import named
from tests.servers.postgres import PostgresServer
from tests.servers.server import Server
from tests.servers.system import ServerMissing

__all__ = ["dice"]


def pytest_configure() -> None:
    """Take away what the tests and the programs that they run would inherit from whoever runs them."""
    # A shell starts what it puts into the background with both signals of a terminal's keys ignored, nohup what it runs
    # with SIGHUP, and that is handed down to every program. A handler is not: with one, they start with the signal's
    # own effect, and hear Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    # libpq and asyncpg read settings from these.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark each test by its file."""
    for mark in marks_of(item.path):
        item.add_marker(mark)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is run on another database, where each test is not asked for on all."""
    left = set(left_out(items, os.environ.get("DBCTL_TEST_KINDS", "all")))
    config.hook.pytest_deselected(items=list(left))
    items[:] = [item for item in items if item not in left]


def pytest_collection_finish() -> None:
    """Have no garbage collection look at what stays anyhow: all the modules, and some ten thousand tests."""
    gc.collect()
    gc.freeze()


def _running(make: type[Server], authority: Authority) -> Iterator[Server]:
    """Start a server for all tests, unless one is named that runs.

    One that can't be had skips them, except in CI; one that won't run is an error.
    """
    try:
        url = os.environ.get(f"DBCTL_TEST_{make.kind.upper()}_URL")
        server = named(make, url) if url else make(authority)
    except ServerMissing as missing:
        if os.environ.get("CI") == "true" and not make.is_elsewhere:
            pytest.fail(f"{make.kind}: {missing}", pytrace=False)
        pytest.skip(f"{make.kind}: {missing}")
    with server:
        yield server


def _fresh(server: Server) -> Iterator[TestDatabase]:
    """Make a database, and drop it after the test, on a server that answers whatever the tests before did to it."""
    server.revive()
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.create_database(name)
    yield TestDatabase.on_server(server, name)
    server.revive()
    server.drop_database(name)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificates: the servers' own, and those that must be refused."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def postgres(authority: Authority) -> Iterator[Server]:
    """A PostgreSQL server with TLS."""
    yield from _running(PostgresServer, authority)


@pytest.fixture(scope="session")
def mariadb(authority: Authority) -> Iterator[Server]:
    """A MariaDB server with TLS."""
    yield from _running(MariaDBServer, authority)


@pytest.fixture(scope="session")
def mysql(authority: Authority) -> Iterator[Server]:
    """A MySQL server with TLS."""
    yield from _running(MySQLServer, authority)


@pytest.fixture(scope="session", params=["postgresql", "mariadb"])
def pair(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Pair]:
    """A server that is written to, and one that follows it, of each kind in turn; no test leaves them otherwise."""
    with running_pair(request.param, authority) as found:
        yield found


@pytest.fixture(scope="session")
def bastion() -> Iterator[Bastion]:
    """An sshd that lets in whoever has its key."""
    try:
        made = Bastion()
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"bastion: {missing}", pytrace=False)
        pytest.skip(f"bastion: {missing}")
    with made:
        yield made


@pytest.fixture
def sqlite_database(tmp_path: Path) -> TestDatabase:
    """A SQLite database whose file is not there yet."""
    return TestDatabase.on_file(tmp_path / "database.db")


@pytest.fixture
def postgres_database(postgres: Server) -> Iterator[TestDatabase]:
    """A new database on the PostgreSQL server."""
    yield from _fresh(postgres)


@pytest.fixture
def mariadb_database(mariadb: Server) -> Iterator[TestDatabase]:
    """A new database on the MariaDB server."""
    yield from _fresh(mariadb)


@pytest.fixture
def mysql_database(mysql: Server) -> Iterator[TestDatabase]:
    """A new database on the MySQL server."""
    yield from _fresh(mysql)


# Fixtures by name, and not as arguments: a test on SQLite starts no server.
_FIXTURES = {
    "sqlite": "sqlite_database",
    "postgresql": "postgres_database",
    "mariadb": "mariadb_database",
    "mysql": "mysql_database",
}


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> TestDatabase:
    """A new database, of each kind in turn."""
    found = request.getfixturevalue(_FIXTURES[request.param])
    assert isinstance(found, TestDatabase)
    return found


@pytest.fixture(params=SERVER_KINDS)
def server_database(request: pytest.FixtureRequest) -> TestDatabase:
    """A new database, on each server in turn."""
    found = request.getfixturevalue(_FIXTURES[request.param])
    assert isinstance(found, TestDatabase)
    return found


@pytest.fixture(scope="module", params=KINDS)
def shared_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each kind in turn, for all tests of the module: they leave nothing that another one minds."""
    yield from make_shared(request.param, request)


@pytest.fixture(scope="module", params=SERVER_KINDS)
def shared_server_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database on each server in turn, for all tests of the module."""
    yield from make_shared(request.param, request)


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """An empty directory to run dbctl in; home, and SQLite's file, are elsewhere."""
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


@pytest.fixture
def dbctl(workdir: Path, tmp_path: Path) -> Forked:
    """Dbctl with nothing configured, as a fork."""
    home = tmp_path / "home"
    home.mkdir()
    return Forked(cwd=workdir, home=home)


@pytest.fixture
def installed(dbctl: Dbctl) -> Dbctl:
    """The same as a program of its own, for tests of what it imports and how it starts."""
    return Dbctl(cwd=dbctl.cwd, home=dbctl.home)


@pytest.fixture
def on_database(dbctl: Dbctl, database: TestDatabase) -> Dbctl:
    """Dbctl with the test's database as its default profile."""
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{database.profile}"\n\n{database.toml}', encoding="utf-8")
    return dbctl.with_env(**database.env)
