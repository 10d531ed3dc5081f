"""Writing one backup: the tool, or the copying, at one moment of the database, and what is known of it then."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from dbctl.backends.backups import Extent, Start
from dbctl.backups import files, packing
from dbctl.backups.keeping import Rules
from dbctl.backups.manifest import Manifest, Table, called, now
from dbctl.backups.running import tool_at_work, unbounded
from dbctl.connections.connector import opened
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import DbctlError, UsageError
from dbctl.records import record
from dbctl.runtime.private import private_directory
from dbctl.runtime.waits import is_done, result_of, started
from dbctl.work.progress import report

if TYPE_CHECKING:
    from concurrent.futures import Future

    from sqlalchemy import Connection, Engine

    from dbctl.backends.backups import Backups, RowCounter, TableNames
    from dbctl.connections.connector import Connector

_GLOBALS = {"roles", "tablespaces"}
"""What a backup does not lack that has those."""

_TO_CANCEL = 5.0
"""Seconds that a server has to end the counting."""

_LOOK = 0.2
"""Seconds between two looks at how much a tool has written."""


@record
class Wish:
    """What is wanted of a backup.

    Args:
        extent: What of the database.
        compression: gzip, zstd or none.
        with_globals: Whether what belongs to the whole server, such as roles, is written to a file beside it.
        without_rows: The tables whose definition alone is written, as `table` or `schema.table`.
        rules: Which of the older ones are kept; in a directory alone.
    """

    extent: Extent = field(default_factory=Extent)
    compression: str = "gzip"
    with_globals: bool = False
    without_rows: Sequence[str] = ()
    rules: Rules = field(default_factory=Rules)


def tell_bytes(done: int, message: str = "backup") -> None:
    """Report how many bytes there are by now; raise where the work was ended."""
    raise_if_ended()
    report(done, None, "bytes", message)


@contextmanager
def writing(connector: Connector[Engine], wish: Wish) -> Iterator[Writer]:
    """Connect, hold a moment of the database for the block, and have what writes it."""
    with (
        private_directory() as directory,
        _unbounded(connector) as own,
        own.engine.connect() as connection,
    ):
        backend = own.backend.backups  # of which the backend knows when it has heard who answers
        connection.execution_options(**backend.backup_options)
        yield Writer(backend, connection, wish, directory)


@contextmanager
def _unbounded(connector: Connector[Engine]) -> Iterator[Connector[Engine]]:
    if connector.profile.statement_timeout is None:
        yield connector
        return
    with opened(unbounded(connector.profile)) as own:
        yield own


class Writer:
    """Writes one backup, and knows what is in it then."""

    def __init__(self, backend: Backups, connection: Connection, wish: Wish, directory: Path) -> None:
        self._backend, self._connection, self._wish, self._directory = backend, connection, wish, directory
        self._began = time.monotonic()
        if wish.extent.jobs > 1 and not backend.backup_jobs:
            raise UsageError(f"{backend.title}'s own tool writes one table at a time", "leave --jobs out")
        backend.refuse_backup(connection)
        self._identity = backend.identity(connection)
        self._properties = dict(backend.properties(connection))
        self._name = backend.hold_snapshot(connection)
        self._snapshot = now()
        stored = backend.stored(connection)
        self._tables = [Table(one.schema, one.name, None, one.part_of) for one in stored]
        self._elsewhere = {(one.schema, one.name) for one in stored if one.elsewhere}
        self._extent = replace(wish.extent, without_rows=self._without_rows(), compression=wish.compression)
        self._tool: Start | None = None
        self._rows: dict[tuple[str | None, str], int] = {}
        self.summed: tuple[int, str] | None = None

    def _without_rows(self) -> TableNames:
        where = f"{self._backend.profile.called}: {self._backend.profile.database}"
        found = [table for name in self._wish.without_rows for table in called(name, self._tables, where)]
        return [(one.schema, one.table) for one in found]

    @property
    def ending(self) -> str:
        """What the file's name ends with."""
        if self._wish.extent.jobs > 1:
            return ".dir"
        return self._backend.backup_ending + packing.COMPRESSIONS[self._compression]

    @property
    def _compression(self) -> str:
        return "none" if self._backend.backup_compressed else self._wish.compression

    def write(self, made: Path) -> None:
        """Write it to a path, and count its rows."""
        if self._compression != "none" or self._backend.row_counter():
            made.touch(mode=0o600)
            with made.open("wb") as file:
                self.pour(file, made.parent)
            return
        start = self._start(made)
        if start is None:
            self._copy(made)
            return
        with self._counting() as counted, tool_at_work(self._backend, start) as child:
            while not _has_ended(child):
                tell_bytes(files.size_of(made))
                if counted.done():
                    counted.result()
        _close_to_others(made)

    def write_globals(self, made: Path) -> None:
        """Write what belongs to the whole server to a path."""
        with private_directory() as directory:
            made.touch(mode=0o600)
            with tool_at_work(self._backend, self._backend.dumping_globals(self._connection, directory, made)):
                tell_bytes(0, "roles")

    def pour(self, file: BinaryIO, place: Path | None = None) -> None:
        """Write it to an open file, and count its rows.

        Args:
            file: The file.
            place: Where a copy has room until it is compressed; the system's directory for temporary files if None.
        """
        counter = self._backend.row_counter()
        start = self._start(None)
        with packing.Sink(file, self._compression) as sink:
            if start is None:
                copy = (place or self._directory) / "copy"
                self._copy(copy)
                with copy.open("rb") as plain:
                    _lead(plain, sink)
            else:
                with nullcontext() if counter else self._counting():
                    for one in (start.first, start):
                        if one:
                            self._lead_all(one, sink, counter)
            self.summed = sink.close()
        if counter:
            self._rows = {(one.schema, one.table): counter.rows.get(one.table, 0) for one in self._tables}

    def _lead_all(self, start: Start, sink: packing.Sink, counter: RowCounter | None) -> None:
        """Run a tool, and lead all that it writes to a sink."""
        with tool_at_work(self._backend, start, stdout=subprocess.PIPE) as child:
            assert child.stdout
            _lead(child.stdout, sink, counter)

    def _start(self, target: Path | None) -> Start | None:
        if not self._backend.backup_by_tool:
            return None
        self._tool = self._backend.dumping(self._connection, self._extent, self._directory, target, self._name)
        return self._tool

    def _copy(self, target: Path) -> None:
        """Copy the database, and count in the copy what it has."""
        if not (self._extent.data and self._extent.schema) or self._extent.without_rows:
            raise UsageError(f"{self._backend.title} is copied as a whole", "leave out what would leave out a part")
        target.touch(mode=0o600)

        def tell(done: int, total: int) -> None:
            raise_if_ended()
            report(done, total, "pages", "backup")

        self._backend.copy_database(self._connection, target, tell)
        self._count()

    @contextmanager
    def _counting(self) -> Iterator[Future[None]]:
        """Count beside the block, in the snapshot; where that fails the snapshot is gone, and the tool fails for it."""
        cancel = self._backend.canceller(self._connection.connection.driver_connection)
        counted = started(self._count)
        try:
            yield counted
        except DbctlError:
            if counted.done():
                counted.result()
            is_done(started(cancel), _TO_CANCEL)  # it may wait for a lock, and the connection is not closed meanwhile
            is_done(counted, _TO_CANCEL)
            raise
        result_of(counted)

    def _count(self) -> None:
        for one in self._tables:
            raise_if_ended()
            if self._counts(one):
                rows = self._backend.count_rows(self._connection, one.schema, one.table)
                self._rows[one.schema, one.table] = rows

    def manifest(self, size: int, sha256: str) -> Manifest:
        """Return the manifest of what was written."""
        backend, extent = self._backend, self._extent
        without = [f"the rows of {name}" for name in self._wish.without_rows]
        compression = None if self._compression == "none" else self._compression
        return Manifest(
            profile=backend.profile.name,
            database=Path(backend.profile.database or "").name,
            server=backend.server_title(self._connection),
            version=self._identity.version,
            numbers=list(backend.server_version(self._connection)),
            tool=str(self._tool.tool) if self._tool else f"SQLite's backup API {self._identity.version}",
            tool_numbers=list(self._tool.tool.version) if self._tool else [],
            format="directory" if extent.jobs > 1 else backend.backup_format,
            compression=compression,
            snapshot=self._snapshot,
            seconds=round(time.monotonic() - self._began, 3),
            contents=_contents(extent),
            bytes=size,
            sha256=sha256,
            tables=[replace(one, rows=self._rows_of(one)) for one in self._tables],
            properties=self._properties,
            lacks=[*self._lacking(), *without],
        )

    def _lacking(self) -> Iterator[str]:
        has = _GLOBALS if self._wish.with_globals else ()
        yield from (one for one in self._backend.backup_lacks if one not in has)
        yield from self._tool.lacks if self._tool else ()
        yield from (f"the rows of {name}, which are elsewhere" for _, name in sorted(self._elsewhere))

    def _counts(self, one: Table) -> bool:
        return (one.schema, one.table) not in self._elsewhere and self._extent.counts(one.schema, one.table)

    def _rows_of(self, one: Table) -> int | None:
        return self._rows.get((one.schema, one.table)) if self._counts(one) else None


def _contents(extent: Extent) -> str:
    if extent.data and extent.schema:
        return "part" if extent.without_rows else "all"
    return "schema" if extent.schema else "data"


def _lead(source: IO[bytes], sink: packing.Sink, counter: RowCounter | None = None) -> None:
    """Write all that comes to a sink, and count it on the way."""
    for chunk in packing.chunks(source):
        sink.write(chunk)
        if counter:
            counter.feed(chunk)
        tell_bytes(sink.size)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    try:
        child.wait(_LOOK)
    except subprocess.TimeoutExpired:
        return False
    return True


def _close_to_others(made: Path) -> None:
    """Give a backup that a tool has written to its owner alone."""
    for one in made.iterdir() if made.is_dir() else ():
        one.chmod(0o600)
    made.chmod(0o700 if made.is_dir() else 0o600)
