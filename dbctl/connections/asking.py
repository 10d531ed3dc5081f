"""Asking for the rows that are a fleet's profiles: by a query, read-only, or by a program that writes them as JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dbctl.connections.connector import opened
from dbctl.errors import ConfigError, ConnectError, DbctlError, OutOfTime
from dbctl.profiles import select
from dbctl.profiles.rows import Row

if TYPE_CHECKING:
    from dbctl.profiles import Profiles
    from dbctl.profiles.fleets import Fleet
    from dbctl.profiles.model import Profile

_TO_WRITE = 60.0
"""Seconds that a program may take to write its rows: it may have to ask a cloud."""

_MOST = 64 * 2**20
"""Bytes: what is longer is no list of profiles, and may have no end."""

_SAID = 300
"""Characters of what a failing program has said that are told."""


def profile_named(name: str | None = None, *, config: str | None = None) -> Profile:
    """Return a profile, by name or the one that `dbctl` itself would take; of a fleet, `tenants/acme`, by its row.

    Args:
        name: The profile's name.
        config: The profile file's path, over where it is looked for.

    Raises:
        ConfigError: There is no such file, profile or row, or it is wrong.
        ConnectError: It is a fleet's, and the profile that is asked for its rows can't be reached.
    """
    return select(name, config=config, ask_rows=ask_rows)


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
        return _written(fleet)
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
        raise
    except DbctlError as error:
        raise ConfigError(f"{fleet.origin}: the query fails: {error.message}", error.hint) from error


def _written(fleet: Fleet) -> Sequence[Row]:
    program = fleet.command[0]
    try:
        done = subprocess.run(
            fleet.command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TO_WRITE, check=False
        )
    except subprocess.TimeoutExpired:
        raise OutOfTime(f"{fleet.origin}: {program} took longer than {_TO_WRITE:g} s") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{fleet.origin}: can't run {program}: {why}") from error
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[-_SAID:]
        raise ConfigError(f"{fleet.origin}: {program} failed with exit code {done.returncode}: {said}".rstrip(": "))
    return [*_rows_in(f"{fleet.origin}: what {program} writes", done.stdout)]


def _rows_in(what: str, content: bytes) -> Iterator[Row]:
    """Yield the objects of an array, or of lines; what is wrong with them is told by its place, for it may be secret.

    Raises:
        ConfigError: They are none.
    """
    if len(content) > _MOST:
        raise ConfigError(f"{what} is longer than any list of profiles")
    try:
        text = content.decode("utf-8-sig")
        said = json.loads(text) if text.lstrip().startswith("[") else [*map(json.loads, text.splitlines())]
    except UnicodeDecodeError:
        raise ConfigError(f"{what} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if text.lstrip().startswith("[") else _line(text)
        raise ConfigError(f"{what} is not JSON: {place}", "write an array of objects, or an object a line") from None
    for number, row in enumerate(said, 1):
        if not isinstance(row, Mapping):
            raise ConfigError(f"{what} is no list of objects: the one at {number} is none")
        yield row


def _line(text: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            json.loads(line)
        except json.JSONDecodeError as error:
            return f"line {number}, column {error.colno}"
    return "its lines"
