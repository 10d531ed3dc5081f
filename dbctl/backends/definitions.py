"""How a database writes down what was declared: indexes, types and sequences in its own words.

Two declarations mean the same where the database makes the same of them. So what a model declares is held against what
is there by declaring it once more, in a temporary table that nobody else sees, and reading both back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.base import Backend
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, ForeignKeyConstraint, Table
    from sqlalchemy import Sequence as SQLSequence
    from sqlalchemy.engine import Inspector


@record
class Definition:
    """An index, or a constraint that is kept by one, as the database writes it.

    Args:
        text: The definition, without the names of itself and of its table.
        plain: Whether it is of columns alone, in the way that is usual here.
        constraint: Whether it is a constraint, and dropped as one.
        expressions: What it is computed of, and its condition, each as it stands in `text`.
    """

    text: str
    plain: bool
    constraint: bool = False
    expressions: Sequence[str] = ()

    def worded(self, words: Mapping[str, str]) -> str:
        """Return the definition with other words for its expressions, as far as there are some."""
        text = self.text
        for one in sorted(self.expressions, key=len, reverse=True):
            text = text.replace(one, words.get(one, one))
        return text


@record
class EnumType:
    """A type of its own that has members, in their order."""

    schema: str | None
    name: str
    members: Sequence[str]


class Definitions(Backend):
    """The part of a backend that reads definitions; each database's own answers are overrides."""

    scratch_create: ClassVar[str] = "CREATE TEMPORARY TABLE"
    """What creates a table that only this session sees, and that hides one of the same name."""
    scratch_schema_named: ClassVar[bool] = False
    """Whether such a table is in the schema of the one that it hides; in a schema of the session's own where not."""
    scratch_nested: ClassVar[bool] = True
    """Whether such a table goes with a savepoint that is rolled back; where not it is dropped."""

    rewords: ClassVar[bool] = False
    """Whether what it says of an expression would be said in other words still, were it declared in those words."""

    def scratch_schema(self, connection: Connection, schema: str | None) -> str | None:
        """Return the schema in which the session's temporary tables are found.

        Args:
            connection: The session.
            schema: The schema of the table that is hidden.
        """
        return schema

    def others_tables(self, connection: Connection, schema: str | None) -> Collection[str]:
        """Return the tables of a schema that are no service's own: an extension's, or parts of others."""
        return ()

    def index_definitions(
        self, inspector: Inspector, schema: str | None, table: str | None = None
    ) -> Mapping[str, Mapping[str, Definition]]:
        """Return the indexes and unique constraints by their names, by their tables; without primary keys.

        Args:
            inspector: Of the connection that is asked.
            schema: The schema, or None for the default one.
            table: The one table to ask about; all of the schema unless given.
        """
        raise NotImplementedError

    def unreflected_indexes(self, inspector: Inspector, schema: str | None, table: str) -> Collection[str]:
        """Return the names of a table's indexes that SQLAlchemy can't reflect, and may warn of."""
        return ()

    def expression_text(self, expression: str) -> str:
        """Return what the database tells of an expression, of several ways to write the same in one."""
        return expression

    def understood(self, connection: Connection, named: str, expression: str) -> str | None:
        """Return an expression in one form for all words of the same meaning, where the database `rewords`.

        Args:
            connection: The connection.
            named: The table of whose columns it is, as SQL.
            expression: The expression; None is returned where the table can't have it.
        """
        return expression

    def is_made_for_key(self, name: str, text: str, keys: Collection[ForeignKeyConstraint]) -> bool:
        """Tell whether an index that nobody declared is there for a foreign key alone."""
        return False

    def enum_types(self, inspector: Inspector) -> Mapping[tuple[str | None, str], EnumType] | None:
        """Return the types that have members, by schema and name; None where a column's own type has them."""
        return None

    def enum_statements(
        self,
        connection: Connection,
        named: tuple[str | None, str],
        have: Sequence[str] | None,
        want: Sequence[str] | None,
        dropped: Collection[str] = (),
    ) -> Sequence[str]:
        """Return what makes one type with members of another.

        Args:
            connection: Where it is.
            named: The type's schema, None for the default one, and its name.
            have: The members that it has; None where it is not there.
            want: Those that it shall have; None where it shall not be there.
            dropped: The names of constraints and indexes that are dropped before that.
        """
        return ()

    def scratch_enum(self, connection: Connection, declared: EnumType, found: EnumType | None) -> Sequence[str]:
        """Return what makes a type as a model declares it, for a temporary table; all of it is rolled back.

        Args:
            connection: Where.
            declared: The type, with the schema that the model says, if any.
            found: The one that is there.
        """
        return ()

    def computed_of(self, connection: Connection, schema: str | None, table: str, column: str) -> Sequence[str]:
        """Return the columns that are computed of one, and that can't stay while that gets another type."""
        return ()

    def retyping(self, connection: Connection, column: str, have: str, want: str) -> Mapping[str, Any]:
        """Return what alembic is to be told beside a column's new type; nothing where its values are so converted.

        Args:
            connection: In a transaction; nothing is left there.
            column: The column as SQL.
            have: The type that it has, as SQL.
            want: The one that it is to have.
        """
        return {}

    def rebuild_statements(self, connection: Connection, models: Sequence[Table]) -> Sequence[str]:
        """Return what puts tables in the place of those that are there, with their rows, where they can't be altered.

        Args:
            connection: Nothing is run on it but what has to be looked up.
            models: The tables as they shall be.
        """
        raise NotImplementedError

    def sequences(self, connection: Connection, schema: str | None) -> Mapping[str, str] | None:
        """Return the sequences that are no column's own, and what is said of each; None where there is no such thing.

        `scratch_sequence` says the same of a declared one.
        """
        return None

    def scratch_sequence(self, connection: Connection, sequence: SQLSequence) -> str:
        """Return what the database would say of a sequence."""
        raise NotImplementedError

    def sequence_statement(self, quoted: str, said: str) -> str:
        """Return what has a sequence count in another way, from where it is.

        Args:
            quoted: Its name as SQL.
            said: What `scratch_sequence` says of it as it shall be.
        """
        raise NotImplementedError

    def alter_column_statement(self, connection: Connection, column: Column[Any]) -> str | None:
        """Return what makes a column all that a model declares; None where each property is altered by itself."""
        return None

    def identity_statement(self, quoted: tuple[str, str], options: Sequence[str]) -> str:
        """Return what makes a column's identity count in another way.

        Args:
            quoted: The names of table and column as SQL.
            options: ALWAYS or BY DEFAULT, and then those of its sequence, each as SQL.
        """
        raise NotImplementedError

    def autoincrement_statements(self, table: Table, column: Column[Any], quoted: tuple[str, str]) -> Sequence[str]:
        """Return what makes a column number its rows by itself, where that is no part of its type.

        Args:
            table: The column's table.
            column: The column.
            quoted: The names of table and column as SQL.
        """
        return ()
