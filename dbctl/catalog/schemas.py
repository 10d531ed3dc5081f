"""All that a database's schemas are made of, part by part, in the database's own words: what two of them are held by.

A name is without the schema that names without one lead to: that is another one for each tenant where each has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dbctl.backends.copies import PLACES
from dbctl.backends.inventory import Relation, foreign_key_text
from dbctl.backends.lock_statements import TABLE as LOCKS
from dbctl.backends.relations import TABLE
from dbctl.catalog.description import column_text
from dbctl.drift.facts import checks_of, facts_of_reflected, uniques_of

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import Inspector

    from dbctl.backends.base import Backend

Part = tuple[str, str]
"""A table, a type or a sequence, and which of its parts, as in `dbctl.drift.state.Difference`."""


def parts_of(
    connection: Connection, backend: Backend, ignore: Sequence[str] = (), *, own_schema: bool = False
) -> dict[Part, str]:
    """Return what there is in a database, but for rows: each part with what the database says of it.

    Args:
        connection: Where; nothing is written.
        backend: Its backend.
        ignore: Patterns (`fnmatch`) of the names of tables, types and sequences, with their schema or without.
        own_schema: Whether only the schema is looked at that names without one lead to.
    """
    from sqlalchemy import inspect

    inspector = inspect(connection)
    found: dict[Part, str] = {}
    for schema in [None, *(() if own_schema else backend.other_schemas(connection))]:
        reading = _Reading(connection, backend, inspector, schema)
        found |= {part: text for part, text in reading.parts() if not _ignored(part[0], ignore)}
    return found


def _ignored(name: str, patterns: Sequence[str]) -> bool:
    names = {name, name.rpartition(".")[2]}
    return any(fnmatchcase(each, pattern) for each in names for pattern in patterns)


class _Reading:
    """Reads one schema, None for the default one; what can be is asked for all of its tables at once."""

    def __init__(self, connection: Connection, backend: Backend, inspector: Inspector, schema: str | None) -> None:
        self._connection, self._backend, self._inspector, self._schema = connection, backend, inspector, schema
        self._place = schema or connection.dialect.default_schema_name
        others = {*backend.catalog.others_tables(connection, schema), LOCKS, PLACES}
        kinds = backend.relations(connection, schema)
        self._kinds = {name: kind for name, kind in sorted(kinds.items()) if name not in others}
        self._tables = [name for name, kind in self._kinds.items() if kind == TABLE]

    def parts(self) -> Iterator[tuple[Part, str]]:
        """Yield the parts."""
        for name, kind in self._kinds.items():
            yield (self._named(name), "table"), kind
        yield from self._columns()
        yield from self._constraints()
        yield from self._indexes()
        yield from self._statements()
        yield from self._types()
        # Last, for what the server says of a part goes before what SQLAlchemy has made of it.
        ours = {*self._tables, *(name for name, kind in self._kinds.items() if kind != TABLE)}
        for name, part, text in self._backend.catalog.further_parts(self._connection, self._schema):
            if part == "domain" or name in ours:
                yield (self._named(name), part), self._without_place(text)

    def _named(self, name: str) -> str:
        return f"{self._schema}.{name}" if self._schema else name

    def _columns(self) -> Iterator[tuple[Part, str]]:
        dialect = self._connection.dialect
        for table, columns in self._of_tables(self._inspector.get_multi_columns(schema=self._schema)):
            for column in columns:
                facts = facts_of_reflected(column, dialect)
                default = facts.computed and f"GENERATED ALWAYS AS ({self._spelled(facts.computed)})"
                default = default or (facts.identity and f"GENERATED {facts.identity}")
                default = default or (facts.default and self._spelled(facts.default))
                text = column_text(facts.type, nullable=column["nullable"], default=default)
                yield (table, f"column {column['name']}"), text + " AUTO_INCREMENT" * facts.autoincrement
                if column.get("comment"):
                    yield (table, f"column {column['name']}, comment"), column["comment"]
        if self._connection.dialect.supports_comments:
            for table, comment in self._of_tables(self._inspector.get_multi_table_comment(schema=self._schema)):
                if comment["text"]:
                    yield (table, "comment"), comment["text"]

    def _constraints(self) -> Iterator[tuple[Part, str]]:
        inspector, schema = self._inspector, self._schema
        for table, key in self._of_tables(inspector.get_multi_pk_constraint(schema=schema)):
            if key["constrained_columns"]:
                yield (table, "primary key"), f"({', '.join(key['constrained_columns'])})"
        for table, keys in self._of_tables(inspector.get_multi_foreign_keys(schema=schema)):
            for each in keys:
                said = {**each, "referred_schema": None if each["referred_schema"] == self._place else _schema_of(each)}
                part = f"foreign key ({', '.join(each['constrained_columns'])})"
                yield (table, part), foreign_key_text(said, schema).partition(" REFERENCES ")[2]
        for table, checks in self._of_tables(inspector.get_multi_check_constraints(schema=schema)):
            for name, text in checks_of(checks).items():
                yield (table, f"check {name}"), self._spelled(text)

    def _indexes(self) -> Iterator[tuple[Part, str]]:
        definitions = self._backend.catalog.index_definitions(self._inspector, self._schema)
        uniques = dict(self._of_tables(self._inspector.get_multi_unique_constraints(schema=self._schema)))
        for name in self._tables:
            table, indexes = self._named(name), definitions.get(name, {})
            for index, definition in {**indexes, **uniques_of(uniques.get(table, ()), indexes)}.items():
                kind = "unique constraint" if definition.text.startswith("UNIQUE (") else "index"
                yield (table, f"{kind} {index}"), self._spelled(definition.text)

    def _statements(self) -> Iterator[tuple[Part, str]]:
        """Yield what views and triggers say."""
        for name, kind in self._kinds.items():
            if kind != TABLE and "view" in kind:
                text = self._inspector.get_view_definition(name, self._schema)
                yield (self._named(name), "definition"), self._without_place(" ".join((text or "").split()))
            elif kind == TABLE:
                for trigger in self._backend.catalog.triggers_there(
                    self._connection, Relation(self._place, name, kind)
                ):
                    yield (self._named(name), f"trigger {trigger.name}"), self._without_place(trigger.definition)

    def _types(self) -> Iterator[tuple[Part, str]]:
        for (schema, name), type_ in (self._backend.catalog.enum_types(self._inspector) or {}).items():
            if (None if schema == self._connection.dialect.default_schema_name else schema) == self._schema:
                yield (self._named(name), "type"), ", ".join(type_.members)
        for name, text in (self._backend.catalog.sequences(self._connection, self._schema) or {}).items():
            yield (self._named(name), "sequence"), text

    def _of_tables(self, found: Any) -> Iterator[tuple[str, Any]]:
        """Yield what SQLAlchemy says of each table that is nobody else's, below the table's name."""
        ours = set(self._tables)
        return ((self._named(name), said) for (_, name), said in found.items() if name in ours)

    def _spelled(self, text: str) -> str:
        return self._backend.catalog.expression_text(text)

    def _without_place(self, text: str) -> str:
        text = self._spelled(text)
        if not self._place:
            return text
        quoted = self._connection.dialect.identifier_preparer.quote_identifier(self._place)
        return text.replace(f"{quoted}.", "").replace(f" {self._place}.", " ")


def _schema_of(key: Any) -> str | None:
    schema: str | None = key["referred_schema"]
    return schema
