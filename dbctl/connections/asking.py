"""Asking for the rows that are a fleet's profiles: by a query, read-only, or of a program that writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbctl.connections.connector import opened
from dbctl.connections.written_rows import rows_written
from dbctl.errors import ConfigError, ConnectError, DbctlError, OutOfTime, Remedy
from dbctl.profiles import select
from dbctl.profiles.rows import Row

if TYPE_CHECKING:
    from dbctl.profiles import Profiles
    from dbctl.profiles.fleets import Fleet
    from dbctl.profiles.model import Profile


def profile_named(name: str | None = None, *, url: object = None, config: str | None = None) -> Profile:
    """Return a profile, by name or the one that `dbctl` itself would take; of a fleet, `tenants/acme`, by its row.

    Args:
        name: The profile's name.
        url: A database URL in place of a name, as a service's settings have it: text, pydantic's or SQLAlchemy's. What
            the profile file says of all profiles holds for it.
        config: The profile file's path, over where it is looked for.

    Raises:
        ConfigError: There is no such file, profile or row, or it is wrong.
        TypeError: Both a name and a URL are given.
        ConnectError: It is a fleet's, and the profile that is asked for its rows can't be reached.
    """
    if name is not None and url is not None:
        raise TypeError("a profile is given by its name or by a URL, not by both")
    render = getattr(url, "render_as_string", None)  # SQLAlchemy's, whose str() hides the password
    said = None if url is None else str(render(hide_password=False) if render else url)
    return select(name, url=said, config=config, ask_rows=ask_rows)


def ask_rows(fleet: Fleet, profiles: Profiles) -> Sequence[Row]:
    """Return the rows that are a fleet's profiles, as they are; nothing is written.

    Args:
        fleet: The fleet.
        profiles: Among which is the one that its query is run on.

    Raises:
        ConfigError: The query or the program fails, or what it gives are no rows.
        ConnectError: The database can't be reached.
        OutOfTime: The query or the program takes too long.
    """
    if fleet.command:
        return rows_written(fleet)
    return _queried(fleet, profiles.select(fleet.source))


def _queried(fleet: Fleet, profile: Profile) -> Sequence[Row]:
    from sqlalchemy.exc import ResourceClosedError

    try:
        with opened(profile) as connector, connector.engine.connect() as connection:
            connector.backend.keep_from_writing(connection)
            connector.backend.begin_strictly(connection, writes=False)
            as_it_stands = connection.execution_options(no_parameters=True)  # or a % would be a parameter
            found = as_it_stands.exec_driver_sql(fleet.query)
            columns = [*found.keys()]
            if twice := {column for column in columns if columns.count(column) > 1}:
                raise ConfigError(f"{fleet.origin}: the query has a column twice: {', '.join(sorted(twice))}")
            return [dict(zip(columns, row, strict=True)) for row in found]
    except ResourceClosedError as error:
        raise ConfigError(f"{fleet.origin}: the query returns no rows", "say a SELECT") from error
    except (ConfigError, ConnectError, OutOfTime) as error:
        if not error.message.startswith(fleet.origin):
            error.message = f"{fleet.origin}: {error.message}"
        error.hint = _hint_of(error)
        raise
    except DbctlError as error:
        raise ConfigError(f"{fleet.origin}: the query fails: {error.message}", _hint_of(error)) from error


def _hint_of(error: DbctlError) -> str:
    """Return a hint, unless it would be done on the profiles that were named, which are not the one that was asked."""
    return "" if isinstance(error.hint, Remedy) else error.hint
