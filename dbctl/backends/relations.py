"""What a database has already, under which name, and what it can add to that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData

TABLE = "table"
"""The kind of a relation that holds rows of its own."""


class Relations:
    """The part of a backend that looks at what is there; each database's own answers are overrides."""

    adds_constraints: ClassVar[bool] = True
    """Whether constraints can be added to a table that is there, and dropped."""
    made_up_key: ClassVar[str | None] = None
    """The column that some servers give a table by themselves as its primary key, where nobody declares one."""

    def is_made_up(
        self, connection: Connection, models: Iterable[MetaData], column: str | None, parents: Mapping[str, Any]
    ) -> bool:
        """Tell whether a column is a key that the server has given its table by itself, and no model declares it.

        Args:
            connection: The connection.
            models: What the models declare.
            column: The column's name.
            parents: What alembic's name filters are told of its table.
        """
        if column is None or column != self.made_up_key:
            return False
        schema, name = parents["schema_name"], parents["table_name"]
        places = {(schema, name), (schema or connection.dialect.default_schema_name, name)}
        tables = (table for each in models for table in each.tables.values() if column in table.columns)
        declared = any((table.schema, table.name) in places for table in tables)
        return not declared and self.has_made_up_key(connection, schema, name)

    def has_made_up_key(self, connection: Connection, schema: str | None, table: str) -> bool:
        """Tell whether the server has given a table its primary key by itself, in a column that nobody sees."""
        return False

    def relations(self, connection: Connection, schema: str | None) -> Mapping[str, str]:
        """Return what takes up the names of a schema, or of the default one: the kind by the name.

        Whatever SQLAlchemy's `has_table` counts is in it, and nothing that a table could not be named as.
        """
        from sqlalchemy import inspect

        inspector = inspect(connection)
        found = dict.fromkeys(inspector.get_view_names(schema), "view")
        with suppress(NotImplementedError):
            found |= dict.fromkeys(inspector.get_temp_table_names(), "temporary table") if schema is None else {}
        return found | dict.fromkeys(inspector.get_table_names(schema), TABLE)

    def other_schemas(self, connection: Connection) -> Sequence[str]:
        """Return the schemas that are no system's own, but for the default one; none where a database has but that."""
        return ()

    def name_folder(self, connection: Connection) -> Callable[[str], str]:
        """Return what makes one name of all that the database takes for the same."""
        return str

    def server_title(self, connection: Connection) -> str:
        """Return the name by which people know the database that answers."""
        return self.title  # type: ignore[attr-defined, no-any-return]

    def before_drops(self, connection: Connection) -> None:
        """Have the tables of one transaction dropped in whatever order, where the database minds."""

    def ddl_hint(self, error: BaseException, *, drops: bool) -> str:
        """Return what to do about a driver's error of DDL, where there is more to it than what was refused.

        Args:
            error: The driver's error.
            drops: Whether tables were to be dropped, which can be done in several transactions.
        """
        return ""

    def failed_line(self, error: BaseException, statement: str) -> int | None:
        """Return in which line of a statement, from 1, a driver's error is, where the database tells it."""
        return None
