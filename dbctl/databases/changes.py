"""Creating and dropping a profile's database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends import backend_of
from dbctl.backends.databases import Wanted
from dbctl.connections.watching import raise_if_ended, told_if_ended
from dbctl.databases import files
from dbctl.databases.places import is_there, name_of, on_server
from dbctl.errors import Remedy, WorkRefused
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.backends.locks import Holder
    from dbctl.profiles import Profile

_log = logging.getLogger("dbctl")

_TEMPLATE_BUSY = 30.0
"""Seconds for which other runs are waited for that copy the same template."""

_PAUSE = 0.2
"""Seconds between two tries."""

_SHOWN = 5
"""How many of the sessions that are in the way are named."""


@record
class DatabaseState:
    """A database, and whether it was `created` or `dropped`, `exists`, or is `missing`."""

    database: str
    state: str


def create(
    profile: Profile,
    wanted: Wanted | None = None,
    maintenance: Sequence[str] = (),
    sleep: Callable[[float], Any] = time.sleep,
    *,
    dry_run: bool = False,
) -> DatabaseState:
    """Create a profile's database unless it is there; whoever else creates it at the same time does no harm.

    Args:
        profile: The profile, which names the database.
        wanted: What it is to be like; one that is there stays as it is.
        maintenance: The databases by which the server is reached; the usual ones unless given.
        sleep: Called with the seconds of a pause.
        dry_run: Look only, and return what would become of it.

    Raises:
        Unsupported: The database has nothing of what it is to be like.
        WorkRefused: The role may not; or a pooler answers; or it would be in memory.
        ConnectError: The server can't be reached, or there is no directory for the file.
    """
    wanted = wanted or Wanted()
    backend_of(profile).refuse_wishes(wanted)
    name = name_of(profile)
    if is_there(profile, maintenance):
        return DatabaseState(name, "exists")
    if dry_run:
        return DatabaseState(name, "created")
    if backend_of(profile).database_file() is not None:
        return DatabaseState(name, files.create(profile))
    with (
        on_server(profile, maintenance) as (connection, backend),
        told_if_ended(lambda: f"CREATE DATABASE {name} was sent, and may have been done"),
    ):
        return DatabaseState(name, _create(connection, backend, name, wanted, sleep))


def _create(connection: Connection, backend: Backend, name: str, wanted: Wanted, sleep: Callable[[float], Any]) -> str:
    from sqlalchemy.exc import DBAPIError

    end = time.monotonic() + _TEMPLATE_BUSY
    while True:
        raise_if_ended()
        try:
            connection.exec_driver_sql(backend.creating(name, wanted))
        except DBAPIError as error:
            code = backend.error_code(error.orig or error)
            if code in backend.database_exists:
                return "exists"
            if code in backend.rights_missing:
                raise _not_allowed(error, backend, name) from error
            if code not in backend.template_busy or time.monotonic() > end:
                raise
        else:
            return "created"
        sleep(_PAUSE)


def _not_allowed(error: Exception, backend: Backend, name: str) -> WorkRefused:
    role = backend.profile.user
    hint = f"have an administrator create it, or let this role: {backend.create_right(name, role)}" if role else ""
    return WorkRefused(
        f"{backend.profile.called}: database {name}: {backend.error_text(getattr(error, 'orig', error))}", hint
    )


def drop(
    profile: Profile, maintenance: Sequence[str] = (), *, force: bool = False, dry_run: bool = False
) -> DatabaseState:
    """Drop a profile's database, with all that is in it.

    Args:
        profile: The profile, which names the database.
        maintenance: The databases by which the server is reached; the usual ones unless given.
        force: Whether other sessions on it are ended, which else are in the way.
        dry_run: Look only, and return what would become of it.

    Raises:
        WorkRefused: Others are connected to it; or it is the server's own; or the role may not; or a pooler answers.
        ConnectError: The server can't be reached.
    """
    name = name_of(profile)
    if backend_of(profile).database_file() is not None:
        return DatabaseState(name, files.drop(profile, dry_run=dry_run))
    if name.lower() in backend_of(profile).system_databases:
        raise WorkRefused(f"{profile.called}: database {name} is the server's own, and is not dropped")
    with on_server(profile, maintenance) as (connection, backend):
        if not backend.has_database(connection, name):
            return DatabaseState(name, "missing")
        users = backend.users_of(connection, name)
        if users and not force:
            raise WorkRefused(
                f"{profile.called}: others are connected to database {name}: {_named(users)}", Remedy.END_SESSIONS
            )
        if dry_run:
            return DatabaseState(name, "dropped")
        with told_if_ended(lambda: f"DROP DATABASE {name} was sent, and may have been done"):
            return DatabaseState(name, _drop(connection, backend, name, users, force=force))


def _drop(connection: Connection, backend: Backend, name: str, users: Sequence[Holder], *, force: bool) -> str:
    from sqlalchemy.exc import DBAPIError

    for statement in backend.dropping(connection, name, users, force=force):
        raise_if_ended()
        try:
            connection.exec_driver_sql(statement)
        except DBAPIError as error:
            code = backend.error_code(error.orig or error)
            if code in backend.session_missing:
                continue
            if code not in backend.database_missing:
                raise
            return "missing"
    if users:
        _log.info("ended: %s", _named(users))
    return "dropped"


def _named(users: Sequence[Holder]) -> str:
    shown = ", ".join(map(str, users[:_SHOWN]))
    return shown if len(users) <= _SHOWN else f"{shown} and {len(users) - _SHOWN} more"
