"""Dropping tables that refer to each other: SQLAlchemy drops the foreign keys of a circle first, by their names.

All are dropped in one transaction, or in several where the database can't keep a lock on each of that many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.backends.relations import TABLE
from dbctl.connections.watching import may_commit
from dbctl.tables.catalog import Catalog, in_order, referred_table
from dbctl.tables.refusals import models_at_work
from dbctl.tables.statements import telling_of_ddl
from dbctl.work.ddl_locks import ddl_lock
from dbctl.work.progress import report

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, ForeignKeyConstraint, MetaData, Table

    from dbctl.backends.base import Backend
    from dbctl.connections.connector import Connector
    from dbctl.work.database import Database

_BATCH = 100
"""Statements: each needs a lock for a table, and some for its indexes, sequences and large values."""


def drop(connection: Connection, backend: Backend, metadata: MetaData) -> Sequence[Table]:
    """Drop those tables of a metadata that are there.

    Returns:
        Which were there.

    Raises:
        WorkRefused: The database refused it.
    """
    with (
        droppable(connection, backend, metadata) as tables,
        telling_of_ddl(connection, backend, drops=True),
        models_at_work(tables, connection.dialect),
    ):
        backend.before_drops(connection)
        metadata.drop_all(connection, tables=tables)
    return tables


def drop_in_batches(connector: Connector[Engine], metadata: MetaData, dropped: list[str]) -> Sequence[Table]:
    """Drop those tables of a metadata that are there by a hundred statements at a time, each in a unit of work.

    What the models' listeners run is run as SQL between the statements; they can't ask the database.

    Args:
        connector: Where.
        metadata: The tables.
        dropped: Where the names of those are put down that are gone for good.

    Returns:
        Which were there.

    Raises:
        DbctlError: A batch failed.
    """
    from sqlalchemy import create_mock_engine

    from dbctl.work.sessions import unit_of_work

    backend = connector.backend
    statements: list[Any] = []
    with ExitStack() as stack:
        with unit_of_work(connector, writes=False) as unit:
            connection = unit.session.connection()
            tables = stack.enter_context(droppable(connection, backend, metadata))
            stack.enter_context(models_at_work(tables, connection.dialect))
        mock = create_mock_engine(backend.engine_url(), lambda statement, *_, **__: statements.append(statement))
        metadata.drop_all(mock, tables=tables, checkfirst=False)
        for first in range(0, len(statements), _BATCH):
            report(first, len(statements), "statements")
            batch = statements[first : first + _BATCH]
            gone: list[str] = []
            with unit_of_work(connector, strict=True, before_commit=may_commit) as unit:
                _run(unit, batch, gone if backend.transactional_ddl else dropped)
            dropped += gone
    return tables


def _run(unit: Database, statements: Iterable[Any], dropped: list[str]) -> None:
    from sqlalchemy.schema import DropTable

    connection = unit.session.connection()
    with ddl_lock(unit, connection), telling_of_ddl(connection, unit.backend, drops=True):
        unit.backend.before_drops(connection)
        for statement in statements:
            connection.execute(statement)
            if isinstance(statement, DropTable):
                dropped.append(str(statement.element))


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
        names = _names(connection, tables)
        for table in tables:
            for constraint in table.foreign_key_constraints:
                changed.append((constraint, constraint.name, constraint._ddl_if))
                name = names.get((table.schema, table.name.lower(), *_key(constraint)))
                if name is None:
                    constraint.ddl_if(callable_=lambda *_, **__: False)
                constraint.name = name or "missing"
        yield tables
    finally:
        for constraint, name, condition in changed:
            constraint.name, constraint._ddl_if = name, condition


def _names(connection: Connection, tables: Sequence[Table]) -> Mapping[tuple[Any, ...], str]:
    """Return the names of the foreign keys that the database has, by their tables, columns and what they refer to."""
    from sqlalchemy import inspect

    inspector = inspect(connection)
    names: dict[tuple[Any, ...], str] = {}
    referring: dict[str | None, list[str]] = {}
    for table in tables:
        if table.foreign_key_constraints:
            referring.setdefault(table.schema, []).append(table.name)
    for schema, some in referring.items():
        for (_, name), keys in inspector.get_multi_foreign_keys(schema, some).items():
            for key in keys:
                columns, referred = tuple(key["constrained_columns"]), key["referred_table"].lower()
                names[schema, name.lower(), columns, referred] = str(key["name"])
    return names


def _key(constraint: ForeignKeyConstraint) -> tuple[tuple[str, ...], str]:
    return tuple(column.name for column in constraint.columns), referred_table(constraint).name.lower()
