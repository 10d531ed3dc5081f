"""A database with the sample's tables and some rows in them, and dbctl to run on it without waiting for imports."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import create_engine

from dbctl.sample import SampleModel
from tests.commands.forked import Forked
from tests.conftest import KINDS
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.servers.client import Row, rows
from tests.servers.server import Server

ROWS = [
    "INSERT INTO team (name, headquarters) VALUES ('Preventers', 'Sharp Tower'), ('Z-Force', NULL)",
    "INSERT INTO hero (name, secret_name, age, team_id) VALUES ('Deadpond', 'Dive Wilson', NULL, 1),"
    " ('Spider-Boy', 'Pedro Parqueador', 16, 1), ('Rusty-Man', 'Tommy Sharp', 48, 2), ('Twin', 'One', NULL, 1),"
    " ('Twin', 'Other', NULL, NULL)",
]
TABLES = ("transfer_log", "hero", "team")
EMPTYING = {
    "sqlite": [f"DELETE FROM {table}" for table in TABLES],
    "postgresql": [f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY"],
    "mariadb": ["SET foreign_key_checks = 0", *[f"TRUNCATE {table}" for table in TABLES], "SET foreign_key_checks = 1"],
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


@pytest.fixture(scope="session", params=KINDS)
def sample_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each kind in turn with the sample's tables. One for all tests, for PostgreSQL takes a while."""
    server: Server | None = None
    if request.param == "sqlite":
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        database = TestDatabase.on_file(factory.mktemp("sample") / "sample.db")
    else:
        server = request.getfixturevalue({"postgresql": "postgres", "mariadb": "mariadb"}[request.param])
        assert server
        server.revive()
        server.create_database("sample")
        database = TestDatabase.on_server(server, "sample")
    engine = create_engine(database.url)
    SampleModel.metadata.create_all(engine)
    engine.dispose()
    yield database
    if server:
        server.revive()
        server.drop_database("sample")


@pytest.fixture
def sample(sample_database: TestDatabase, dbctl: Dbctl) -> Sample:
    """The sample with its rows, whatever tests before this one did to them."""
    if sample_database.server:
        sample_database.server.revive()
    with contextlib.closing(sample_database.connect()) as connection:
        for statement in [*EMPTYING[sample_database.kind], *ROWS]:
            connection.cursor().execute(statement)
    return Sample(sample_database, forked(dbctl, sample_database))


@pytest.fixture
def quick(dbctl: Dbctl, database: TestDatabase) -> Dbctl:
    """Dbctl with the test's database, which is empty, as its default profile."""
    return forked(dbctl, database)


@pytest.fixture
def bare(dbctl: Dbctl) -> Dbctl:
    """Dbctl with nothing configured."""
    return Forked(cwd=dbctl.cwd, home=dbctl.home)


def forked(dbctl: Dbctl, database: TestDatabase) -> Dbctl:
    """Return dbctl as a fork, with the database as its default profile."""
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{database.profile}"\n\n{database.toml}', encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home, env=database.env)
