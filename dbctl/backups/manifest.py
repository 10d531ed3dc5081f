"""A backup's manifest: a JSON file beside it, which says whence it comes, what is in it, and how it can be proved."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbctl.backends.names import unquoted
from dbctl.errors import CheckFailed, NotFound, UsageError
from dbctl.profiles.words import nearest
from dbctl.records import record
from dbctl.runtime.replacing import replace_whole

_log = logging.getLogger("dbctl")

ENDING = ".manifest.json"
"""What a manifest's name ends with, behind the whole name of its backup."""

_FORMAT = 1
"""The version of what stands in a manifest."""


@record
class Table:
    """A table in a backup; its rows are None where they are not in it. `part_of` is the partitioned table's name."""

    schema: str | None
    table: str
    rows: int | None
    part_of: str | None = None

    @property
    def called(self) -> str:
        """Its name, with the schema where there are several."""
        return self.table if self.schema is None else f"{self.schema}.{self.table}"


def called(name: str, tables: Sequence[Table], where: str) -> Sequence[Table]:
    """Return the table that is called so, or the partitions of one that is.

    Args:
        name: As `table` or `schema.table`.
        tables: The tables that there are.
        where: What has them.

    Raises:
        NotFound: There is none.
        UsageError: There are several, in schemas of their own.
    """
    name = unquoted(name)
    alone = [replace(one, part_of=None) for one in tables]
    found = [one for one in alone if one.called == name] or [
        *(one for one in tables if one.part_of and name in {one.part_of, one.part_of.partition(".")[2]}),
        *(one for one in alone if one.table == name),
    ]
    places = sorted({one.part_of or one.called for one in found})
    if len(places) > 1:
        raise UsageError(f"{where}: several tables are called {name}", f"name one of {', '.join(places)}")
    if not found:
        raise NotFound(f"{where} has no table {name}", nearest(name, [one.called for one in tables]))
    return found


@record
class Manifest:
    """What is known of a backup.

    Args:
        profile: The profile that it was made by.
        database: The database that it is of.
        server: The database system: PostgreSQL, MariaDB, MySQL, SQLite.
        version: The server's version.
        numbers: The numbers of it that tell what can read it.
        tool: What wrote it, with its version.
        tool_numbers: The numbers of that.
        format: custom, directory, sql or file.
        compression: gzip or zstd, where dbctl compressed it.
        snapshot: When its moment was taken, in UTC; the tool that takes its own begins then.
        seconds: How long it took.
        contents: all, part where the rows of some tables are left out, schema or data.
        bytes: Its size.
        sha256: The SHA-256 of the file; of a directory that of its files' names and sums.
        tables: Its tables.
        properties: What the database was like by itself.
        lacks: What is not in it.
        verified: When it was last verified, in UTC.
        refuted: When it was last found to be none, in UTC.
    """

    profile: str
    database: str
    server: str
    version: str
    numbers: Sequence[int]
    tool: str
    tool_numbers: Sequence[int]
    format: str
    compression: str | None
    snapshot: str
    seconds: float
    contents: str
    bytes: int
    sha256: str
    tables: Sequence[Table]
    properties: Mapping[str, Any] = field(default_factory=dict)
    lacks: Sequence[str] = ()
    verified: str | None = None
    refuted: str | None = None

    @property
    def at(self) -> datetime:
        """The moment that is in it."""
        return datetime.fromisoformat(self.snapshot)

    @property
    def series(self) -> tuple[str, str, str]:
        """What the backups of one database by one profile have in common."""
        return self.profile, self.server, self.database

    @property
    def rows(self) -> int:
        """How many rows all its tables have."""
        return sum(table.rows or 0 for table in self.tables)

    def text(self) -> str:
        """Return it as it stands in its file."""
        return json.dumps({"dbctl_backup": _FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"


def beside(backup: Path) -> Path:
    """Return the path of a backup's manifest."""
    return backup.parent / (backup.name + ENDING)


def read(path: Path) -> Manifest:
    """Return what a manifest says.

    Raises:
        CheckFailed: It is none, or of a later version.
        OSError: It can't be read.
    """
    try:
        content = json.loads(path.read_bytes())
        version = content.pop("dbctl_backup")
        if version == _FORMAT:
            content["tables"] = [Table(**table) for table in content["tables"]]
            return _checked(Manifest(**content))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckFailed(f"{path}: it is no manifest of a backup") from error
    raise CheckFailed(f"{path}: its version is {version}, and {_FORMAT} is what can be read", None, "update dbctl")


def _checked(found: Manifest) -> Manifest:
    """Return a manifest that was read as it is.

    Raises:
        ValueError: Something in it is not what it is to be. What is read of it as another type raises TypeError.
    """
    names = ("profile", "database", "server", "version", "tool", "format", "snapshot", "contents", "sha256")
    texts = [*(getattr(found, name) for name in names), *(table.table for table in found.tables)]
    rows = [table.rows for table in found.tables if table.rows is not None]
    numbers = [found.bytes, *found.numbers, *found.tool_numbers, *rows]
    if not all(isinstance(one, str) for one in texts) or not all(isinstance(one, int) for one in numbers):
        raise ValueError("a text or a number is none")
    if found.at.tzinfo is None:
        raise ValueError("the time has no zone")
    return found


def mark(path: Path, manifest: Manifest, *, proved: bool) -> None:
    """Write into a manifest that its backup has been verified, or was found to be none; say where that can't be."""
    told = replace(manifest, verified=now(), refuted=None) if proved else replace(manifest, refuted=now())
    try:
        replace_whole(path, told.text().encode())
    except OSError as error:
        _log.warning("%s: it can't be noted when that was: %s", path, error.strerror or error)


def now() -> str:
    """Return this moment in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
