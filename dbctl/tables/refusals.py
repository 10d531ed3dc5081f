"""What SQLAlchemy, or the models' own code, says against making DDL of the models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dbctl.errors import DbctlError, WorkRefused
from dbctl.runtime.foreign import guarded
from dbctl.runtime.foreign_errors import described, place_of, stand_in

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Table


@contextmanager
def models_at_work(tables: Sequence[Table], dialect: Dialect) -> Iterator[None]:
    """Let SQLAlchemy make DDL of tables, and run what the models have it run: listeners, compilers, types.

    Args:
        tables: The tables.
        dialect: The database's.

    Raises:
        WorkRefused: SQLAlchemy or the models' code refused; the message names the table. What the database says of it,
            and what it can't express, passes through.
    """
    from sqlalchemy.exc import CompileError, DBAPIError

    try:
        with guarded():
            yield
    except (DbctlError, DBAPIError, CompileError):
        raise
    except Exception as error:
        table = next((f"{table}: " for table in tables if _fails(table, dialect, type(error))), "")
        place = f" ({found})" if (found := place_of(error)) else ""
        raise WorkRefused(f"models: {table}{described(error)}{place}", _remedy(error)) from stand_in(error)


def refuse_long_names(tables: Sequence[Table], dialect: Dialect) -> None:
    """Refuse tables and columns whose names the database would cut off: it would not find them by these names again.

    Raises:
        WorkRefused: There is one; the message names it.
    """
    longest = dialect.max_identifier_length
    for table in tables:
        for what, name in [("table", table.name), *(("column", f"{column.name}") for column in table.columns)]:
            if len(name.encode()) > longest:
                where = "" if what == "table" else f"{table}: "
                raise WorkRefused(
                    f"models: {where}the name of the {what} {name} is longer than {longest} bytes",
                    "give it a shorter one",
                )


def refuse_nameless_indexes(tables: Iterable[Table]) -> None:
    """Refuse indexes without a name, which neither the model nor its naming convention gives: no DDL creates them.

    Raises:
        WorkRefused: There is one; the message names its table and its columns.
    """
    for table in tables:
        for index in table.indexes:
            if index.name is None:
                columns = ", ".join(str(getattr(one, "name", one)) for one in index.expressions)
                raise WorkRefused(
                    f"models: {table}: the index of {columns} has no name",
                    'give it one, or the naming convention an "ix"',
                )


def _fails(table: Table, dialect: Dialect, kind: type[Exception]) -> bool:
    from sqlalchemy.schema import CreateIndex, CreateTable

    try:
        with guarded():
            CreateTable(table).compile(dialect=dialect)
            for index in table.indexes:
                CreateIndex(index).compile(dialect=dialect)
    except kind:
        return True
    except Exception:
        return False
    return False


def _remedy(error: Exception) -> str:
    from sqlalchemy.exc import IdentifierError, InvalidRequestError, SQLAlchemyError

    if isinstance(error, IdentifierError):
        return "give it a shorter name"
    if isinstance(error, InvalidRequestError):
        with suppress(Exception):
            if "constraint_name" in str(error):
                return "name the constraint, as in CheckConstraint(…, name=…), or take %(constraint_name)s out"
    return "correct the models" if isinstance(error, SQLAlchemyError) else "it is the models' own code that says so"
