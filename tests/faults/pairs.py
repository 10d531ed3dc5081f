"""Two servers that have the same data, or are taken for such: one that is written to, and one that is read only."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dbctl.profiles import Profile
from tests.faults.standby import Standby
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer
from tests.servers.server import Server


@dataclass(frozen=True)
class Pair:
    """A database as both servers have it."""

    primary: TestDatabase
    standby: TestDatabase

    def profile(self, *more: str, **changes: Any) -> Profile:
        """Return a profile of these hosts, and then of the standby and the primary."""
        hosts = (*more, address(self.standby), address(self.primary))
        return profile_of(self.primary, {"host": None, "port": None, "hosts": hosts} | changes)


def address(database: TestDatabase) -> str:
    """Return where a database's server listens."""
    return f"{server_of(database).host}:{server_of(database).port}"


def server_of(database: TestDatabase) -> Server:
    """Return the server that a database is on."""
    assert database.server
    return database.server


@contextlib.contextmanager
def postgres_pair(authority: Authority, **settings: str) -> Iterator[Pair]:
    """Run a PostgreSQL server, and a hot standby that follows it."""
    with PostgresServer(authority, **settings) as primary:
        primary.create_database("pair")
        primary.execute("GRANT pg_monitor TO app")
        with Standby(primary, authority) as standby:
            yield Pair(*(TestDatabase.on_server(server, "pair") for server in (primary, standby)))


@contextlib.contextmanager
def mariadb_pair(authority: Authority) -> Iterator[Pair]:
    """Run two MariaDB servers that do not know of each other, the second one read only."""
    with MariaDBServer(authority) as one, MariaDBServer(authority) as other:
        for server in (one, other):
            server.create_database("pair")
        other.execute("SET GLOBAL read_only = 1")
        yield Pair(*(TestDatabase.on_server(server, "pair") for server in (one, other)))


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def pair(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Pair]:
    """A pair of each kind in turn."""
    with (postgres_pair if request.param == "postgresql" else mariadb_pair)(authority) as found:
        yield found
