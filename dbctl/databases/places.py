"""Where a database is, and how its server is reached while it may not be there.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.backends import backend_of
from dbctl.connections.asking import profile_named
from dbctl.connections.connector import opened
from dbctl.errors import ConfigError, ConnectError, Remedy
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile


@record
class Place:
    """Where a database is, or is to be.

    Args:
        profile: Its profile.
        sleep: Pauses for so many seconds, as whoever may end the work would have it.
        dry_run: Whether it is only told what would be done.
        named: Returns another profile by its name.
    """

    profile: Profile
    sleep: Callable[[float], Any] = time.sleep
    dry_run: bool = False
    named: Callable[[str], Profile] = profile_named


_NOT_THERE = "database"
"""The step of connecting at which it fails for a database that is not there."""


def at(profile: Profile, name: str | None) -> Profile:
    """Return a profile that leads to another database of its server, or of its directory; itself without a name.

    Raises:
        ConfigError: Neither it nor the profile names one.
        UsageError: None can have that name.
    """
    backend = backend_of(profile)
    if name is not None:
        backend.refuse_name(name)
        if not backend.needs_host:
            if profile.database and not Path(name).is_absolute():
                name = str(Path(profile.database.removeprefix("file:")).parent / name)
            return profile.model_copy(update={"database": name, "query": {}})  # they say how the other file is opened
        return profile.model_copy(update={"database": name})
    if not profile.database and backend.needs_host:
        raise ConfigError(f"{profile.called}: database: none is named", Remedy.NAME_DATABASE)
    return profile


def name_of(profile: Profile) -> str:
    """Return what people call the profile's database: its name, or its file's.

    Raises:
        UsageError: None can have that name.
    """
    backend = backend_of(profile)
    file = backend.database_file()
    name = file.name if file else profile.database or ""
    backend.refuse_name(name)
    return name


def is_there(profile: Profile, maintenance: Sequence[str] = ()) -> bool:
    """Tell whether a profile's database is there. It is asked itself first, for who may use it alone may do so.

    Args:
        profile: The profile.
        maintenance: The databases by which the server is reached where it is not there; the usual ones unless given.

    Raises:
        ConnectError: The server can't be reached, or refuses the login.
        WorkRefused: It is in memory.
    """
    file = backend_of(profile).database_file()
    if file is not None:
        return file.is_file()
    try:
        with opened(profile) as connector, connector.engine.connect():
            return True
    except ConnectError as error:
        if error.stage != _NOT_THERE or error.transient:
            raise
    with on_server(profile, maintenance) as (connection, backend):
        return backend.has_database(connection, profile.database or "")


@contextmanager
def on_server(profile: Profile, maintenance: Sequence[str] = ()) -> Iterator[tuple[Connection, Backend]]:
    """Have a connection to the profile's server for the block, not to its database, on which each statement commits.

    Args:
        profile: The profile.
        maintenance: The databases that are tried, in their order; the usual ones unless given.

    Raises:
        ConnectError: None of them lets the role in.
        WorkRefused: A pooler answers.
    """
    usual = backend_of(profile).maintenance
    places = [one for one in maintenance or usual if one != profile.database]
    for number, place in enumerate(places, 1):
        with opened(profile.model_copy(update={"database": place})) as connector:
            try:
                connection = connector.engine.connect()
            except Exception as error:
                refused = connector.backend.translate(error)
                if not isinstance(refused, ConnectError) or refused.transient:
                    raise
                if number < len(places):
                    continue
                refused.hint = refused.hint or (Remedy.NAME_MAINTENANCE if place else "")
                raise refused from error
            with connection:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT", no_parameters=True)
                connector.backend.refuse_pooler(connection)
                yield connection, connector.backend
            return
    raise ConfigError(
        f"{profile.called}: {profile.database}: no other database is named to reach its server by",
        Remedy.NAME_MAINTENANCE,
    )
