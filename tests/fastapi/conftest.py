"""The sample's tables on every database, the two kinds of driver, and the sample service on both."""

import contextlib
from collections.abc import Iterator

import pytest

import dbctl
from dbctl.profiles import Profile
from dbctl.sample import SampleModel
from dbctl.sample.api import create_app
from tests.backends.profile import engine_of, profile_of
from tests.conftest import KINDS
from tests.fastapi.serving import Served
from tests.harness.database import TestDatabase
from tests.servers.client import rows
from tests.servers.server import Server

ON_SERVERS = pytest.mark.parametrize("sample_database", KINDS[1:], indirect=True)
"""For tests of what only a server can do."""

_SERVERS = {"postgresql": "postgres", "mariadb": "mariadb"}
_TABLES = ("transfer_log", "hero", "team")
_EMPTYING = {
    "sqlite": [f"DELETE FROM {table}" for table in _TABLES],
    "postgresql": [f"TRUNCATE {', '.join(_TABLES)} RESTART IDENTITY"],
    "mariadb": [
        "SET foreign_key_checks = 0",
        *[f"TRUNCATE {table}" for table in _TABLES],
        "SET foreign_key_checks = 1",
    ],
}


@pytest.fixture(autouse=True)
def no_engine_stays() -> Iterator[None]:
    """Forget this process's engines after each test."""
    yield
    dbctl.dispose()


@pytest.fixture(scope="session", params=KINDS)
def sample_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each kind in turn with the sample's tables; one for all tests, for PostgreSQL takes a while."""
    server: Server | None = None
    if request.param == "sqlite":
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        database = TestDatabase.on_file(factory.mktemp("service") / "database.db")
    else:
        server = request.getfixturevalue(_SERVERS[request.param])
        assert server
        server.revive()
        server.create_database("service")
        database = TestDatabase.on_server(server, "service")
    with engine_of(profile_of(database)) as engine:
        SampleModel.metadata.create_all(engine)
    yield database
    if server:
        server.revive()
        server.drop_database("service")


@pytest.fixture
def sample(sample_database: TestDatabase) -> TestDatabase:
    """The database with the teams 1 "Preventers" and 2 "Z-Force", and nobody in them."""
    if sample_database.server:
        sample_database.server.revive()
    teams = "INSERT INTO team (id, name) VALUES (1, 'Preventers'), (2, 'Z-Force')"
    with contextlib.closing(sample_database.connect()) as connection:
        for statement in [*_EMPTYING[sample_database.kind], teams]:
            rows(connection, statement)
        if sample_database.kind == "postgresql":
            rows(connection, "ALTER SEQUENCE team_id_seq RESTART WITH 3")
    return sample_database


@pytest.fixture
def profile(sample: TestDatabase) -> Profile:
    """The database's profile."""
    return profile_of(sample)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    """Whether the service works by the async driver: both in turn."""
    return bool(request.param)


@pytest.fixture
def service(profile: Profile, asynchronous: bool) -> Iterator[Served]:
    """The sample service, served."""
    with Served(create_app(profile, asynchronous=asynchronous)) as served:
        yield served
