"""Reading tables and queries in bulk, as the texts that all databases and files have in common.

The manual's page `formats` says how each kind of value is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.copies import Copies
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.errors import NotFound, UsageError
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation

Texts = Sequence[str | None]
"""The values of one column in some rows, one after the other; None is NULL."""


class Number(str):
    """The text of a number in a column whose type does not say that it has such: JSON has it as one."""

    __slots__ = ()


class Numerals(list[str | None]):
    """Values of a column that are digits, and whatever else a number has: none that a format would have to quote."""

    __slots__ = ()


Take = Callable[[Sequence[Texts]], None]
"""What takes some rows, column by column: whatever is done to them is done to a column of one kind at a time."""

BATCH = 2000
"""Rows that are read at a time."""


@record
class Selection:
    """Rows that are read.

    Args:
        query: The SQL of the query, without a semicolon, whose columns are these in this order.
        columns: The columns.
    """

    query: str
    columns: Sequence[BulkColumn]


class Exports(Copies):
    """The part of a backend that reads in bulk; each database's own way is an override."""

    export_options: ClassVar[Mapping[str, Any]] = {}
    """The execution options of a connection that reads in bulk."""
    has_bare_tables: ClassVar[bool] = False
    """Whether a table may have rows without columns."""
    reads_with_jobs: ClassVar[bool] = False
    """Whether several connections can read the same moment."""
    type_kinds: ClassVar[Sequence[tuple[str, Kind]]] = ()
    """Regular expressions for a type in the server's own words, and the kinds of its values; the first that fits."""

    def begin_reading(self, connection: Connection, snapshot: str | None = None) -> str | None:
        """Begin a transaction that sees one moment and only reads, in a session that writes texts as files have them.

        Args:
            connection: A connection with the `export_options`.
            snapshot: What this has returned for another connection, whose moment it is to be.

        Returns:
            What others may share the moment by, where they can.
        """
        raise NotImplementedError

    def set_texts(self, connection: Connection) -> None:
        """Have a connection's transaction write values as files have them, whatever is set for the session."""

    def checksum(self, connection: Connection, selection: Selection) -> tuple[int, int] | None:
        """Return how many rows there are, and a sum over all that is in them which does not depend on their order.

        Two servers of one kind say the same of the same rows; None where the database has no such function.
        """
        return None

    def kind_of(self, type_: str) -> Kind:
        """Return the kind of the values of a type in the server's own words."""
        return next((kind for words, kind in self.type_kinds if re.match(words, type_, re.IGNORECASE)), Kind.OTHER)

    def table_columns(self, connection: Connection, relation: Relation) -> Sequence[BulkColumn]:
        """Return the columns of a table or view, those too that the database computes."""
        raise NotImplementedError

    def query_columns(self, connection: Connection, query: str) -> Sequence[BulkColumn]:
        """Return the columns of a query, of which no row is read."""
        raise NotImplementedError

    def held(self, connection: Connection) -> Mapping[str, str | None]:
        """Return the tables in which others keep what is theirs.

        Returns:
            Each with the one whose rows are read in its place; None where that has no rows of its own.
        """
        return {}

    def kept_from_view(self, connection: Connection) -> Collection[tuple[str, str]]:
        """Return the schema and the name of each table of which a policy may keep rows from who asks."""
        return ()

    def behind_from(self, relation: Relation) -> str:
        """Return a table as it stands behind FROM: for its own rows, and not those of tables that inherit from it."""
        names = filter(None, (relation.schema, relation.name))
        return ".".join(map(self.sql_name, names))

    def sql_name(self, name: str) -> str:
        """Return a name as an identifier in SQL."""
        return '"' + name.replace('"', '""') + '"'

    def text_of(self, column: BulkColumn) -> str:
        """Return the SQL that reads a table's column so that its text is the one that files have."""
        return self.sql_name(column.name)

    def selected(
        self,
        relation: Relation,
        columns: Sequence[BulkColumn],
        *,
        where: str = "",
        instead: Mapping[str, str] | None = None,
    ) -> Selection:
        """Return some columns of a table as a selection.

        Args:
            relation: The table.
            columns: The columns.
            where: What stands behind WHERE; all rows if there is nothing.
            instead: The SQL that is read in the place of a column, by its name.

        Raises:
            NotFound: There are none, and the database has no rows without.
        """
        if not columns and not self.has_bare_tables:
            raise NotFound(f"{relation.name} has no column that the database does not compute", "leave it out")
        read = {one.name: self.text_of(one) for one in columns} | dict(instead or {})
        named = ", ".join(f"{read[one.name]} AS {self.sql_name(one.name)}" for one in columns)
        condition = f" WHERE {where}" if where else ""
        return Selection(f"SELECT {named} FROM {self.behind_from(relation)}{condition}", columns)

    def of_query(self, connection: Connection, query: str) -> Selection:
        """Return a query that somebody has written as a selection.

        Raises:
            UsageError: It has no columns, or two of one name.
            WorkRefused: The database refuses it.
        """
        columns = self.query_columns(connection, query)
        names = [one.name for one in columns]
        if again := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"the query has several columns {again}", "name them apart with AS")
        return Selection(query, columns)

    def read_rows(self, connection: Connection, selection: Selection, take: Take) -> None:
        """Hand over all rows, some at a time, in constant memory; what `take` raises ends it."""
        raise NotImplementedError

    def copy_out(
        self,
        connection: Connection,
        selection: Selection,
        write: Callable[[bytes], None],
        *,
        csv: bool,
        null: str | None,
    ) -> int | None:
        """Have the server itself write all rows as CSV, or as tab-separated text.

        Args:
            connection: The connection.
            selection: The rows.
            write: Takes what comes, part by part; what it raises ends it.
            csv: Whether it is CSV.
            null: What NULL is in it; None for what it is unless that is said.

        Returns:
            How many rows there are; None where the server does not, and nothing was written.
        """
        return None


@contextmanager
def result_of(connection: Connection, query: str) -> Iterator[Any]:
    """Run a query as it stands, and have its result, which is fetched as it is sent."""
    options = {"no_parameters": True, "stream_results": True, "max_row_buffer": BATCH}
    result = connection.exec_driver_sql(query, execution_options=options)
    try:
        yield result
    finally:
        result.close()


def run_as_it_stands(connection: Connection, statement: str) -> Any:
    """Run a statement that has no parameters, for a % in a name begins none either, and return its result."""
    return connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def hex_of(value: bytes) -> str:
    """Return bytes as files have them."""
    return f"\\x{value.hex()}"
