"""What has to go before a column can be altered or put anew, and to come back after it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData, Table

    from dbctl.backends.base import Backend

Place = tuple[str | None, str]


def with_what_hangs_on_it(
    connection: Connection, backend: Backend, metadata: Sequence[MetaData], changing: Sequence[Any]
) -> Sequence[Any]:
    """Return operations on tables, with those that they need and that nothing else would do.

    A column of which others are computed can't get another type while these are there; and with a column that is
    dropped go the indexes and constraints in which it is.

    Args:
        connection: The database's.
        backend: Its backend.
        metadata: What the models declare.
        changing: alembic's operations.
    """
    from alembic.operations.ops import AddColumnOp, DropColumnOp

    default = connection.dialect.default_schema_name
    models: dict[Place, Table] = {
        (None if table.schema == default else table.schema, table.name): table
        for each in metadata
        for table in each.tables.values()
    }
    operations = [*changing]
    for schema, table, column in _retyped(changing):
        place = (None if schema == default else schema, table)
        for name in backend.catalog.computed_of(connection, schema, table, column):
            model = models[place].columns.get(name)
            if model is not None and not _dropped(operations, schema, table, name):
                operations += [
                    DropColumnOp.from_column_and_tablename(schema, table, model),
                    AddColumnOp.from_column_and_tablename(schema, table, model),
                ]
    for place, names in _put_anew(operations, default).items():
        operations += _parts_of(models[place], names, operations)
    return operations


def _retyped(operations: Sequence[Any]) -> Iterator[tuple[str | None, str, str]]:
    from alembic.operations.ops import AlterColumnOp

    for op in operations:
        if isinstance(op, AlterColumnOp) and op.modify_type is not None:
            yield op.schema, op.table_name, op.column_name


def _dropped(operations: Sequence[Any], schema: str | None, table: str, column: str) -> bool:
    from alembic.operations.ops import DropColumnOp

    dropped = (op for op in operations if isinstance(op, DropColumnOp))
    return any((op.schema, op.table_name, op.column_name) == (schema, table, column) for op in dropped)


def _put_anew(operations: Sequence[Any], default: str | None) -> dict[Place, set[str]]:
    """Return the columns that are dropped and added, by their tables."""
    from alembic.operations.ops import AddColumnOp

    found: dict[Place, set[str]] = defaultdict(set)
    for op in operations:
        if isinstance(op, AddColumnOp) and _dropped(operations, op.schema, op.table_name, op.column.name):
            found[None if op.schema == default else op.schema, op.table_name].add(op.column.name)
    return found


def _parts_of(table: Table, columns: set[str], operations: Sequence[Any]) -> Iterator[Any]:
    """Yield what drops and creates a table's indexes and constraints that name some columns and stay as they are."""
    from alembic.operations.ops import CreateIndexOp, DropConstraintOp, DropIndexOp, ExecuteSQLOp
    from sqlalchemy import CheckConstraint, UniqueConstraint
    from sqlalchemy.schema import AddConstraint

    known = {_name_of(op) for op in operations if getattr(op, "table_name", table.name) == table.name} - {None}
    for index in table.indexes:
        if index.name not in known and _names([*index.expressions, *index.dialect_kwargs.values()], columns):
            yield DropIndexOp.from_index(index)
            yield CreateIndexOp.from_index(index)
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            kind, said = "check", [constraint.sqltext]
        elif isinstance(constraint, UniqueConstraint):
            kind, said = "unique", [*constraint.columns]
        else:
            continue
        if constraint.name not in known and _names(said, columns):
            if isinstance(constraint.name, str):  # one without goes with the column, and none else is there
                yield DropConstraintOp(constraint.name, table.name, kind, schema=table.schema)
            yield ExecuteSQLOp(AddConstraint(copy(constraint)))


def _names(expressions: Sequence[Any], columns: set[str]) -> bool:
    words = {word for one in expressions for word in re.findall(r"\w+", str(one))}
    return any({*re.findall(r"\w+", column)} <= words for column in columns)


def _name_of(op: Any) -> str | None:
    """Return the name of an index or a constraint that an operation is about."""
    from alembic.operations.ops import ExecuteSQLOp

    if isinstance(op, ExecuteSQLOp):
        return getattr(getattr(op.sqltext, "element", None), "name", None)
    return getattr(op, "index_name", None) or getattr(op, "constraint_name", None)
