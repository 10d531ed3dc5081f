"""Two servers that have the same data, or are taken for such: one that is written to, and one that is read only."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dbctl.profiles import Profile
from tests.faults.standby import Standby
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import PATIENCE
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


class Replicating(MariaDBServer):
    """A server that others can follow."""

    def command(self) -> Sequence[str | Path]:
        """Return the command, with a log for the others, and the address that they are told."""
        identity = [f"--server-id={self.port}", "--report-host=127.0.0.1", f"--report-port={self.port}"]
        return [*super().command(), "--log-bin", *identity]

    def follow(self, source: Self) -> None:
        """Replay from now on what another server commits, and let nobody else write."""
        [(log, position, *_)] = source.execute("SHOW MASTER STATUS")
        place = f"MASTER_HOST = '127.0.0.1', MASTER_PORT = {source.port}, MASTER_LOG_FILE = '{log}'"
        login = f"MASTER_USER = '{source.user}', MASTER_PASSWORD = '{source.password}'"
        self.execute(f"CHANGE MASTER TO {place}, MASTER_LOG_POS = {position}, {login}")
        self.execute("START SLAVE")
        self.execute("SET GLOBAL read_only = 1")


@contextlib.contextmanager
def mariadb_pair(authority: Authority) -> Iterator[Pair]:
    """Run two MariaDB servers, the second one a replica of the first."""
    with Replicating(authority) as source, Replicating(authority) as replica:
        replica.follow(source)
        source.create_database("pair")
        source.execute("GRANT REPLICA MONITOR, REPLICATION MASTER ADMIN ON *.* TO app@'%'")
        source.execute("CREATE DATABASE last")
        deadline = time.monotonic() + PATIENCE
        while not replica.execute("SHOW DATABASES LIKE 'last'"):
            assert time.monotonic() < deadline, replica.execute("SHOW SLAVE STATUS")
            time.sleep(0.02)
        yield Pair(*(TestDatabase.on_server(server, "pair") for server in (source, replica)))


@contextlib.contextmanager
def running_pair(kind: str, authority: Authority) -> Iterator[Pair]:
    """Run a pair of a kind."""
    with (postgres_pair if kind == "postgresql" else mariadb_pair)(authority) as found:
        yield found
