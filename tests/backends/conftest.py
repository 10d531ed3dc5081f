"""Databases that the tests of a module share, which leave nothing in them: PostgreSQL takes a while to make one."""

import uuid
from collections.abc import Iterator

import pytest

from tests.conftest import KINDS
from tests.harness.database import TestDatabase
from tests.servers.server import Server

_SERVERS = {"postgresql": "postgres", "mariadb": "mariadb"}


def _shared(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    if request.param == "sqlite":
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        yield TestDatabase.on_file(factory.mktemp("shared") / "database.db")
        return
    server: Server = request.getfixturevalue(_SERVERS[request.param])
    server.revive()
    name = f"shared_{uuid.uuid4().hex[:12]}"
    server.create_database(name)
    yield TestDatabase.on_server(server, name)
    server.revive()
    server.drop_database(name)


@pytest.fixture(scope="module", params=KINDS)
def shared_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each kind in turn, for all tests of the module."""
    yield from _shared(request)


@pytest.fixture(scope="module", params=KINDS[1:])
def shared_server_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database on each server in turn, for all tests of the module."""
    yield from _shared(request)
