"""Databases that the tests of a module share, for PostgreSQL takes a while to make one."""

import uuid
from collections.abc import Iterator

import pytest

from tests.harness.database import TestDatabase
from tests.servers.server import Server

SERVERS = {"postgresql": "postgres", "mariadb": "mariadb", "mysql": "mysql"}


def server_of(kind: str, request: pytest.FixtureRequest) -> Server:
    """Return the server of this kind, and that it answers whatever tests before did to it."""
    server: Server = request.getfixturevalue(SERVERS[kind])
    server.revive()
    return server


def make_shared(kind: str, request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """Make a database for a fixture of more than one test."""
    if kind == "sqlite":
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        yield TestDatabase.on_file(factory.mktemp("shared") / "database.db")
        return
    server = server_of(kind, request)
    name = f"shared_{uuid.uuid4().hex[:12]}"
    server.create_database(name)
    yield TestDatabase.on_server(server, name)
    server.revive()
    server.drop_database(name)
