"""Dropping tables that refer to each other: SQLAlchemy drops the foreign keys of a circle first, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.backends.relations import TABLE
from dbctl.tables.catalog import Catalog, in_order, referred_table

if TYPE_CHECKING:
    from sqlalchemy import Connection, ForeignKeyConstraint, MetaData, Table

    from dbctl.backends.base import Backend


@contextmanager
def droppable(connection: Connection, backend: Backend, metadata: MetaData) -> Iterator[Sequence[Table]]:
    """Yield those tables of a metadata that are there, and can be dropped in the block in whatever way they refer.

    For its time each foreign key of the models has the name that the database gave it, and one that the database does
    not have is left out: a run that was cut off may have left tables without them.
    """
    catalog = Catalog(connection, backend)
    tables = [table for table in in_order(metadata) if catalog.kind(table) == TABLE]
    if not backend.adds_constraints:
        yield tables
        return
    changed: list[tuple[ForeignKeyConstraint, Any, Any]] = []
    try:
        for table in tables:
            names = _names(connection, table)
            for constraint in table.foreign_key_constraints:
                changed.append((constraint, constraint.name, constraint._ddl_if))
                name = names.get(_key(constraint))
                if name is None:
                    constraint.ddl_if(callable_=lambda *_, **__: False)
                constraint.name = name or "missing"
        yield tables
    finally:
        for constraint, name, condition in changed:
            constraint.name, constraint._ddl_if = name, condition


def _names(connection: Connection, table: Table) -> Mapping[tuple[tuple[str, ...], str], str]:
    from sqlalchemy import inspect

    found = inspect(connection).get_foreign_keys(table.name, table.schema)
    return {(tuple(one["constrained_columns"]), one["referred_table"].lower()): str(one["name"]) for one in found}


def _key(constraint: ForeignKeyConstraint) -> tuple[tuple[str, ...], str]:
    return tuple(column.name for column in constraint.columns), referred_table(constraint).name.lower()
