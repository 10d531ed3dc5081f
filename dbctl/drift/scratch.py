"""Asking the database what it makes of a model's table, by making it as a temporary table of this session.

What a model declares and what a database tells of itself are often spelled differently: `BOOL` and `tinyint(1)`,
`'now'` and `'now'::text`, `age>0` and `(age > 0)`. Declared twice to the same database, they are spelled the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbctl.backends.definitions import Definition
from dbctl.drift.facts import Facts, checks_of, compiler_of, facts_of_reflected, if_any, indexes_of
from dbctl.errors import ConnectError, OutOfTime
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Index, Table
    from sqlalchemy.engine import Inspector

    from dbctl.backends.base import Backend

_log = logging.getLogger("dbctl")


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
        types: What makes types of this session as the models declare them, where the database's differ.
    """

    connection: Connection
    backend: Backend
    correct: Callable[[Inspector, Table, dict[str, Any]], None]
    types: Sequence[str] = ()
    _made: dict[Table, Made | None] = field(default_factory=dict)
    _columns: dict[str, Facts] = field(default_factory=dict)

    def made_of(self, table: Table) -> Made | None:
        """Return what the database makes of a table; None where it makes none of it, which is told once."""
        if table not in self._made:
            self._made[table] = self._try(table)
        return self._made[table]

    def column(self, column: Column[Any]) -> Facts | None:
        """Return what the database makes of a column; what is declared alike is made once."""
        compiler = compiler_of(self.connection.dialect)
        name = self.connection.dialect.identifier_preparer.format_column(column)
        said = compiler.get_column_specification(column).removeprefix(name)
        if column.computed is not None:
            said = f"{column.table.key}: {said}"
        if said not in self._columns and (made := self.made_of(column.table)):
            self._columns[said] = made.columns[column.name]
        return self._columns.get(said)

    def understood(self, table: Table, *expressions: str) -> dict[str, str]:
        """Return expressions on a table in one form for all words of the same meaning, by the words that they are in.

        Left out are those that the table can't have, and all where the database keeps to the words that it was told.
        """
        catalog = self.backend.catalog
        if not catalog.rewords or self.made_of(table) is None:
            return {}
        with self._nested():
            named = self._create(table)
            found = {each: catalog.understood(self.connection, named, each) for each in expressions}
        return {words: form for words, form in found.items() if form is not None}

    def same(self, table: Table, one: str | None, other: str | None) -> bool:
        """Tell whether two expressions on a table are the same, in whatever words."""
        spelled = self.backend.catalog.expression_text
        if one is None or other is None or spelled(one) == spelled(other):
            return (one is None) == (other is None)
        understood = self.understood(table, one, other)
        return one in understood and understood[one] == understood.get(other)

    def retyping(self, column: Column[Any], have: str, want: str) -> Mapping[str, Any]:
        """Return what alembic is to be told beside a column's new type, for its values to be converted to that."""
        if self.made_of(column.table) is None:
            return {}
        with self._nested():
            for statement in self.types:
                self.connection.exec_driver_sql(statement.replace("%", "%%"))
            named = self.connection.dialect.identifier_preparer.format_column(column)
            return self.backend.catalog.retyping(self.connection, named, have, want)

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

    def _create(self, table: Table) -> str:
        """Create a table without its indexes and foreign keys, and return its name as SQL."""
        from sqlalchemy.schema import CreateTable

        dialect, catalog = self.connection.dialect, self.backend.catalog
        for statement in self.types:
            self.connection.exec_driver_sql(statement.replace("%", "%%"))
        named = dialect.identifier_preparer.format_table(table, use_schema=catalog.scratch_schema_named)
        create = str(CreateTable(table, include_foreign_key_constraints=[]).compile(dialect=dialect))
        self.connection.exec_driver_sql(f"{catalog.scratch_create} {named} ({create.partition('(')[2]}")
        return named

    def _make(self, table: Table) -> Made:
        from sqlalchemy import inspect

        dialect, backend = self.connection.dialect, self.backend
        named = self._create(table)
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
                checks_of(if_any(inspector.get_check_constraints, table.name, schema)),
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
