"""Looking, past dbctl, at what a run does to a database and leaves there; and making slow what a run does there."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg2
import pymysql

from tests.harness.database import TestDatabase
from tests.harness.sample import create_tables
from tests.servers.client import Connection, Row, rows

_ROWS = [
    "INSERT INTO team (name) VALUES ('Preventers'), ('Z-Force')",
    "INSERT INTO hero (name, secret_name, age, team_id) VALUES ('Deadpond', 'Dive Wilson', 30, 1)",
]

_SESSIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}
_BUSY = {"postgresql": " AND state = 'active'", "mysql": " AND command = 'Query'"}
_TAKE = {
    "sqlite": "BEGIN EXCLUSIVE",
    "postgresql": "BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT",
    "mariadb": "LOCK TABLE {} WRITE NOWAIT",
}
_LET_GO = {"sqlite": "ROLLBACK", "postgresql": "ROLLBACK", "mariadb": "UNLOCK TABLES"}
# MySQL would wait a second for it, but tells who has it.
_HOLDERS = {
    "mysql": "SELECT count(*) FROM performance_schema.metadata_locks WHERE object_schema = database()"
    " AND object_name = '{}' AND owner_thread_id <> ps_current_thread_id()",
}
_TAKEN = (sqlite3.OperationalError, psycopg2.errors.lookup("55P03"), pymysql.err.OperationalError)

# Half a minute of work or more, for SQLite has no other way to sleep.
_COUNT = (
    "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300000000) SELECT count(*) n FROM c)"
)
_SLOW_WRITES = {
    "sqlite": [
        f"CREATE VIEW slowly AS SELECT * FROM {_COUNT}",
        "CREATE TRIGGER slow_insert AFTER INSERT ON hero BEGIN SELECT n FROM slowly; END",
        "CREATE TRIGGER slow_update AFTER UPDATE ON hero BEGIN SELECT n FROM slowly; END",
    ],
    "postgresql": [
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END'",
        "CREATE TRIGGER slow AFTER INSERT OR UPDATE ON hero FOR EACH ROW EXECUTE FUNCTION slowly()",
    ],
    "mysql": [
        "CREATE TRIGGER slow_insert AFTER INSERT ON hero FOR EACH ROW DO SLEEP({seconds})",
        "CREATE TRIGGER slow_update AFTER UPDATE ON hero FOR EACH ROW DO SLEEP({seconds})",
    ],
}
_SLOW_READS = {
    "sqlite": f"SELECT person.* FROM person, {_COUNT}",
    "postgresql": "SELECT person.* FROM person, pg_sleep({seconds})",
    "mysql": "SELECT * FROM person WHERE SLEEP({seconds}) = 0",
}


@dataclass(frozen=True)
class Watch:
    """A connection on which a database is looked at, as its superuser."""

    database: TestDatabase
    connection: Connection

    def sessions(self) -> int:
        """Return how many others are connected; SQLite can't tell."""
        return self._count("") if self.database.server else 0

    def is_running(self) -> bool:
        """Tell whether somebody has a statement, or on SQLite a transaction, under way."""
        return self._count(_BUSY[self.database.dialect]) > 0 if self.database.server else not self.is_free()

    def is_free(self, table: str = "hero") -> bool:
        """Tell whether somebody could at once have the table, or on SQLite all of it, for himself alone."""
        if holders := _HOLDERS.get(self.database.kind):
            return rows(self.connection, holders.format(table)) == [(0,)]
        try:
            rows(self.connection, _TAKE[self.database.kind].format(table))
        except _TAKEN:
            free = False
        else:
            free = True
        if free or self.database.kind == "postgresql":
            rows(self.connection, _LET_GO[self.database.kind])
        return free

    def heroes(self) -> list[Row]:
        """Return all heroes."""
        return rows(self.connection, "SELECT id, name, secret_name, age, team_id FROM hero ORDER BY id")

    def transfers(self) -> list[Row]:
        """Return the log, in its order."""
        return rows(self.connection, "SELECT hero_id, from_team_id, to_team_id FROM transfer_log ORDER BY id")

    def _count(self, condition: str) -> int:
        return int(rows(self.connection, _SESSIONS[self.database.dialect] + condition)[0][0])


@contextlib.contextmanager
def watching(database: TestDatabase) -> Iterator[Watch]:
    """Look at a database for the time of the block."""
    server = database.server
    with contextlib.closing(server.connect(database=database.name) if server else database.connect()) as connection:
        if not server:
            rows(connection, "PRAGMA busy_timeout = 0")
        yield Watch(database, connection)


def fill(database: TestDatabase) -> None:
    """Make the sample's tables, with teams 1 and 2, and hero 1 in team 1."""
    create_tables(database)
    for statement in _ROWS:
        database.execute(statement)


def make_writes_slow(database: TestDatabase, seconds: float = 30) -> None:
    """Make each INSERT and each UPDATE of a hero take so long; on SQLite it is always half a minute or more."""
    for statement in _SLOW_WRITES[database.dialect]:
        database.execute(statement.format(seconds=seconds))


def make_reads_slow(database: TestDatabase, seconds: float = 30) -> None:
    """Make each SELECT of heroes take so long."""
    database.execute("ALTER TABLE hero RENAME TO person")
    database.execute(f"CREATE VIEW hero AS {_SLOW_READS[database.dialect].format(seconds=seconds)}")


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Wait until the condition is true, and tell whether it was in so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
