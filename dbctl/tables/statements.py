"""Running DDL so that an error says of which table, column or index it is, and where in the statement."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.connections.watching import raise_if_ended
from dbctl.errors import ConnectError, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Table
    from sqlalchemy.exc import SQLAlchemyError

    from dbctl.backends.base import Backend

_LONGEST_LINE = 100
"""Characters of a statement's line in an error."""


@contextmanager
def heard(connection: Connection, name: str, act: Callable[..., None]) -> Iterator[None]:
    """Have an engine's event that concerns a connection told in the block.

    SQLAlchemy before 2.0.40 takes no listener for the connection itself where that is of an engine with options.

    Args:
        connection: The connection.
        name: The event, such as "before_execute".
        act: What is called with the event's arguments after the connection.
    """
    from sqlalchemy import event

    def hear(running: Connection, *arguments: Any) -> None:
        if running is connection:
            act(*arguments)

    event.listen(connection.engine, name, hear)
    try:
        yield
    finally:
        event.remove(connection.engine, name, hear)


@contextmanager
def telling_of_ddl(connection: Connection, backend: Backend, *, drops: bool = False) -> Iterator[None]:
    """Raise dbctl's errors for what fails in the block, with what the failed statement was about.

    SQLAlchemy's warnings of tables that refer to each other are no news: such tables are created, and dropped.

    Args:
        connection: What they run on.
        backend: The backend of its database.
        drops: Whether they drop tables.

    Raises:
        DbctlError: A statement failed.
    """
    from sqlalchemy.exc import SAWarning, SQLAlchemyError
    from sqlalchemy.schema import ExecutableDDLElement

    running: list[Any] = []

    def note(element: Any, *_arguments: Any) -> None:
        running[:] = [element] if isinstance(element, ExecutableDDLElement) else []
        raise_if_ended()  # MySQL's SLEEP, for one, says nothing of it

    try:
        with heard(connection, "before_execute", note), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Can't sort tables|Cannot correctly sort tables", SAWarning)
            yield
    except SQLAlchemyError as error:
        reason = backend.translate(error) or WorkRefused(_reason(error), "change the model")
        if not isinstance(reason, ConnectError):
            about = _about(running[0]) if running else ""
            reason.message = f"{about}{reason.message}{_line_of(error, backend)}"
            reason.hint = reason.hint or backend.ddl_hint(getattr(error, "orig", None) or error, drops=drops)
        raise reason from error


def refuse_what_does_not_compile(tables: Iterable[Table], dialect: Dialect, title: str) -> None:
    """Compile all before the first statement is sent.

    Raises:
        WorkRefused: Some can't be expressed; the message lists each column. All else passes through.
    """
    from sqlalchemy.exc import CompileError
    from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable, ExecutableDDLElement

    wrong: list[str] = []
    for table in tables:
        before = len(wrong)
        for column in table.columns:
            try:
                CreateColumn(column).compile(dialect=dialect)
            except CompileError as error:
                wrong.append(f"{table}.{column.name} ({_reason(error)})")
        if len(wrong) > before:
            continue
        elements: list[ExecutableDDLElement] = [CreateTable(table), *map(CreateIndex, table.indexes)]
        for element in elements:
            try:
                element.compile(dialect=dialect)
            except CompileError as error:
                wrong.append(f"{_about(element)}{_reason(error)}")
    if wrong:
        raise WorkRefused(f"{title} can't express {'; '.join(wrong)}", "nothing was created")


def _reason(error: SQLAlchemyError) -> str:
    text = " ".join(str(error).split())
    text = re.sub(r"^\(in table .+?\): | \(Background on this error at: .+\)$", "", text)
    return re.sub(r"<(?:\w+\.)*(\w+) object at 0x[0-9a-f]+>", r"\1", text)


def _about(element: Any) -> str:
    """Name what a DDL element creates or drops; "" for a service's own."""
    from sqlalchemy import Index, Table
    from sqlalchemy.schema import Constraint

    target = getattr(element, "element", None)
    if isinstance(target, Table):
        return f"table {target}: "
    if isinstance(target, Index):
        return f"index {target.name} of table {target.table}: "
    if isinstance(target, Constraint):
        columns = ", ".join(column.name for column in target.columns)  # type: ignore[attr-defined]
        name = f"{target.name} " if isinstance(target.name, str) else ""
        return f"constraint {name}({columns}) of table {target.table}: "
    if isinstance(target, str):
        return f"schema {target}: "
    kind = getattr(target, "name", None)
    return f"type {kind}: " if isinstance(kind, str) else ""


def _line_of(error: Any, backend: Backend) -> str:
    statement, original = getattr(error, "statement", None), getattr(error, "orig", None)
    if not statement or original is None:
        return ""
    number = backend.failed_line(original, statement)
    lines = statement.splitlines()
    if not number or number > len(lines):
        return ""
    return f' (line {number} of the statement: "{" ".join(lines[number - 1].split())[:_LONGEST_LINE]}")'
