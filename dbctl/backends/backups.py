"""Backups: how a database is written to a file, and a file read into a database again, by the database's own tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from dbctl.backends.base import Backend
from dbctl.backends.replacing import Replacing
from dbctl.backends.tools import Tool, Version
from dbctl.errors import Unsupported
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection


@record
class StoredTable:
    """A table with rows; `part_of` names the partitioned table that it is one of, with its schema.

    `elsewhere` tells that its rows are those of other tables or of another server, and are not in a backup as its own.
    `refreshed` tells that a restore makes its rows anew, which then need not be those that were there.
    """

    schema: str | None
    name: str
    part_of: str | None = None
    elsewhere: bool = False
    refreshed: bool = False


TableNames = Sequence[tuple[str | None, str]]
"""Schemas, where there are several, and names of tables."""


@record
class Extent:
    """What of a database is written.

    Args:
        schema: Whether its definitions are.
        data: Whether its rows are.
        without_rows: The tables whose definition alone is.
        jobs: How many tables are written at a time.
        compression: How the tool compresses what it writes, where it does: gzip, zstd or none.
    """

    schema: bool = True
    data: bool = True
    without_rows: TableNames = ()
    jobs: int = 1
    compression: str = "gzip"

    def counts(self, schema: str | None, table: str) -> bool:
        """Tell whether a table's rows are written."""
        return self.data and (schema, table) not in self.without_rows


@record
class Start:
    """How a tool is started; everybody on the machine can read the words.

    Args:
        tool: The tool.
        words: Its arguments.
        environment: The variables that it is given besides those that are inherited.
        writes_itself: Whether it writes the file, or the directory, by itself, and not to its standard output.
        first: What is run before it, and writes what stands before it.
        lacks: What it does not write of what there is.
        hint: What to do where the database refuses what it does.
    """

    tool: Tool
    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    writes_itself: bool = False
    first: Start | None = None
    lacks: Sequence[str] = ()
    hint: str = ""


@record
class Stored:
    """How a backup stands in its file, and what of it is wanted: what a restore has to know of it.

    Args:
        format: The manifest's.
        jobs: How many tables are read at a time.
        tool: The version of what wrote it.
        owners: Whether each object is to have the owner that it had; else all is of who reads it, and what names
            other roles is left to `give_rights`.
        proved: Whether it is read only to be looked at, and is not to do anything by itself.
        tables: The tables that are read, and nothing else; all there is if there are none.
        beside: Whether they come into a database with others, all of them or none.
    """

    format: str
    jobs: int = 1
    tool: Version = ()
    owners: bool = True
    proved: bool = False
    tables: TableNames = ()
    beside: bool = False


@record
class Loosened:
    """A foreign key that was taken off a table, and its definition in SQL."""

    table: str
    name: str
    definition: str


class RowCounter(Protocol):
    """Counts the rows that a dump has, as it passes."""

    rows: dict[str, int]

    def feed(self, chunk: bytes) -> None:
        """Take note of the next part."""


class Backups(Replacing, Backend):
    """A backend that backs up and restores; each database's own tools are overrides."""

    backup_by_tool: ClassVar[bool] = True
    """Whether a tool writes and reads backups."""
    backup_kinds: ClassVar[Sequence[str]] = ()
    """What servers that are spoken to in this way call themselves, where there are several."""
    backup_format: ClassVar[str] = ""
    """What a backup's file is."""
    backup_options: ClassVar[Mapping[str, Any]] = {}
    """The execution options of the connection that a backup is made beside, or by."""
    backup_ending: ClassVar[str] = ""
    """What a backup's file ends with, before what tells its compression."""
    backup_compressed: ClassVar[bool] = False
    """Whether the tool itself compresses what it writes."""
    backup_jobs: ClassVar[bool] = False
    """Whether the tool writes several tables at a time."""
    backup_lacks: ClassVar[Sequence[str]] = ()
    """What a backup does not hold."""
    loads_beside: ClassVar[bool] = False
    """Whether the tool itself reads tables into a database with others, all of them or none."""
    tool_quotes: ClassVar[bytes] = b""
    """The line that a tool writes before and after a statement that has failed, where it quotes that."""
    tool_reasons: ClassVar[str] = "(?!)"
    """A regular expression for what of its lines tells why a tool has failed, where more stands beside it."""
    tool_overdue: ClassVar[str] = "(?!)"
    """A regular expression for what a tool says where it has waited for a lock as long as it may."""
    tool_lost: ClassVar[str] = "(?!)"
    """A regular expression for what a tool says where its connection was lost."""
    tool_denied: ClassVar[str] = "(?!)"
    """A regular expression for what a tool says where the role may not do what it was to do, or the server's disk is
    full: of what it reads that says nothing."""

    def server_version(self, connection: Connection) -> Version:
        """Return the numbers of the server's version that tell whether a tool fits it."""
        raise Unsupported(f"{self.title} can't be backed up")

    def copy_database(self, connection: Connection, target: Path, tell: Callable[[int, int], None]) -> None:
        """Copy the database to a file without a tool; the transaction still sees what was copied then.

        Args:
            connection: A connection to it.
            target: The file, which is there and empty.
            tell: Called with the pages that are copied, and all that there are; what it raises ends the copying.
        """
        raise Unsupported(f"{self.title} is backed up by a tool")

    def stored(self, connection: Connection) -> Sequence[StoredTable]:
        """Return the tables, and what else has rows that a backup has; without their sizes, which take longer."""
        raise Unsupported(f"{self.title} can't be backed up")

    def count_rows(self, connection: Connection, schema: str | None, name: str) -> int:
        """Return how many rows a table has, of those that a backup holds."""
        from sqlalchemy import func, select, table

        return int(connection.scalar(select(func.count()).select_from(table(name, schema=schema))) or 0)

    def let_take_time(self, connection: Connection) -> None:
        """Have the server end nothing of the connection's transaction because it takes long."""

    def hold_snapshot(self, connection: Connection) -> str | None:
        """Hold one moment of the database in the connection's transaction, and return its name for the tool.

        None where the tool has a moment of its own, and the rows are counted in what it writes.
        """
        return None

    def dumping(
        self, connection: Connection, extent: Extent, directory: Path, target: Path | None, snapshot: str | None
    ) -> Start:
        """Return how the database is written.

        Args:
            connection: A connection to it.
            extent: What of it.
            directory: Where files may be made that nobody else can read.
            target: The file, or the directory; None for the standard output.
            snapshot: What `hold_snapshot` returned.

        Raises:
            ConfigError: No tool is there that can.
        """
        raise Unsupported(f"{self.title} can't be backed up")

    def dumping_globals(self, connection: Connection, directory: Path, target: Path) -> Start:
        """Return how what belongs to the whole server, and not to the database, is written as SQL.

        Args:
            connection: A connection to it.
            directory: Where files may be made that nobody else can read.
            target: The file.

        Raises:
            Unsupported: The database's tools don't write that.
        """
        raise Unsupported(f"{self.title}: no tool writes its users by themselves", "leave --globals out")

    def row_counter(self) -> RowCounter | None:
        """Return what counts the rows in what the tool writes; None where they are counted in the snapshot."""
        return None

    def loading(self, connection: Connection, stored: Stored, name: str, directory: Path, source: Path) -> Start:
        """Return how a backup is read into a database that is there and empty.

        Args:
            connection: A connection to the server.
            stored: How it stands in the file.
            name: The database.
            directory: Where files may be made that nobody else can read.
            source: The file, or the directory; a tool that does not read it by itself has its plain text on its
                standard input.
        """
        raise Unsupported(f"{self.title} can't be restored")

    def give_rights(self, connection: Connection, stored: Stored, directory: Path, source: Path) -> None:
        """Do what names roles that may not be there, of a backup that was read without owners; tell what can't be.

        Args:
            connection: A connection to the database, on which each statement commits.
            stored: How it stands in the file.
            directory: Where files may be made that nobody else can read.
            source: The file, or the directory.
        """

    def part_of(self, dump: Iterator[bytes], database: str, tables: TableNames) -> Iterator[bytes]:
        """Return what a tool has written as it is read into any database.

        Args:
            dump: What it has written, part by part.
            database: The database that it is of, which it may name.
            tables: The tables that are wanted alone, where the tool itself can't pick; all if there are none.
        """
        return dump

    def loosen(self, connection: Connection, name: str) -> Sequence[Loosened]:
        """Drop the foreign keys in a new database that refer to tables which are not in it, and return them."""
        return ()

    def bring(
        self, connection: Connection, source: str, target: str, tables: TableNames, keys: Sequence[Loosened]
    ) -> None:
        """Bring tables into a database in which no others have their names; all of them, or none.

        Args:
            connection: A connection to the server, on which each statement commits; to the target's file where
                there is no server, in a transaction.
            source: The database that has them; or its file.
            target: The database that they come into.
            tables: The tables.
            keys: The foreign keys that they get there.

        Raises:
            WorkRefused: They can't have those; nothing is changed.
        """
        raise Unsupported(f"{self.title} has no tables that can be brought from one database into another")

    def broken_references(self, connection: Connection) -> Iterable[str]:
        """Yield what refers to rows that are not there, each as a sentence part, where loading does not check that."""
        return ()

    def broken_parts(self, connection: Connection) -> Iterable[str]:
        """Yield what the database finds wrong in its own file."""
        return ()
