"""What a table asks of its database when rows come from another one: its foreign keys, and types for their values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.exact import Exact
from dbctl.backends.kinds import BYTES, BulkColumn, Kind
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

    from dbctl.backends.inventory import Relation


PLACES = "dbctl_copy"
"""The table in which a copy by ranges keeps how far each table has come, in the database that it comes into."""


@record
class OwnType:
    """A type that somebody has made in a database, as another one of the same kind has it.

    Args:
        sql: What a column is declared as there.
        schema: The schema that has to be there for it; None for the usual one.
        creates: The SQL that creates it; "" where there is nothing to create.
    """

    sql: str
    schema: str | None = None
    creates: str = ""


class Copies:
    """The part of a backend that takes tables from another database; each database's own way is an override."""

    takes_jobs: ClassVar[bool] = True
    """Whether several sessions can write to it at a time."""
    has_schemas: ClassVar[bool] = False
    """Whether a database has schemas, in which tables are."""
    counts_by_key: ClassVar[bool] = False
    """Whether each primary key that is one whole number is given by itself where it is left out."""
    index_names_of_tables: ClassVar[bool] = False
    """Whether each table has names of its indexes for itself."""
    keys_of_one_type: ClassVar[bool] = False
    """Whether a column refers only to one of its very type."""
    creates_whole: ClassVar[bool] = False
    """Whether it commits each table that is created, so that its indexes and keys are to be part of that."""
    defers_keys: ClassVar[bool] = False
    """Whether a foreign key can be looked at in the end of a transaction."""
    includes_columns: ClassVar[bool] = False
    """Whether an index can have columns beside those that it sorts by."""
    pads_char: ClassVar[bool] = False
    """Whether blanks at the end of a CHAR mean nothing to it, which adds or leaves them out."""
    counted_type: ClassVar[str] = "{}"
    """What a column is declared as whose numbers the database gives by itself; `{}` is its type."""
    numbers_only: ClassVar[str] = "a primary key of one column"
    """What columns the database gives numbers to by itself, where not to all."""

    @contextmanager
    def keys_at_end(self, connection: Connection, relations: Sequence[Relation]) -> Iterator[None]:
        """Have the foreign keys of some tables checked at the block's end, and not with each row.

        Args:
            connection: The connection, in a transaction.
            relations: The tables whose keys refer to others or to each other.

        Raises:
            BrokenReference: A row refers to none.
        """
        yield

    def type_for(self, column: BulkColumn) -> str:
        """Return the type of this database that a column of another one gets."""
        raise NotImplementedError

    def own_types(
        self, source: Connection, connection: Connection, columns: Sequence[BulkColumn]
    ) -> Mapping[str, OwnType]:
        """Return what types that somebody has made in another database of this kind become in this one.

        Args:
            source: A connection to the other database.
            connection: A connection to this one, which may have such types too.
            columns: Columns of the other one.

        Returns:
            Those of these columns, by their types' own words.
        """
        return {}

    def table_options(self, connection: Connection) -> str:
        """Return what stands behind the columns of a table that is created, so that it takes all characters."""
        return ""

    def without_rollback(self, connection: Connection, relations: Sequence[Relation]) -> Mapping[Relation, str]:
        """Return those of some tables from which no ROLLBACK takes rows again, and the engine of each."""
        return {}

    def inner_keys(self, connection: Connection, relation: Relation) -> Collection[str]:
        """Return the names of a table's foreign keys that nobody has made: to parts of one that it refers to."""
        return ()

    def type_in_key(self, type_: str, collations: Collection[str]) -> str:
        """Return the type that such a column gets where it is in a key or an index.

        Args:
            type_: What `type_for` has returned.
            collations: Those that there are, where all texts have to be told apart; else none.
        """
        return type_

    def counted(self, type_: str, reflected: Mapping[str, Any]) -> str:
        """Return what a column of a type is declared as whose numbers the database gives by itself.

        Args:
            type_: The type.
            reflected: What SQLAlchemy's inspector says of it in another database of this kind; nothing of another kind.
        """
        return self.counted_type.format(type_)

    def hidden(self, dialect: Dialect, *, required: bool) -> str:
        """Return what stands behind a column's declaration so that it is invisible; "" where it can't be.

        Args:
            dialect: That of a connection.
            required: Whether each row needs a value of it, and it has no default.
        """
        return ""

    def numbered(
        self, columns: Sequence[str], primary: Sequence[str], keys: Sequence[Sequence[str | None]]
    ) -> Sequence[str]:
        """Return those of some columns of a table to which this database can give numbers by itself.

        Args:
            columns: Columns to which another database does.
            primary: The columns of the table's primary key.
            keys: Those of its further keys and indexes; an expression as None.
        """
        return [name for name in columns if [name] == list(primary)]

    def collations(self, connection: Connection, relation: Relation) -> Mapping[str, str]:
        """Return the collations that a table's columns have for themselves, as SQL, by the columns' names."""
        return {}

    def known_collations(self, connection: Connection) -> Collection[str]:
        """Return the collations that a column can have, as SQL."""
        return ()

    def key_literal(self, column: BulkColumn, value: str) -> str:
        """Return the text of a column's value as SQL."""
        if column.kind in {Kind.INTEGER, Kind.DECIMAL}:
            return value
        if column.kind is Kind.BYTES:
            return f"x'{value.removeprefix(BYTES)}'"
        return "'" + value.replace("'", "''") + "'"

    def prepare_masks(self, connection: Connection) -> None:
        """Have on a connection that is read what masks by its SQL."""

    def mask_digest(self, value: str, key: str) -> str:
        """Return the SQL of 64 hexadecimal digits of a value and a key; NULL of NULL.

        Args:
            value: The SQL of the value.
            key: The key, which has letters and digits alone.
        """
        raise NotImplementedError

    def mask_number(self, digest: str, at: int, digits: int) -> str:
        """Return the SQL of the whole number that some digits of a digest are, from a place counted from 1."""
        raise NotImplementedError

    def mask_uuid(self, digest: str) -> str:
        """Return the SQL of a UUID of a digest."""
        return f"substr({digest}, 1, 32)"

    def joined(self, parts: Sequence[str]) -> str:
        """Return the SQL of several texts in one."""
        return " || ".join(f"({part})" for part in parts)

    def digits_of_seconds(self, column: BulkColumn) -> int:
        """Return how many digits behind its seconds a column of this database has at most."""
        return 6

    def stores_the_same(self, column: BulkColumn, own: BulkColumn) -> bool:
        """Tell whether a column stores whatever another database of this kind has stored in one of its own.

        Where it does, no text is made of values, whose types no column tells: they are read and written as they are.
        """
        return False

    def exact(self, column: BulkColumn) -> Exact | None:
        """Return which values of a column's kind it keeps as they are; None where it refuses all others by itself."""
        return None

    def keeps(self, column: BulkColumn, own: BulkColumn) -> bool:
        """Tell whether a column of this database has room for each value of the same kind that another's has.

        It may be less precise, and round what it is given without a word.
        """
        return True
