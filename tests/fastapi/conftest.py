"""The sample's tables on every database, the two kinds of driver, and the sample service on both."""

from collections.abc import Iterator

import pytest

import dbctl
from dbctl.profiles import Profile
from dbctl.sample.api import create_app
from tests.fastapi.serving import Served
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.profile import profile_of
from tests.harness.sample import refill, sample_database

__all__ = ["sample_database"]

ON_SERVERS = pytest.mark.parametrize("sample_database", SERVER_KINDS, indirect=True)
"""For tests of what only a server can do."""


@pytest.fixture(autouse=True)
def no_engine_stays() -> Iterator[None]:
    """Forget this process's engines after each test."""
    yield
    dbctl.dispose()


@pytest.fixture
def sample(sample_database: TestDatabase) -> TestDatabase:
    """The database with the teams 1 "Preventers" and 2 "Z-Force", and nobody in them."""
    refill(sample_database, "INSERT INTO team (name) VALUES ('Preventers'), ('Z-Force')")
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
