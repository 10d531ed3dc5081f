"""A database that is filled from a backup, and gone after it unless it is given its name: a server's, or a file.

Its maker holds a lock of its name on the server; what a killed run has left is known by that nobody does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dbctl.connections.watching import watched_by
from dbctl.databases.places import on_server
from dbctl.errors import DbctlError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile


class Scratch:
    """A new database on a profile's server.

    Attributes:
        name: Its name.
        connection: A connection to the server, on which each statement commits.
        backend: The backend of that.
    """

    def __init__(self, name: str, connection: Connection, backend: Backend) -> None:
        self.name, self.connection, self.backend = name, connection, backend
        self.kept = False
        """Whether it has got a name of its own, and is not to be dropped."""


@contextmanager
def scratch(profile: Profile, kind: str, properties: Mapping[str, Any]) -> Iterator[Scratch]:
    """Create a database for the block, which is dropped after it; those that killed runs have left are dropped first.

    Args:
        profile: Whose server.
        kind: What it is for, which is in its name: verify, restore.
        properties: What it is like.

    Raises:
        ConnectError: The server can't be reached.
        WorkRefused: The role may not create one.
    """
    beginning = f"dbctl_{kind}_"
    with on_server(profile) as (connection, backend):
        _drop_left(connection, backend, beginning)
        made = Scratch(f"{beginning}{os.urandom(6).hex()}", connection, backend)
        _lock(connection, backend, made.name)
        connection.exec_driver_sql(backend.with_properties(made.name, properties, owner=False)[0])
        try:
            yield made
        finally:
            if not made.kept:
                # Nobody who ends the work is to end this; where it does not succeed, the next run does it.
                with watched_by(None), suppress(DbctlError), on_server(profile) as (other, _):
                    _drop(other, backend, made.name)


def _lock(connection: Connection, backend: Backend, name: str) -> bool:
    from sqlalchemy import text

    return bool(connection.execute(text(backend.lock_statement), {"key": backend.lock_key(name)}).scalar())


def _drop_left(connection: Connection, backend: Backend, beginning: str) -> None:
    from sqlalchemy import text

    for name in backend.databases_like(connection, beginning):
        if _lock(connection, backend, name):
            _drop(connection, backend, name)
            connection.execute(text(backend.unlock_statement), {"key": backend.lock_key(name)})


def _drop(connection: Connection, backend: Backend, name: str) -> None:
    users = backend.users_of(connection, name)
    for statement in backend.dropping(connection, name, users, force=True):
        with suppress(Exception):  # it has gone by now, or its session has
            connection.exec_driver_sql(statement)
