"""Exporting: rows of one moment into files, each of which is whole or not there, or to stdout."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backups import files, packing
from dbctl.backups.manifest import ENDING
from dbctl.bulk import reading_out
from dbctl.bulk.export_manifest import Exported, manifest_text
from dbctl.bulk.forms import Form
from dbctl.bulk.reading_out import Moment, Readable, one_moment
from dbctl.bulk.writing import Columns, writer_for
from dbctl.connections.watching import begin_what_is_not_divided, raise_if_ended
from dbctl.errors import OutputLost, UsageError
from dbctl.records import record
from dbctl.runtime.waits import result_of, started
from dbctl.work.progress import report

if TYPE_CHECKING:
    from concurrent.futures import Future

    from sqlalchemy import Engine

    from dbctl.connections.connector import Connector


@record
class Wish:
    """What is exported, and how.

    Args:
        table: The table or view, as `table` or `schema.table`.
        sql: The query.
        all: Whether all tables are, each into a file of its own.
        form: The format of the files.
        replace: Whether files that are there are replaced.
        manifest: Whether what is in them is told in a file beside them.
        jobs: How many tables are read at a time.
        exclude: Which of all tables are not exported, by names or patterns of such.
    """

    table: str | None = None
    sql: str | None = None
    all: bool = False
    form: Form = field(default_factory=Form)
    replace: bool = False
    manifest: bool = False
    jobs: int = 1
    exclude: Sequence[str] = ()

    def chosen(self, moment: Moment) -> Sequence[Readable]:
        """Return what it is.

        Raises:
            NotFound: There is no such table.
        """
        if self.sql is not None and not self.all:
            return [reading_out.rows_of_query(moment, self.sql)]
        if self.all:
            found = reading_out.all_tables(moment, self.exclude)
        else:
            assert self.table is not None
            found = [reading_out.table(moment, self.table)]
        reading_out.tell_of_hidden(moment, found)
        return [reading_out.rows_of(moment, one) for one in found]


def export(connector: Connector[Engine], target: Path, wish: Wish) -> Sequence[Exported]:
    """Export to a file, or into a directory a file for each table; all of them or none.

    Args:
        connector: The profile's engine.
        target: The file, or the directory, which is made where all tables are exported.
        wish: What is exported.

    Raises:
        UsageError: A file is there and is not to be replaced, or there is no directory for it.
        NotFound: There is no such table.
        ConnectError: The server can't be reached, or was lost; nothing is left.
        NoSpace: The disk is full; nothing is left.
    """
    directory = target if wish.all or target.is_dir() else None
    if directory is None:
        _refuse_existing(target, replace=wish.replace)
    with (
        files.made(directory) if directory else nullcontext(),
        files.telling_of_space(target),
        files.unfinished(directory or target.parent) as work,
        one_moment(connector) as moment,
    ):
        chosen = wish.chosen(moment)
        targets = [directory / _file_name(one, wish.form) if directory else target for one in chosen]
        manifest = _manifest_beside(target, wish)
        for path in (*targets, *manifest):
            _refuse_existing(path, replace=wish.replace)
        done = _Exporting(moment, wish, work).all(list(zip(chosen, targets, strict=True)))
        pairs = [(work / str(number), path) for number, path in enumerate(targets)]
        for path in manifest:
            noted = work / "manifest"
            noted.touch(mode=0o600)
            noted.write_text(manifest_text(moment, wish.form, list(zip(chosen, done, strict=True))), encoding="utf-8")
            files.sync(noted)
            pairs.append((noted, path))
        begin_what_is_not_divided()
        _publish(directory or target.parent, pairs, replace=wish.replace)
    return done


def pour(connector: Connector[Engine], descriptor: int, wish: Wish) -> None:
    """Export to a pipe, or to what stdout was led into.

    Args:
        connector: The profile's engine.
        descriptor: Its descriptor, which is left open.
        wish: What is exported: one table, or a query.

    Raises:
        OutputLost: Who reads has left, or the disk is full: it is not whole.
    """
    with one_moment(connector) as moment:
        [readable] = wish.chosen(moment)
        try:
            with os.fdopen(os.dup(descriptor), "wb", buffering=0) as file:
                with packing.Sink(file, wish.form.compression) as sink:
                    _write(moment, readable, wish.form, sink.write, lambda rows: report(rows, None, "rows", "export"))
                    sink.close()
                packing.wait_for_reader(file)
        except BrokenPipeError as error:
            raise OutputLost("who reads the rows has left before their end: they are not whole") from error
        except OSError as error:
            if error.filename is not None:
                raise
            raise OutputLost(f"the rows can't be written: {error.strerror}: they are not whole") from error


class _Exporting:
    """Writes what was chosen to hidden files, several at a time where that is wanted.

    Args:
        moment: The moment that is read.
        wish: What is exported.
        work: The directory of the hidden files.
    """

    def __init__(self, moment: Moment, wish: Wish, work: Path) -> None:
        self._moment, self._wish, self._work = moment, wish, work
        self._rows: dict[int, int] = {}
        self._failed = False

    def all(self, what: Sequence[tuple[Readable, Path]]) -> Sequence[Exported]:
        """Write all, and return what there is in the files."""
        jobs = min(self._wish.jobs, len(what))
        todo = iter(list(enumerate(what)))
        done: dict[int, Exported] = {}

        def work(moment: Moment) -> None:
            for number, (readable, path) in todo:
                if self._failed:
                    return
                done[number] = self._one(moment, number, readable, path)

        if jobs > 1:
            if not self._moment.backend.reads_with_jobs or self._moment.snapshot is None:
                title = self._moment.backend.title
                raise UsageError(f"{title} has no moment that several sessions could read", "leave --jobs out")
            self._by_several(work, jobs)
        else:
            work(self._moment)
        return [done[number] for number in range(len(what))]

    def _by_several(self, work: Callable[[Moment], None], jobs: int) -> None:
        """Have several threads draw from the same list; where one fails the others stop after their table."""

        def job() -> None:
            try:
                with self._moment.another() as moment:
                    work(moment)
            except BaseException:
                self._failed = True
                raise

        with ExitStack() as stack:
            running: list[Future[None]] = [started(job) for _ in range(jobs)]
            stack.callback(lambda: [one.exception() for one in running])  # the files are theirs until then
            for one in running:
                result_of(one)

    def _one(self, moment: Moment, number: int, readable: Readable, path: Path) -> Exported:
        began = time.monotonic()
        made = self._work / str(number)
        made.touch(mode=0o600)

        def tell(rows: int) -> None:
            self._rows[number] = rows
            report(sum(self._rows.values()), None, "rows", readable.called)

        with made.open("wb") as file, packing.Sink(file, self._wish.form.compression) as sink:
            rows = _write(moment, readable, self._wish.form, sink.write, tell)
            size, sha256 = sink.close()
        files.sync(made)
        seconds = round(time.monotonic() - began, 3)
        return Exported(readable.called, str(path), rows, size, seconds, sha256)


def _write(
    moment: Moment, readable: Readable, form: Form, write: Callable[[bytes], None], tell: Callable[[int], None]
) -> int:
    """Write rows in a format, by the server itself where it can, and return how many there are."""
    selection = readable.selection
    writer = writer_for(form, selection.columns, write)
    if form.delimited:
        csv, telling = form.format == "csv", _Telling(readable.called, write)
        rows = moment.backend.copy_out(moment.connection, selection, telling.write, csv=csv, null=form.null)
        if rows is not None:
            tell(rows)
            return rows
    count = 0

    def take(columns: Columns) -> None:
        nonlocal count
        raise_if_ended()
        writer.rows(columns)
        count += len(columns[0])
        tell(count)

    moment.backend.read_rows(moment.connection, selection, take)
    writer.end()
    return count


class _Telling:
    """Tells how many bytes the server has written, where nobody counts its rows before the end."""

    def __init__(self, table: str, write: Callable[[bytes], None]) -> None:
        self._table, self._write, self._bytes = table, write, 0

    def write(self, part: bytes) -> None:
        """Write what has come."""
        self._write(part)
        self._bytes += len(part)
        report(self._bytes, None, "bytes", self._table)


def _file_name(readable: Readable, form: Form) -> str:
    plain = "".join(f"%{ord(one):02X}" if one in "/%\0" else one for one in readable.called)
    return (f"%2E{plain[1:]}" if plain.startswith(".") else plain) + form.ending


def _manifest_beside(target: Path, wish: Wish) -> Sequence[Path]:
    if not wish.manifest:
        return []
    return [target / ENDING.lstrip(".") if target.is_dir() else target.with_name(target.name + ENDING)]


def _refuse_existing(path: Path, *, replace: bool) -> None:
    if replace and os.path.lexists(path) and not path.is_file():
        raise UsageError(f"{path} is no file, and is not replaced", "leave FILE out, and lead stdout there")
    if not replace and os.path.lexists(path):
        raise UsageError(f"{path} is there already, and is not replaced", "say --replace, or name another")


def _publish(directory: Path, pairs: list[tuple[Path, Path]], *, replace: bool) -> None:
    with files.alone_in(directory):
        if not replace:
            files.publish(pairs)
            return
        for made, path in pairs:
            made.replace(path)
        files.sync_directory(directory)
