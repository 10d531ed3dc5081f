"""Importing files into a table, whole or not at all."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.backends.bulk import Delimited, Rows, Target
from dbctl.backends.exports import run_as_it_stands
from dbctl.bulk import sources
from dbctl.bulk.bad_rows import Bad
from dbctl.bulk.columns import Layout, Wanted, layout
from dbctl.bulk.forms import Form, form_of
from dbctl.bulk.loading import Loader
from dbctl.bulk.making import make_table
from dbctl.bulk.models import with_uuids
from dbctl.bulk.reading_delimited import Shape, delimited
from dbctl.bulk.reading_json import json_rows
from dbctl.bulk.reading_out import chosen, usual_schema
from dbctl.bulk.reading_parquet import parquet_rows
from dbctl.bulk.rejects import Rejects
from dbctl.bulk.rollbacks import refuse_without_rollback
from dbctl.bulk.terms import How, Imported, rows_in_words
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import UsageError
from dbctl.records import record
from dbctl.work.progress import report

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation
    from dbctl.backends.kinds import BulkColumn
    from dbctl.work.database import Database

_log = logging.getLogger(__name__)


Review = Callable[[Rows, Callable[[Bad], None]], Rows]
"""Takes rows as a file has them, tells those that can't be loaded, and returns what is made of the others."""


def import_files(
    database: Database, files: Sequence[str], table: str, how: How | None = None, review: Review | None = None
) -> Imported:
    """Load files into a table, in the session's transaction.

    Args:
        database: Where.
        files: The files, or - for standard input.
        table: The table, with its schema before it where that is not the default one.
        how: How they are read and loaded.
        review: What a service makes of the rows before they are loaded.

    Raises:
        UsageError: A file is not there, or its columns are not the table's.
        NotFound: There is no such table.
        ConfigError: A model can't be imported, and the table has what may be UUIDs.
        WorkRefused: A row can't be loaded; the message says which one, and why. Or the table has no transactions.
        BrokenReference: A row refers to none, where keys are looked at when all are there.
    """
    how = how or How()
    forms = [known_form(name, how) for name in files]
    connection, backend = database.session.connection(), database.backend.bulk
    if how.create:
        make_table(database, table, [(name, form.format) for name, form in zip(files, forms, strict=True)])
    relation = _writable(chosen(backend, connection, table))
    refuse_without_rollback(backend, connection, [relation])
    there = backend.table_columns(connection, relation)
    columns = with_uuids(database.profile, relation, usual_schema(connection), there)
    key = _key(connection, relation, how)
    target = Target(relation.schema, relation.name, (), how.conflict, key, how.strict, exact=how.strict)
    with ExitStack() as held:
        rejects = held.enter_context(Rejects(how.rejects, how.max_errors, masked=database.profile.protected))
        held.enter_context(backend.takes_rows(connection, strict=how.strict))
        if how.truncate:
            _empty(database, connection, relation, target)
        if how.defer_keys:
            held.enter_context(backend.keys_at_end(connection, [relation]))

        def take(bad: Bad) -> None:
            rejects.take(_explained(bad, columns, how) if review is None else bad)

        masked = database.profile.protected
        loader = Loader(connection, backend, target, bad=take, goes_on=how.max_errors > 0)
        for name, form in zip(files, forms, strict=True):
            with sources.opened(name, form.compression) as source:
                _load(source, form.format, how, loader, _Table(relation.name, columns, review, take, masked))
        if not database.dry_run:
            loader.conclude()
        rejects.conclude()
    return Imported(relation.name, loader.written, _skipped(loader, rejects.count, relation, how), rejects.count)


def _skipped(loader: Loader, rejected: int, relation: Relation, how: How) -> int:
    """Return how many rows were skipped for their keys, and tell of those that were kept from the table."""
    missing = loader.seen - loader.written - rejected
    if how.conflict == "skip" and loader.kept_out is None:
        _log.info("of %s some may have been left out by a trigger, and not for their keys", rows_in_words(missing))
        return missing
    kept_out = (loader.kept_out or 0) if how.conflict == "skip" else missing
    if kept_out:
        _log.info("a trigger or a rule kept %s from %s", rows_in_words(kept_out), relation.name)
    return missing - kept_out


def _explained(bad: Bad, columns: Sequence[BulkColumn], how: How) -> Bad:
    """Return a row with what is to be done where a column that the file lacks may not be NULL."""
    loaded = {how.renamed.get(name, name) for name in bad.names} | how.given.keys()
    lacking = {one.name for one in columns if not one.nullable} - loaded
    if bad.column not in lacking:
        return bad
    why = "the file lacks it, and the database has no default for it; a default of a model is Python's alone"
    why += " (give it in the file, or by --set): "
    return replace(bad, reason=why + bad.reason, bare=bad.bare and why + bad.bare)


def known_form(name: str, how: How) -> Form:
    """Return what a file is.

    Raises:
        UsageError: Its name does not tell, or something is said that is about another one.
    """
    form = form_of(None if name == sources.STDIN else Path(name), how.format)
    found = form.format
    if found not in {"csv", "tsv"}:
        said = {"--delimiter": how.delimiter, "--null": how.null, "--skip": how.skip or None, "--columns": how.columns}
        if option := next((option for option, value in said.items() if value is not None), None):
            raise UsageError(f"{option} is about CSV and TSV, and {name} is {found}", "leave it out")
    return form


def _writable(relation: Relation) -> Relation:
    if relation.kind not in {"table", "partitioned table", "foreign table", "virtual table"}:
        raise UsageError(f"{relation.name} is a {relation.kind}", "name a table")
    return relation


def _key(connection: Connection, relation: Relation, how: How) -> Sequence[str]:
    """Return the columns of the key by which a row is there already.

    Raises:
        UsageError: There is no primary key, or no unique one of the columns that were named.
    """
    if how.conflict == "error":
        return ()
    from sqlalchemy import inspect

    inspector = inspect(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
        primary = inspector.get_pk_constraint(relation.name, relation.schema)["constrained_columns"]
    if not how.key:
        if not primary:
            raise UsageError(f"{relation.name} has no primary key", "name the columns of a unique one with --key")
        return primary
    unique: list[Sequence[str | None]] = [primary]
    unique += [one["column_names"] for one in inspector.get_unique_constraints(relation.name, relation.schema)]
    unique += [
        one["column_names"]
        for one in inspector.get_indexes(relation.name, relation.schema)
        if one["unique"] and not one.get("dialect_options", {}).get("postgresql_where")
    ]
    if sorted(how.key) not in [sorted(filter(None, names)) for names in unique]:
        keys = "; ".join(sorted({", ".join(filter(None, names)) for names in unique if names}))
        raise UsageError(
            f"{', '.join(how.key)} is no unique key of {relation.name}", f"these are: {keys}" if keys else ""
        )
    return how.key


def _empty(database: Database, connection: Connection, relation: Relation, target: Target) -> None:
    backend = database.backend.bulk
    referenced = bool(backend.catalog.references_there(connection, relation))
    quick = backend.empties_at_once and not referenced
    place = backend.place(target)
    run_as_it_stands(connection, f"TRUNCATE {place}" if quick else f"DELETE FROM {place}")


@record
class _Table:
    """The table, its columns, what is made of rows before they are loaded, and whether no value is told."""

    name: str
    columns: Sequence[BulkColumn]
    review: Review | None
    bad: Callable[[Bad], None]
    masked: bool


def _load(source: sources.Source, format_: str, how: How, loader: Loader, table: _Table) -> None:
    wanted = Wanted(how.renamed, how.given, table.masked)
    layouts: dict[tuple[str, ...], Layout] = {}
    drawn = _told(parts(source, format_, how), source, loader, table.name)
    for part in drawn:
        rows, ragged = (part, ()) if isinstance(part, Rows) or table.review is None else part.rows()
        if table.review is not None:
            assert isinstance(rows, Rows)
            before, rows = len(rows), table.review(rows, table.bad)
            loader.seen += before - len(rows)
        key = tuple(rows.names)
        if key not in layouts:
            layouts[key] = layout(source.name, key, wanted, table.name, table.columns)
        if isinstance(rows, Rows):
            loader.load(rows, layouts[key], ragged)
        else:
            lines: Any = chain([rows], drawn)  # and all behind the first ones are lines
            loader.load_lines(lines, layouts[key])


def _told(
    drawn: Iterator[Rows | Delimited], source: sources.Source, loader: Loader, table: str
) -> Iterator[Rows | Delimited]:
    """Yield what is drawn, and tell each time how far the work has come."""
    for part in drawn:
        raise_if_ended()
        yield part
        done = _position(source)
        if done is None:
            report(loader.seen, None, "rows", f"into {table}")
        else:
            report(done, source.size, "bytes", f"{loader.seen:,} rows into {table}")


def parts(source: sources.Source, format_: str, how: How) -> Iterator[Rows | Delimited]:
    """Yield what is in a file part by part, the first one for its columns, though there be no rows."""
    if format_ == "parquet":
        yield from parquet_rows(source)
        return
    stream = sources.Utf8(source, how.encoding)
    if format_ in {"json", "jsonl"}:
        yield from json_rows(stream, source.name, lines=format_ == "jsonl")
        return
    shape = Shape(
        source.name,
        format_,
        how.delimiter or ("," if format_ == "csv" else "\t"),
        how.null if how.null is not None else ("" if format_ == "csv" else r"\N"),
        how.skip,
        how.columns,
    )
    names, lines = delimited(stream, shape)
    yield Rows(source.name, names, [], [()] * len(names))
    yield from lines


def _position(source: sources.Source) -> int | None:
    try:
        return int(source.file.tell()) if source.size is not None else None
    except OSError:
        return None
