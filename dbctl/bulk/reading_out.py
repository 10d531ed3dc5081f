"""One moment of a database, and what of it is read in bulk: tables by their names, all of them, or a query."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dbctl.backends.exports import Selection
from dbctl.backends.inventory import Relation
from dbctl.backends.names import called, relation_named, unquoted
from dbctl.backups.running import unbounded
from dbctl.connections.connector import opened
from dbctl.errors import NotFound, UsageError
from dbctl.profiles.words import nearest
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.kinds import BulkColumn
    from dbctl.connections.connector import Connector

_log = logging.getLogger("dbctl")


@record
class Moment:
    """A connection whose transaction sees one moment of a database, and only reads.

    Args:
        connector: The profile's engine, whose statements take as long as they take.
        connection: The connection.
        snapshot: What other connections may share the moment by; None where they can't.
        at: When that was, in UTC.
    """

    connector: Connector[Engine]
    connection: Connection
    snapshot: str | None
    at: datetime

    @property
    def backend(self) -> Bulk:
        """What differs between databases."""
        return self.connector.backend.bulk

    @contextmanager
    def another(self) -> Iterator[Moment]:
        """Have another connection that sees the same moment, for the block."""
        with _reading(self.connector, self.snapshot) as moment:
            yield moment


@contextmanager
def one_moment(connector: Connector[Engine]) -> Iterator[Moment]:
    """Have a moment of a profile's database for the block.

    Raises:
        ConnectError: The server can't be reached.
    """
    if connector.profile.statement_timeout is None:
        with _reading(connector) as moment:
            yield moment
        return
    with opened(unbounded(connector.profile)) as own, _reading(own) as moment:
        yield moment


@contextmanager
def _reading(connector: Connector[Engine], snapshot: str | None = None) -> Iterator[Moment]:
    backend = connector.backend.bulk
    with connector.engine.connect().execution_options(**backend.export_options) as connection:
        try:
            yield Moment(connector, connection, backend.begin_reading(connection, snapshot), datetime.now(UTC))
        finally:
            # What was set for the session is not to be found by whoever has it from the pool next.
            connection.invalidate()


@record
class Readable:
    """What is read in bulk.

    Args:
        schema: The table's schema, where there are several and it is not the first that is looked in.
        name: The table's name; "query" of a query.
        selection: Its rows.
    """

    schema: str | None
    name: str
    selection: Selection

    @property
    def called(self) -> str:
        """Its name, with the schema that it is not found without."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


def table(moment: Moment, name: str) -> Relation:
    """Return the table or view of a name, as `table` or `schema.table`.

    Raises:
        NotFound: There is none.
        Ambiguous: There are several, in schemas of their own.
    """
    return chosen(moment.backend, moment.connection, name)


def chosen(backend: Bulk, connection: Connection, name: str) -> Relation:
    """Return the table or view of a name on a connection, as `table` does."""
    place = f"{backend.profile.called}: {backend.profile.database}"
    return relation_named(connection, backend, name, place=place)


def name_there(moment: Moment, backend: Bulk, relation: Relation) -> str:
    """Return what a table is called in another database: without its schema where such a database has none."""
    return called(relation, usual_schema(moment.connection)) if backend.has_schemas else relation.name


def like(moment: Moment, backend: Bulk, connection: Connection, relation: Relation) -> Relation:
    """Return the table of another database that has a table's name; without its schema where it has no such schema.

    Args:
        moment: The table's.
        backend: That of the other database.
        connection: A connection to that.
        relation: The table.

    Raises:
        NotFound: There is none.
    """
    name = called(relation, usual_schema(moment.connection))
    try:
        return chosen(backend, connection, name)
    except NotFound:
        if (there := name_there(moment, backend, relation)) == name:
            raise
        return chosen(backend, connection, there)


def usual_schema(connection: Connection) -> str | None:
    """Return the schema whose tables are found without it."""
    from sqlalchemy import inspect

    return inspect(connection).default_schema_name


def foreign_keys(moment: Moment, relation: Relation) -> Sequence[Any]:
    """Return a table's foreign keys as SQLAlchemy's inspector does, each that somebody has made once."""
    from sqlalchemy import inspect

    inner = moment.backend.inner_keys(moment.connection, relation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
        found = inspect(moment.connection).get_foreign_keys(relation.name, relation.schema)
    return [one for one in found if one["name"] not in inner]


def all_tables(moment: Moment, exclude: Sequence[str] = ()) -> Sequence[Relation]:
    """Return all tables that have rows of their own; a partitioned one as a whole.

    Args:
        moment: Whose.
        exclude: Those that are left out, by names as `table` or `schema.table`, or patterns of such.

    Raises:
        UsageError: None is called so.
    """
    stored = moment.backend.backups.stored(moment.connection)
    left = {(one.schema, one.name) for one in stored if one.part_of or one.elsewhere or one.refreshed}
    own = {(one.schema, one.name) for one in stored} | {(None, one.name) for one in stored if one.schema is None}
    held = moment.backend.held(moment.connection)
    left |= {(None, name) for name in held}
    own |= {(None, owner) for owner in held.values() if owner}
    roots = {one.part_of for one in stored if one.part_of}
    found = [
        one
        for one in moment.backend.catalog.inventory(moment.connection, None)
        if f"{one.schema}.{one.name}" in roots
        or any(key in own and key not in left for key in ((one.schema, one.name), (None, one.name)))
    ]
    return _without(found, exclude, usual_schema(moment.connection)) if exclude else found


def _without(relations: Sequence[Relation], exclude: Sequence[str], usual: str | None) -> Sequence[Relation]:
    names = {one: (called(one, usual), f"{one.schema}.{one.name}") for one in relations}
    patterns = list(map(unquoted, exclude))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for both in names.values() for name in both):
            meant = nearest(pattern, [name for name, _ in names.values()])
            raise UsageError(f"--exclude {pattern}: no table is called so", meant)
    return [
        one
        for one, both in names.items()
        if not any(fnmatchcase(name, pattern) for pattern in patterns for name in both)
    ]


def rows_of(moment: Moment, relation: Relation, *, where: str = "") -> Readable:
    """Return all rows of a table, or some, with the columns that somebody can write."""
    columns = writable(moment.backend.table_columns(moment.connection, relation))
    schema = None if relation.schema == usual_schema(moment.connection) else relation.schema
    return Readable(schema, relation.name, moment.backend.selected(relation, columns, where=where))


def tell_of_hidden(moment: Moment, relations: Sequence[Relation]) -> None:
    """Warn of tables of which a policy may keep rows from who reads them, who can't know that any are lacking."""
    hidden = moment.backend.kept_from_view(moment.connection)
    usual = usual_schema(moment.connection)
    if names := [called(one, usual) for one in relations if (one.schema or usual, one.name) in hidden]:
        text = "%s: rows that policies (row-level security) hide from this user are not read"
        _log.warning(text, ", ".join(names))


def writable(columns: Sequence[BulkColumn]) -> Sequence[BulkColumn]:
    """Return the columns that the database does not compute."""
    return [one for one in columns if not one.generated]


def declared(backend: Bulk, columns: Sequence[BulkColumn]) -> Sequence[BulkColumn]:
    """Return the columns without the key that a server has given their table by itself, because nobody declared one."""
    return [one for one in columns if not (one.invisible and one.name == backend.made_up_key)]


def rows_of_query(moment: Moment, query: str) -> Readable:
    """Return the rows of a query that somebody has written.

    Raises:
        WorkRefused: The database refuses it, as where it writes.
    """
    return Readable(None, "query", moment.backend.of_query(moment.connection, query.rstrip().rstrip(";")))
