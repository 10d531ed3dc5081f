"""Creating those of a service's tables that are missing, and dropping those that are there.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbctl.errors import CheckFailed, ConnectError, Remedy, WorkRefused
from dbctl.results import PlainText
from dbctl.work.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData, Table


@dataclass(frozen=True)
class TableState:
    """A table, and whether it was `created`, `existing` or `dropped`, or is `missing`."""

    table: str
    state: str


@dataclass(frozen=True)
class Ddl(PlainText):
    """A statement that creates or drops a table."""

    sql: str

    def __str__(self) -> str:
        return f"{self.sql};\n"


def create_missing(database: Database, metadata: Iterable[MetaData]) -> list[TableState]:
    """Create the tables that are missing, while no other run creates or drops any.

    Raises:
        WorkRefused: The database refused a table. Where it commits DDL by itself the message names what stayed.
    """
    return _change(database, metadata, create=True)


def drop_existing(database: Database, metadata: Iterable[MetaData]) -> list[TableState]:
    """Drop those of the tables that are there, with all that is in them, while no other run creates or drops any.

    Raises:
        WorkRefused: The database refused it. Where it commits DDL by itself the message names what is gone.
    """
    return _change(database, metadata, create=False)


def check_tables(database: Database, metadata: Iterable[MetaData]) -> list[TableState]:
    """Return the state of each table where all are there.

    Raises:
        CheckFailed: Tables are missing; the message names them.
    """
    connection = database.session.connection()
    states = []
    for each in metadata:
        present = _existing(connection, each)
        states += [
            TableState(str(table), "existing" if table in present else "missing") for table in each.sorted_tables
        ]
    if missing := [state.table for state in states if state.state == "missing"]:
        hint = "" if database.profile.in_memory else Remedy.CREATE_MISSING
        raise CheckFailed(f"missing tables: {', '.join(missing)}", states, hint)
    return states


def ddl_of_missing(database: Database, metadata: Iterable[MetaData]) -> list[Ddl]:
    """Return the statements that would create the missing tables, in the database's own dialect.

    Where DDL can be rolled back they have also been run, so that what the database refuses is known.
    """
    return _ddl(database, metadata, create=True)


def ddl_of_existing(database: Database, metadata: Iterable[MetaData]) -> list[Ddl]:
    """Return the statements that would drop those of the tables that are there, as `ddl_of_missing` does."""
    return _ddl(database, metadata, create=False)


def _change(database: Database, metadata: Iterable[MetaData], *, create: bool) -> list[TableState]:
    connection = database.session.connection()
    changed, left = ("created", "existing") if create else ("dropped", "missing")
    states = []
    with database.backend.ddl_lock(connection):
        for each in metadata:
            tables = _to_change(connection, each, create=create)
            _apply(database, connection, each, tables, create=create)
            states += [TableState(str(t), changed if t in tables else left) for t in each.sorted_tables]
    return states


def _ddl(database: Database, metadata: Iterable[MetaData], *, create: bool) -> list[Ddl]:
    connection = database.session.connection()
    run = _run_and_collect if database.backend.transactional_ddl else _collect
    statements: list[Ddl] = []
    with database.backend.ddl_lock(connection):
        for each in metadata:
            tables = _to_change(connection, each, create=create)
            statements += map(Ddl, run(database, connection, each, tables, create=create))
    return statements


def _to_change(connection: Connection, metadata: MetaData, *, create: bool) -> list[Table]:
    present = _existing(connection, metadata)
    return [table for table in metadata.sorted_tables if (table in present) is not create]


def _run_and_collect(
    database: Database, connection: Connection, metadata: MetaData, tables: Sequence[Table], *, create: bool
) -> Iterator[str]:
    from sqlalchemy import event

    said: list[str] = []

    def collect(running: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if running is connection and context is not None and context.isddl:
            said.append(statement)

    event.listen(connection.engine, "before_cursor_execute", collect)
    _apply(database, connection, metadata, tables, create=create)
    event.remove(connection.engine, "before_cursor_execute", collect)
    return map(_tidy, said)


def _collect(
    database: Database, connection: Connection, metadata: MetaData, tables: Sequence[Table], *, create: bool
) -> Iterator[str]:
    from sqlalchemy import create_mock_engine

    said: list[str] = []
    mock = create_mock_engine(
        database.backend.url(),
        lambda statement, *_, **__: said.append(str(statement.compile(dialect=connection.dialect))),
    )
    (metadata.create_all if create else metadata.drop_all)(mock, tables=tables, checkfirst=False)
    return map(_tidy, said)


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip() for line in statement.strip().splitlines())


def _apply(
    database: Database, connection: Connection, metadata: MetaData, tables: Sequence[Table], *, create: bool
) -> None:
    from sqlalchemy.exc import CompileError, DBAPIError

    try:
        (metadata.create_all if create else metadata.drop_all)(connection, tables=tables)
    except (CompileError, DBAPIError) as error:
        reason = database.backend.translate(error)
        if database.backend.transactional_ddl or reason is None:
            raise
        by_itself = f"{database.backend.title} commits DDL by itself, so what was "
        by_itself += "created stays" if create else "dropped is gone"
        rest = f"a further run {'creates' if create else 'drops'} the rest"
        if isinstance(reason, ConnectError):
            reason.hint = f"{by_itself}; {rest}"
            raise reason from error
        there = _existing(connection, metadata)
        done = ", ".join(str(table) for table in tables if (table in there) is create) or "nothing"
        raise WorkRefused(f"{reason}; {by_itself}: {done}", rest) from error


def _existing(connection: Connection, metadata: MetaData) -> set[Table]:
    from sqlalchemy import inspect

    inspector = inspect(connection)
    names = {
        schema: set(inspector.get_table_names(schema)) for schema in {table.schema for table in metadata.sorted_tables}
    }
    return {table for table in metadata.sorted_tables if table.name in names[table.schema]}
