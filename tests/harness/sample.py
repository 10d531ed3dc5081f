"""A database with the sample's tables and some rows in them, and dbctl to run on it without waiting for imports."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import create_engine

from dbctl.sample import SampleModel
from tests.harness.cli import Dbctl
from tests.harness.database import KINDS, TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.shared import make_shared
from tests.servers.client import Row, rows

ROWS = [
    "INSERT INTO team (name, headquarters) VALUES ('Preventers', 'Sharp Tower'), ('Z-Force', NULL)",
    "INSERT INTO hero (name, secret_name, age, team_id) VALUES ('Deadpond', 'Dive Wilson', NULL, 1),"
    " ('Spider-Boy', 'Pedro Parqueador', 16, 1), ('Rusty-Man', 'Tommy Sharp', 48, 2), ('Twin', 'One', NULL, 1),"
    " ('Twin', 'Other', NULL, NULL)",
]
_TABLES = ("transfer_log", "hero", "team")
_EMPTYING = {
    "sqlite": [f"DELETE FROM {table}" for table in _TABLES],
    "postgresql": [f"TRUNCATE {', '.join(_TABLES)} RESTART IDENTITY"],
    "mysql": [
        "SET foreign_key_checks = 0",
        *[f"TRUNCATE {table}" for table in _TABLES],
        "SET foreign_key_checks = 1",
    ],
}


@dataclass(frozen=True)
class Sample:
    """The sample's database, and dbctl whose default profile it is.

    Teams 1 "Preventers" and 2 "Z-Force"; heroes 1 "Deadpond", 2 "Spider-Boy" and 4 "Twin" in team 1, 3 "Rusty-Man" in
    team 2, 5 "Twin" in none.
    """

    database: TestDatabase
    dbctl: Dbctl

    @property
    def rows(self) -> dict[str, list[Row]]:
        """All that is in the database."""
        columns = {
            "team": "id, name, headquarters",
            "hero": "id, name, secret_name, age, team_id",
            "transfer_log": "id, hero_id, from_team_id, to_team_id",
        }
        with contextlib.closing(self.database.connect()) as connection:
            return {t: rows(connection, f"SELECT {names} FROM {t} ORDER BY id") for t, names in columns.items()}


def create_tables(database: TestDatabase) -> None:
    """Create the sample's tables."""
    engine = create_engine(database.url)
    SampleModel.metadata.create_all(engine)
    engine.dispose()


def refill(database: TestDatabase, *statements: str) -> None:
    """Empty the sample's tables, whatever tests before did to them, count from 1 again, and run the statements."""
    if database.server:
        database.server.revive()
    with contextlib.closing(database.connect()) as connection:
        for statement in [*_EMPTYING[database.dialect], *statements]:
            connection.cursor().execute(statement)


@pytest.fixture(scope="session", params=KINDS)
def sample_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each kind in turn with the sample's tables. One for all tests, for PostgreSQL takes a while."""
    for database in make_shared(request.param, request):
        create_tables(database)
        yield database


@pytest.fixture
def sample(sample_database: TestDatabase, dbctl: Dbctl) -> Sample:
    """The sample with its rows, whatever tests before this one did to them."""
    refill(sample_database, *ROWS)
    return Sample(sample_database, forked(dbctl, sample_database))


@pytest.fixture
def quick(dbctl: Dbctl, database: TestDatabase) -> Forked:
    """Dbctl as a fork with the test's database, which is empty, as its default profile."""
    return forked(dbctl, database)


@pytest.fixture
def bare(dbctl: Dbctl) -> Forked:
    """Dbctl as a fork with nothing configured."""
    return Forked(cwd=dbctl.cwd, home=dbctl.home)
