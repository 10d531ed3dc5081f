"""A database that is filled from a backup, and gone after it unless it is given its name: a server's, or a file.

Its maker holds a lock of its name on the server; what a killed run has left is known by that nobody does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.connections.connector import opened
from dbctl.connections.watching import owing, watched_by
from dbctl.databases.places import on_server
from dbctl.errors import DbctlError, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.backups import Backups
    from dbctl.profiles import Profile

_KINDS = ("verify", "restore")
"""What such databases are for, which is in their names."""

_log = logging.getLogger("dbctl")


class Scratch:
    """A new database on a profile's server.

    Attributes:
        name: Its name.
        connection: A connection to the server, on which each statement commits.
        backend: The backend of that.
    """

    def __init__(self, name: str, connection: Connection, backend: Backups) -> None:
        self.name, self.connection, self.backend = name, connection, backend
        self.kept = False
        """Whether it has got a name of its own, and is not to be dropped."""


@contextmanager
def scratch(profile: Profile, kind: str, properties: Mapping[str, Any]) -> Iterator[Scratch]:
    """Create a database for the block, which is dropped after it; those that killed runs have left are dropped first.

    Args:
        profile: Whose server.
        kind: What it is for: verify or restore.
        properties: What it is like.

    Raises:
        ConnectError: The server can't be reached.
        WorkRefused: The role may not create one.
    """
    with on_server(profile) as (connection, plain):
        backend = plain.backups
        for each in _KINDS:
            _drop_left(profile, connection, backend, f"dbctl_{each}_")
        made = Scratch(f"dbctl_{kind}_{os.urandom(6).hex()}", connection, backend)
        _lock(connection, backend, made.name)
        with owing(lambda: _stays(made.name, "there was no time to drop it")):
            _create(made, backend.at_hand(connection, properties))
            try:
                yield made
            finally:
                if not made.kept:
                    connection.close()  # it may be in the very database, whose sessions are ended
                    _drop(profile, backend, made.name)


def properties_of(profile: Profile) -> Mapping[str, Any]:
    """Return what a database is like by itself."""
    with opened(profile) as connector, connector.engine.connect() as connection:
        return connector.backend.backups.properties(connection)


def _create(made: Scratch, properties: Mapping[str, Any]) -> None:
    from sqlalchemy.exc import DBAPIError

    backend = made.backend
    try:
        made.connection.exec_driver_sql(backend.with_properties(made.name, properties, owner=False)[0])
    except DBAPIError as error:
        if backend.error_code(error.orig or error) not in backend.rights_missing:
            raise
        why = backend.error_text(error.orig or error)
        raise WorkRefused(
            f"{backend.profile.called}: no database can be made to load it into: {why}",
            "take a profile whose user may create and drop databases",
        ) from error


def _lock(connection: Connection, backend: Backups, name: str) -> bool:
    from sqlalchemy import text

    return bool(connection.execute(text(*backend.session_lock.take), {"key": backend.lock_key(name)}).scalar())


def _drop_left(profile: Profile, connection: Connection, backend: Backups, beginning: str) -> None:
    from sqlalchemy import text

    for name in backend.databases_like(connection, beginning):
        if _lock(connection, backend, name):
            _drop(profile, backend, name)
            connection.execute(text(backend.session_lock.give_back), {"key": backend.lock_key(name)})


def _drop(profile: Profile, backend: Backups, name: str) -> None:
    """Drop one, which nobody ends who ends the work: half of it would be of no use to anybody."""
    try:
        with watched_by(None), on_server(profile) as (connection, _):
            _drop_by(connection, backend, name)
    except DbctlError as error:
        _log.warning("%s", _stays(name, error.message))


def _drop_by(connection: Connection, backend: Backups, name: str) -> None:
    from sqlalchemy.exc import DBAPIError

    users = backend.users_of(connection, name)
    gone = {*backend.session_missing, *backend.database_missing}
    for statement in backend.dropping(connection, name, users, force=True):
        try:
            connection.exec_driver_sql(statement)
        except DBAPIError as error:
            code = backend.error_code(error.orig or error)
            if code in backend.database_bound:
                _unbind(backend, name)
                connection.exec_driver_sql(statement)
            elif code not in gone:
                _log.warning("%s", _stays(name, backend.error_text(error.orig or error)))


def _unbind(backend: Backups, name: str) -> None:
    with (
        opened(backend.profile.model_copy(update={"database": name})) as connector,
        connector.engine.connect().execution_options(isolation_level="AUTOCOMMIT", no_parameters=True) as connection,
    ):
        for statement in connector.backend.backups.unbinding(connection, name):
            connection.exec_driver_sql(statement)


def _stays(name: str, why: str) -> str:
    return f"the database {name} stays, which the next run tries to drop: {why}"
