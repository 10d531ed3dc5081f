"""A database to race on, and the processes that race."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, insert

from dbctl.sample import Hero, Team
from tests.harness.database import TestDatabase
from tests.harness.sample import create_tables
from tests.sample.racers import RACERS, ROUNDS, Racers, racers


@pytest.fixture(scope="module")
def processes() -> Iterator[Racers]:
    with racers() as started:
        yield started


@pytest.fixture
def heroes(database: TestDatabase) -> TestDatabase:
    """A database with a hero for each round, all in team 1, and a team for each racer."""
    create_tables(database)
    engine = create_engine(database.url)
    with engine.begin() as connection:
        connection.execute(insert(Team), [{"name": f"team {number}"} for number in range(RACERS + 1)])
        everyone = [{"name": f"hero {number}", "secret_name": "x", "team_id": 1} for number in range(ROUNDS)]
        connection.execute(insert(Hero), everyone)
    engine.dispose()
    return database
