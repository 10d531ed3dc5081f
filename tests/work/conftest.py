"""Databases in which each test of a module makes its own tables anew."""

from collections.abc import Iterator

import pytest

from tests.backends.shared import make_shared
from tests.conftest import KINDS
from tests.harness.database import TestDatabase


@pytest.fixture(scope="module", params=KINDS)
def shared_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each kind in turn, for all tests of the module."""
    yield from make_shared(request.param, request)


@pytest.fixture(scope="module", params=KINDS[1:])
def shared_server_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database on each server in turn, for all tests of the module."""
    yield from make_shared(request.param, request)
