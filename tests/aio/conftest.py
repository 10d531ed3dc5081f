"""What the tests of the async half share: the profile of a test database, and the sample's tables in it."""

import os

import pytest

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_engine
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build, layer_from_url
from dbctl.sample import SampleModel
from dbctl.tables import changes as tables
from dbctl.work.sessions import unit_of_work
from tests.harness.database import TestDatabase


def profile_of(database: TestDatabase, /, **values: object) -> Profile:
    """Return the profile of a test database, with TLS in full unless values say otherwise."""
    tls = {"ssl.mode": "verify-full", "ssl.ca": str(database.server.ca)} if database.server else {}
    dotted = {key.replace("__", "."): value for key, value in values.items()}
    return build(database.profile, [layer_from_url(database.url, "test"), Layer(tls | dotted, "test")])


def create_tables(profile: Profile) -> None:
    """Create the sample's tables."""
    engine = build_engine(profile)
    with unit_of_work(Connector(engine, backend_of(profile))) as opened:
        tables.create_missing(opened, [SampleModel.metadata])
    engine.dispose()


@pytest.fixture
def profile(database: TestDatabase) -> Profile:
    """The profile of a fresh database with the sample's tables."""
    found = profile_of(database)
    create_tables(found)
    return found


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what libpq and asyncpg would read from the environment of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
