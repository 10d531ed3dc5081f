"""The DDL that would mend what was found: said, and never run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.backends.compiled import undoubled
from dbctl.drift.hanging import with_what_hangs_on_it
from dbctl.drift.state import Difference

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData

    from dbctl.backends.base import Backend


def statements(
    connection: Connection, backend: Backend, metadata: Sequence[MetaData], found: Sequence[Difference]
) -> list[str]:
    """Return statements that make the database what the models declare, in an order in which they can be run.

    Args:
        connection: The database's connection; nothing is run on it but what has to be looked up.
        backend: Its backend.
        metadata: What the models declare.
        found: What was found.
    """
    from alembic.operations.ops import CreateTableOp, DropTableOp

    operations = [op for each in found for op in each.operations]
    creating = [op for op in operations if isinstance(op, CreateTableOp)]
    dropping = [op for op in operations if isinstance(op, DropTableOp)]
    types = [each for each in found if each.part in {"type", "sequence"}]
    before = [op for each in types if each.models is not None for op in each.operations]
    after = [op for each in types if each.models is None for op in each.operations]
    special = {id(op) for op in (*creating, *dropping, *before, *after)}
    changing = [op for op in operations if id(op) not in special]
    first, then = _changed(connection, backend, metadata, changing)
    said = [
        *first,
        *_said(connection, before),
        *_created(connection, metadata, {(op.schema, op.table_name) for op in creating}),
        *then,
        *_said(connection, _in_order_of_drops(dropping)),
        *_said(connection, after),
    ]
    return [undoubled(statement, connection.dialect) for statement in said]


def _in_order_of_drops(dropping: Sequence[Any]) -> list[Any]:
    """Put those first that refer to others."""
    from sqlalchemy.schema import sort_tables

    tables = {op.to_table(): op for op in dropping}
    return [tables[table] for table in reversed(sort_tables(list(tables)))]


def _created(connection: Connection, metadata: Sequence[MetaData], missing: set[tuple[Any, Any]]) -> Iterator[str]:
    """Yield what creates tables, with keys that go in a circle; their types are differences of their own."""
    from sqlalchemy import create_mock_engine

    said: list[str] = []

    def note(element: Any, *_arguments: Any, **_options: Any) -> None:
        said.append(str(element.compile(dialect=connection.dialect)).strip())

    mock: Any = create_mock_engine(connection.engine.url, note)
    for each in metadata:
        tables = [table for table in each.tables.values() if (table.schema, table.name) in missing]
        if tables:
            each.create_all(mock, tables=tables, checkfirst=False)
    yield from (one for one in said if not one.startswith(("CREATE TYPE", "CREATE SEQUENCE")))


def _changed(
    connection: Connection, backend: Backend, metadata: Sequence[MetaData], changing: Sequence[Any]
) -> tuple[list[str], list[str]]:
    """Return what is dropped of tables, and what changes them then.

    Where they can't be altered that makes each anew with all that it holds.
    """
    if backend.adds_constraints:
        order = sorted(with_what_hangs_on_it(connection, backend, metadata, changing), key=_phase)
        drops = [op for op in order if _phase(op) <= _LAST_DROP]
        return _said(connection, drops), _said(connection, order[len(drops) :])
    from alembic.operations.ops import CreateIndexOp, DropIndexOp

    default = connection.dialect.default_schema_name

    def place(op: Any) -> tuple[str | None, str]:
        of_key = hasattr(op, "source_table")
        schema, name = (op.kw.get("source_schema"), op.source_table) if of_key else (op.schema, op.table_name)
        return None if schema == default else schema, name

    of_index = [op for op in changing if isinstance(op, CreateIndexOp | DropIndexOp)]
    anew = {place(op) for op in changing if op not in of_index}
    tables = [table for each in metadata for table in each.tables.values()]
    said = _said(connection, sorted((op for op in of_index if place(op) not in anew), key=_phase))
    made = [t for t in tables if (None if t.schema == default else t.schema, t.name) in anew]
    return [], [*said, *(backend.catalog.rebuild_statements(connection, made) if made else ())]


_LAST_DROP = 2
"""The last phase of what is dropped of tables, but for columns."""


def _phase(op: Any) -> int:
    """Return when an operation has its turn: what is to go first, then columns, then what is built on them.

    A column that others are computed of can't be altered while they are there.
    """
    from alembic.operations import ops
    from sqlalchemy.schema import AddConstraint

    match op:
        case ops.DropConstraintOp(constraint_type="foreignkey"):
            turn = 0
        case ops.DropConstraintOp() | ops.DropIndexOp():
            turn = 1
        case ops.DropColumnOp() if op.to_column().computed is not None:
            turn = 2
        case ops.AddColumnOp() if op.column.computed is not None:
            turn = 4
        case ops.CreateForeignKeyOp():
            turn = 6
        case ops.AddConstraintOp() | ops.CreateIndexOp() | ops.ExecuteSQLOp(sqltext=AddConstraint()):
            turn = 5
        case _:
            turn = 3
    return turn


def _said(connection: Connection, operations: Sequence[Any]) -> list[str]:
    """Return the SQL of alembic's operations."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    said = _Buffer()
    context = MigrationContext.configure(connection, opts={"as_sql": True, "output_buffer": said})
    with Operations.context(context) as do, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="alembic")  # what it can't say of a column is said by other operations
        for op in operations:
            with _alone(op):
                do.invoke(op)
    return said.statements


@contextmanager
def _alone(op: Any) -> Iterator[None]:
    """Keep alembic from adding with a column its index and constraints: these have operations of their own.

    It would add them by other names, without the naming convention.
    """
    from sqlalchemy.types import TypeDecorator

    column = getattr(op, "column", None)
    type_ = op.modify_type if column is None and hasattr(op, "modify_type") else getattr(column, "type", None)
    while isinstance(type_, TypeDecorator):
        type_ = type_.impl
    said: list[tuple[Any, str, Any]] = []
    if column is not None:
        said += [(column, "index", None), (column, "unique", None), (column, "constraints", set())]
    if getattr(type_, "create_constraint", False):
        said.append((type_, "create_constraint", False))
    kept = [(place, name, getattr(place, name)) for place, name, _ in said]
    for place, name, value in said:
        setattr(place, name, value)
    try:
        yield
    finally:
        for place, name, value in kept:
            setattr(place, name, value)


class _Buffer:
    """A file of which each write is a statement."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def write(self, text: str) -> None:
        if statement := text.strip().removesuffix(";").strip():
            self.statements.append(statement)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""
