"""What of a service's tables is there already: the tables by name, and of each its indexes and constraints."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dbctl.backends.relations import TABLE
from dbctl.errors import ConfigError
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection, ForeignKeyConstraint, Index, MetaData, Table, UniqueConstraint
    from sqlalchemy.schema import ExecutableDDLElement

    from dbctl.backends.base import Backend

VERSIONS = "alembic_version"
"""The table in which alembic keeps where a database is, as it is called unless an env.py says otherwise."""

_log = logging.getLogger("dbctl")

Columns = tuple[str, ...]


@record
class Gap:
    """An index or a constraint of a model that its table does not have.

    `what` says which, as in "index ix_hero_name".
    """

    table: Table
    what: str
    element: Index | UniqueConstraint | ForeignKeyConstraint

    def statement(self, addable: bool) -> ExecutableDDLElement:
        """Return what creates it; where constraints can't be added a unique one is created as an index."""
        from sqlalchemy import DDL, Index
        from sqlalchemy.schema import AddConstraint, CreateIndex

        if isinstance(self.element, Index):
            return CreateIndex(self.element)
        if addable:
            # Of a copy: the original would be left out of its table's CREATE TABLE from now on.
            return AddConstraint(copy(self.element))
        columns = [column.name for column in self.element.columns]
        name = self.element.name
        name = name if isinstance(name, str) else "_".join(["uq", self.table.name, *columns])
        quoted = ", ".join(map(_quoted, columns))
        statement = f"CREATE UNIQUE INDEX {_quoted(name)} ON {_quoted(self.table.name)} ({quoted})"
        return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]


class Catalog:
    """What a database holds, looked at once. Make another one after a change.

    Args:
        connection: A connection in whose transaction is looked.
        backend: Its backend.
    """

    def __init__(self, connection: Connection, backend: Backend) -> None:
        self._connection = connection
        self._backend = backend
        self._relations: dict[str | None, Mapping[str, tuple[str, str]]] = {}

    def kind(self, table: Table) -> str | None:
        """Return what has the table's name: "table", "view" or what else; None where nothing has."""
        found = self._find(table)
        return found and found[1]

    def missing_schemas(self, metadata: MetaData) -> Mapping[str, Table]:
        """Return the schemas that tables name and that are not there, each with the first such table."""
        tables = reversed(in_order(metadata))
        return {t.schema: t for t in tables if t.schema is not None and self._fold(t.schema) not in self._schemas}

    def gaps(self, tables: Iterable[Table]) -> Iterator[Gap]:
        """Yield what the tables lack that are there, and are tables, in the order in which it can be created."""
        there = [table for table in tables if self.kind(table) == TABLE]
        looks = [(table, self._look_at(table)) for table in there]
        for table, have in looks:
            yield from have.missing(table)
        for table, have in looks:
            yield from have.missing_foreign_keys(table, self._backend.adds_constraints)

    def is_migrated(self) -> bool:
        """Tell whether alembic manages the database: its version table, by its usual name, is there and has rows."""
        from sqlalchemy import select, table

        if self._fold(VERSIONS) not in self._look(None):
            return False
        return self._connection.execute(select(1).select_from(table(VERSIONS)).limit(1)).first() is not None

    def _find(self, table: Table) -> tuple[str, str] | None:
        """Return the name and the kind."""
        if table.schema not in self._relations:
            self._relations[table.schema] = self._look(table.schema)
        return self._relations[table.schema].get(self._fold(table.name))

    @cached_property
    def _schemas(self) -> Collection[str]:
        from sqlalchemy import inspect

        return {self._fold(name) for name in inspect(self._connection).get_schema_names()}

    @cached_property
    def _fold(self) -> Any:
        return self._backend.name_folder(self._connection)

    def _look(self, schema: str | None) -> Mapping[str, tuple[str, str]]:
        if schema is not None and self._fold(schema) not in self._schemas:
            return {}
        found = self._backend.relations(self._connection, schema)
        return {self._fold(name): (name, kind) for name, kind in found.items()}

    def _look_at(self, table: Table) -> _Parts:
        from sqlalchemy import inspect
        from sqlalchemy.exc import SAWarning

        inspector = inspect(self._connection)
        (name, _), schema = self._find(table) or (table.name, ""), table.schema
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Skipped unsupported reflection", SAWarning)
            indexes, uniques = inspector.get_indexes(name, schema), inspector.get_unique_constraints(name, schema)
        unreflected = self._backend.catalog.unreflected_indexes(inspector, schema, name)
        key: Any = inspector.get_pk_constraint(name, schema)
        return _Parts(
            names={*map(self._fold, [*unreflected, *(one["name"] for one in (*indexes, *uniques) if one["name"])])},
            indexes=[tuple(map(str, one["column_names"])) for one in indexes],
            uniques=[
                *(frozenset(map(str, one["column_names"])) for one in indexes if one["unique"]),
                *(frozenset(one["column_names"]) for one in uniques),
                frozenset(key["constrained_columns"]),
            ],
            foreign_keys=[
                (tuple(one["constrained_columns"]), self._fold(one["referred_table"]), tuple(one["referred_columns"]))
                for one in inspector.get_foreign_keys(name, schema)
            ],
            fold=self._fold,
        )


@record
class _Parts:
    """What a table has: the names of indexes and constraints, and which columns they are on."""

    names: Collection[str]
    indexes: Collection[Columns]
    uniques: Collection[frozenset[str]]
    foreign_keys: Collection[tuple[Columns, str, Columns]]
    fold: Any

    def missing(self, table: Table) -> Iterator[Gap]:
        from sqlalchemy import UniqueConstraint

        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if not self._has_index(index):
                yield Gap(table, f"index {index.name}", index)
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint) and not self._has_unique(constraint):
                columns = ", ".join(column.name for column in constraint.columns)
                yield Gap(table, f"unique constraint {_named(constraint.name)}({columns})", constraint)

    def missing_foreign_keys(self, table: Table, addable: bool) -> Iterator[Gap]:
        for constraint in sorted(table.foreign_key_constraints, key=lambda one: list(one.column_keys)):
            columns, referred = tuple(constraint.column_keys), referred_table(constraint)
            ours = tuple(column.name for column in constraint.columns)
            theirs = tuple(element.column.name for element in constraint.elements)
            if (ours, self.fold(referred.name), theirs) in self.foreign_keys:
                continue
            what = f"foreign key {_named(constraint.name)}({', '.join(columns)}) to {referred}"
            if addable:
                yield Gap(table, what, constraint)
            else:
                _log.info("%s: %s is missing, and can't be added to a table that is there", table, what)

    def _has_index(self, index: Index) -> bool:
        from sqlalchemy import Column

        if self.fold(str(index.name)) in self.names:
            return True
        if not all(isinstance(expression, Column) for expression in index.expressions):
            return False
        columns = tuple(column.name for column in index.columns)
        return frozenset(columns) in self.uniques if index.unique else columns in self.indexes

    def _has_unique(self, constraint: UniqueConstraint) -> bool:
        return frozenset(column.name for column in constraint.columns) in self.uniques


def in_order(metadata: MetaData) -> list[Table]:
    """Return the tables so that each comes after those that it refers to, as far as they do not refer to each other.

    Raises:
        ConfigError: A foreign key names a table that none of the models defines.
    """
    from sqlalchemy.schema import sort_tables_and_constraints

    for table in metadata.tables.values():
        for constraint in table.foreign_key_constraints:
            referred_table(constraint)
    by_name = sorted(metadata.tables.values(), key=lambda table: table.key)
    found = sort_tables_and_constraints(by_name)  # type: ignore[no-untyped-call]
    return [table for table, _ in found if table is not None]


def referred_table(constraint: ForeignKeyConstraint) -> Table:
    """Return the table that a foreign key refers to.

    Raises:
        ConfigError: None of the models defines it, or not with such a column.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        for element in constraint.elements:
            element.column  # noqa: B018  # finds it
        return constraint.referred_table
    except SQLAlchemyError as error:
        columns = ", ".join(constraint.column_keys)
        target = constraint.elements[0].target_fullname
        raise ConfigError(
            f"models: {constraint.table}.{columns} refers to {target}, which none of them defines",
            "name the module that defines it too",
        ) from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _named(name: object) -> str:
    return f"{name} " if isinstance(name, str) else ""
