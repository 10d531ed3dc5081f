"""Asking the database what it makes of a model's table, by making it as a temporary table of this session.

What a model declares and what a database tells of itself are often spelled differently: `BOOL` and `tinyint(1)`,
`'now'` and `'now'::text`, `age>0` and `(age > 0)`. Declared twice to the same database, they are spelled the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from dbctl.backends.definitions import Definition
from dbctl.errors import ConnectError, OutOfTime
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Dialect, Index, Table
    from sqlalchemy.engine import Inspector

    from dbctl.backends.base import Backend

_log = logging.getLogger("dbctl")


@record
class Facts:
    """What a database tells of a column, in its own words; None where there is nothing to tell.

    Args:
        type: The type.
        default: What the server puts where nothing is given.
        computed: What it is computed of.
        identity: How its identity counts: ALWAYS or BY DEFAULT, and the sequence's options, between commas.
        autoincrement: Whether it numbers its rows.
    """

    type: str
    default: str | None = None
    computed: str | None = None
    identity: str | None = None
    autoincrement: bool = False

    def differing(self, other: Facts) -> list[str]:
        """Return the names of what differs."""
        return [each.name for each in fields(self) if getattr(self, each.name) != getattr(other, each.name)]


@record
class Made:
    """What the database has made of a table, in its own words.

    Args:
        columns: The columns by name.
        indexes: Indexes and unique constraints by name.
        checks: Check constraints by name.
        unknown: The indexes that can't be made so, and of which nothing is known.
    """

    columns: Mapping[str, Facts]
    indexes: Mapping[str, Definition]
    checks: Mapping[str, str]
    unknown: frozenset[str] = frozenset()


@dataclass
class Scratch:
    """Makes temporary tables of models' tables; each once, and only those that are asked for.

    Args:
        connection: In whose transaction they are made, and gone again.
        backend: Its backend.
        correct: Corrects what is told of a column, as it was done with those that it is held against.
    """

    connection: Connection
    backend: Backend
    correct: Callable[[Inspector, Table, dict[str, Any]], None]
    _made: dict[Table, Made | None] = field(default_factory=dict)
    _columns: dict[str, Facts] = field(default_factory=dict)

    def made_of(self, table: Table) -> Made | None:
        """Return what the database makes of a table; None where it makes none of it, which is told once."""
        if table not in self._made:
            self._made[table] = self._try(table)
        return self._made[table]

    def column(self, column: Column[Any]) -> Facts | None:
        """Return what the database makes of a column; what is declared alike is made once."""
        compiler = _compiler(self.connection.dialect)
        name = self.connection.dialect.identifier_preparer.format_column(column)
        said = compiler.get_column_specification(column).removeprefix(name)
        if column.computed is not None:
            said = f"{column.table.key}: {said}"
        if said not in self._columns and (made := self.made_of(column.table)):
            self._columns[said] = made.columns[column.name]
        return self._columns.get(said)

    def _try(self, table: Table) -> Made | None:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._nested():
                return self._make(table)
        except SQLAlchemyError as error:
            self._tell(table, error)
            return None

    def _tell(self, what: object, error: Exception) -> None:
        """Raise what says nothing of the table, and say once that words are compared from now on."""
        translated = self.backend.translate(error)
        if isinstance(translated, ConnectError | OutOfTime):
            raise translated from error
        if None not in self._made.values():
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            _log.info("%s: not made as a temporary table to compare with (%s): its words are compared", what, reason)

    def words_of(self, what: object, error: Exception, otherwise: str | None) -> str:
        """Say that something can't be made to look at, as `made_of` does, and return what is taken for it then."""
        self._tell(what, error)
        return otherwise or str(what)

    @contextmanager
    def _nested(self) -> Iterator[None]:
        if not self.backend.catalog.scratch_nested:
            yield
            return
        nested = self.connection.begin_nested()
        try:
            yield
        finally:
            nested.rollback()

    def _make(self, table: Table) -> Made:
        from sqlalchemy import inspect
        from sqlalchemy.schema import CreateTable

        dialect, backend = self.connection.dialect, self.backend
        preparer = dialect.identifier_preparer
        named = preparer.format_table(table, use_schema=backend.catalog.scratch_schema_named)
        create = str(CreateTable(table, include_foreign_key_constraints=[]).compile(dialect=dialect))
        self.connection.exec_driver_sql(f"{backend.catalog.scratch_create} {named} ({create.partition('(')[2]}")
        try:
            unknown = frozenset(str(index.name) for index in table.indexes if not self._make_index(index, named))
            schema = backend.catalog.scratch_schema(self.connection, table.schema)
            inspector = inspect(self.connection)
            columns = inspector.get_columns(table.name, schema)
            for column in columns:
                if column.get("default"):  # in which SQLAlchemy takes a bare name for one of the table's schema
                    column["default"] = str(column["default"]).replace(f'"{schema}".', "")
                self.correct(inspector, table, column)  # type: ignore[arg-type]
            return Made(
                {column["name"]: facts_of_reflected(column, dialect) for column in columns},
                indexes_of(backend, inspector, schema, table.name),
                checks_of(_if_any(inspector.get_check_constraints, table.name, schema)),
                unknown,
            )
        finally:
            if not backend.catalog.scratch_nested:
                self.connection.exec_driver_sql(f"DROP TEMPORARY TABLE {named}")

    def _make_index(self, index: Index, named: str) -> bool:
        """Make an index on the temporary table; tell whether it could be."""
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.schema import CreateIndex

        dialect = self.connection.dialect
        head, parenthesis, rest = str(CreateIndex(index).compile(dialect=dialect)).partition("(")
        name = dialect.identifier_preparer.format_index(index)
        before, _, using = head.replace("CONCURRENTLY ", "").partition(" ON ")
        kind = before.partition("INDEX")[0]
        method = using.partition(" USING ")[2]
        method = f"USING {method}" if method else ""
        try:
            with self._nested_index():
                self.connection.exec_driver_sql(f"{kind}INDEX {name} ON {named} {method}{parenthesis}{rest}")
        except DBAPIError:
            return False
        return True

    @contextmanager
    def _nested_index(self) -> Iterator[None]:
        """Keep the table where an index fails."""
        if not self.backend.catalog.scratch_nested:
            yield
            return
        with self.connection.begin_nested():
            yield


def facts_of_reflected(column: Any, dialect: Dialect) -> Facts:
    """Return the facts of a column as an inspector tells it."""
    computed, identity = column.get("computed"), column.get("identity")
    return Facts(
        type_text(column["type"], dialect),
        None if computed or identity else column.get("default"),
        computed and _computed(computed["sqltext"], computed.get("persisted")),
        identity and _identity(identity),
        column.get("autoincrement") is True,
    )


def facts_of(column: Column[Any], dialect: Dialect) -> Facts:
    """Return the facts of a column of a reflected table."""
    computed, identity, default = column.computed, column.identity, column.server_default
    return Facts(
        type_text(column.type, dialect),
        None if computed or identity or default is None else default.arg.text,  # type: ignore[attr-defined]
        _computed(str(computed.sqltext), computed.persisted) if computed is not None else None,
        _identity({name: getattr(identity, name, None) for name in _IDENTITY}) if identity is not None else None,
        column.autoincrement is True,
    )


def declared_default(column: Column[Any], dialect: Dialect) -> str | None:
    """Return a model's server default as its DDL has it; None where there is none."""
    from sqlalchemy.exc import CompileError

    if column.server_default is None or column.computed is not None or column.identity is not None:
        return None
    try:
        found: str | None = _compiler(dialect).get_column_default_string(column)
    except CompileError:
        return None
    return found


def type_text(type_: Any, dialect: Dialect) -> str:
    """Return a type as DDL has it; of what SQLAlchemy does not know, its name."""
    from sqlalchemy.exc import CompileError

    try:
        return str(type_.compile(dialect=dialect))
    except CompileError:
        return repr(type_)


def indexes_of(backend: Backend, inspector: Inspector, schema: str | None, table: str) -> dict[str, Definition]:
    """Return what `Backend.index_definitions` tells of one table, and the unique constraints that it does not."""
    found = dict(backend.catalog.index_definitions(inspector, schema, table).get(table, {}))
    return found | uniques_of(_if_any(inspector.get_unique_constraints, table, schema), found)


def uniques_of(constraints: Any, known: Mapping[str, Definition]) -> dict[str, Definition]:
    """Return the unique constraints that are no known index; one without a name by its columns."""
    found = {}
    for each in constraints:
        columns = ", ".join(each["column_names"])
        name = each["name"] or f"({columns})"
        if name not in known:
            found[name] = Definition(f"UNIQUE ({columns})", True, True)
    return found


def checks_of(constraints: Any) -> dict[str, str]:
    """Return check constraints by their names; one without a name by what it says."""
    return {each["name"] or f"({each['sqltext']})": each["sqltext"] for each in constraints}


def _if_any(ask: Callable[[str, str | None], Any], table: str, schema: str | None) -> Any:
    """Ask for the constraints of a temporary table; of one without any SQLAlchemy may say that it is not there."""
    from sqlalchemy.exc import NoSuchTableError

    try:
        return ask(table, schema)
    except NoSuchTableError:
        return []


def _compiler(dialect: Any) -> Any:
    return dialect.ddl_compiler(dialect, None)


_COUNTING = {
    "start": "START WITH",
    "increment": "INCREMENT BY",
    "minvalue": "MINVALUE",
    "maxvalue": "MAXVALUE",
    "cache": "CACHE",
}
_IDENTITY = ("always", "cycle", *_COUNTING)


def _computed(text: str, persisted: bool | None) -> str:
    return f"{text}{'' if persisted is None else ' STORED' if persisted else ' VIRTUAL'}"


def _identity(options: Mapping[str, Any]) -> str:
    said = [f"{words} {options[name]}" for name, words in _COUNTING.items() if options.get(name) is not None]
    return ", ".join(
        ["ALWAYS" if options.get("always") else "BY DEFAULT", *said, "CYCLE" if options.get("cycle") else "NO CYCLE"]
    )
