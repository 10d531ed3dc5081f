"""What the database holds of a hero's transfers, seen past dbctl, and whether that is what dbctl said of them."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from dbctl import sample
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine, build_engine
from dbctl.errors import DbctlError
from dbctl.profiles import Profile
from dbctl.work.database import Database
from dbctl.work.retries import run_unit
from dbctl.work.sessions import async_unit_of_work
from tests.harness.database import TestDatabase
from tests.harness.sample import create_tables
from tests.servers.client import Connection, rows

HERO = "1"
_ROWS = [
    "INSERT INTO team (name) VALUES ('Preventers'), ('Z-Force')",
    "INSERT INTO hero (name, secret_name, team_id) VALUES ('Deadpond', 'Dive Wilson', 1)",
    # All further ids have as many digits as this one, so that all conversations have as many bytes.
    "INSERT INTO transfer_log (id, hero_id, from_team_id, to_team_id, at) VALUES (100000, 1, 2, 1, '2020-01-01')",
]
_NEXT_ID = {
    "postgresql": "ALTER SEQUENCE transfer_log_id_seq RESTART WITH 100001",
    "mysql": "ALTER TABLE transfer_log AUTO_INCREMENT = 100001",
}
_OTHERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}
_HOLDS = (
    "SELECT team_id, (SELECT count(*) FROM transfer_log), from_team_id, to_team_id"
    " FROM hero, transfer_log WHERE hero.id = 1 ORDER BY transfer_log.id DESC LIMIT 1"
)


class Held(NamedTuple):
    """What the database holds: the hero's team, how many transfers are logged, and the last of them."""

    team: int
    logged: int
    last_from: int
    last_to: int

    @property
    def other(self) -> int:
        """The team that the hero is not in."""
        return 3 - self.team

    def moved(self) -> "Held":
        """Return what is held after one further transfer."""
        return Held(self.other, self.logged + 1, self.team, self.other)


class Witness:
    """Looks into a database with one hero and two teams, on a connection of its own."""

    def __init__(self, database: TestDatabase, connection: Connection) -> None:
        self.database = database
        self._connection = connection

    @property
    def others(self) -> int:
        """How many other connections to the database the server knows."""
        [(count,)] = rows(self._connection, _OTHERS[self.database.dialect])
        return int(count)

    def look(self) -> Held:
        """Wait until the server has seen the end of all other connections, and so has rolled back, and look."""
        end = time.monotonic() + 20
        while self.others:
            assert time.monotonic() < end, "a connection that is closed is still there"
            time.sleep(0.002)
        [held] = rows(self._connection, _HOLDS)
        return Held(*held)

    def whether_moved(self, before: Held) -> bool:
        """Look whether a transfer is wholly there. Only half of it, or twice, is an AssertionError."""
        after = self.look()
        assert after in (before, before.moved()), f"half a transfer: {before}, then {after}"
        return after != before


@contextlib.contextmanager
def witness_of(database: TestDatabase) -> Iterator[Witness]:
    """Make the sample's tables with the hero and the teams, and a witness."""
    create_tables(database)
    with contextlib.closing(database.connect()) as connection:
        for statement in [*_ROWS, _NEXT_ID[database.dialect]]:
            rows(connection, statement)
        yield Witness(database, connection)


def run(
    profile: Profile, work: Callable[[Database], object], *, asynchronous: bool = False, writes: bool = True
) -> None:
    """Run work on an engine of its own, as the command line does, or by the async driver."""
    backend = backend_of(profile)
    if not asynchronous:
        engine = build_engine(profile)
        try:
            run_unit(Connector(engine, backend), work, retries=3, writes=writes, strict=True)
        finally:
            engine.dispose()
        return

    async def run_async() -> None:
        engine = build_async_engine(profile)
        try:
            async with async_unit_of_work(Connector(engine, backend), writes=writes, strict=True) as unit:
                await unit.run(work)
        finally:
            await engine.dispose()

    asyncio.run(run_async())


def moving(held: Held) -> Callable[[Database], object]:
    """Return the work of one transfer of the hero to its other team."""
    return lambda unit: sample.transfer(unit.session, HERO, str(held.team), str(held.other))


def said_of(profile: Profile, work: Callable[[Database], object], **how: bool) -> DbctlError | None:
    """Run work, and return dbctl's error, or None where it says that all is done."""
    try:
        run(profile, work, **how)
    except DbctlError as error:
        return error
    return None
