"""What one comparison knows: the database as it is, looked at once, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dbctl.backends.definitions import Definition
from dbctl.drift.facts import Facts, checks_of
from dbctl.drift.scratch import Scratch
from dbctl.records import record

if TYPE_CHECKING:
    from alembic.operations.ops import AlterColumnOp
    from sqlalchemy import Column, Connection
    from sqlalchemy.engine import Inspector

    from dbctl.backends.base import Backend


@record
class Difference:
    """One thing in which models and database differ.

    Args:
        table: The table, with its schema where the models name one; or the type, the sequence.
        part: Which of its parts, as in `column age`; `table` for all of it.
        models: What the models declare; None where they have nothing of the kind.
        database: What the database has; None where it has nothing of the kind.
        operations: alembic's operations that would mend it.
    """

    table: str
    part: str
    models: str | None
    database: str | None
    operations: Sequence[Any] = ()


def running(statement: str) -> Any:
    """Return alembic's operation that runs a statement as it stands."""
    from alembic.operations.ops import ExecuteSQLOp
    from sqlalchemy import DDL

    return ExecuteSQLOp(DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]


@dataclass
class State:
    """The comparison under way.

    Args:
        connection: The connection that is asked.
        backend: Its backend.
        scratch: Asks the database for its own words.
        ignore: Patterns of names that are left alone.
        differences: What was found, beside what alembic itself finds.
    """

    connection: Connection
    backend: Backend
    scratch: Scratch
    ignore: Sequence[str]
    differences: list[Difference] = field(default_factory=list)
    columns: dict[tuple[str | None, str, str], tuple[Facts | None, Facts]] = field(default_factory=dict)
    """Of each column that differs: what the database makes of the model, and what it has."""
    models: dict[tuple[str | None, str, str], Column[Any]] = field(default_factory=dict)
    """The models' columns that are there."""
    left_by_key: dict[int, Any] = field(default_factory=dict)
    """What drops the index that was made for a foreign key, by the identity of the operation that drops the key."""
    before: dict[int, Sequence[Any]] = field(default_factory=dict)
    """What goes before an operation that alters a column, by the identity of that."""
    _indexes: dict[str | None, Mapping[str, Mapping[str, Definition]]] = field(default_factory=dict)
    _checks: dict[str | None, Mapping[Any, Any]] = field(default_factory=dict)

    def altering(self, change: AlterColumnOp) -> Any:
        """Return what alters a column as an operation says: that operation, or a statement of the database's own."""
        model = self.models[change.schema, change.table_name, change.column_name]
        statement = self.backend.catalog.alter_column_statement(self.connection, model)
        return change if statement is None else running(statement)

    def ignores(self, name: str, schema: str | None) -> bool:
        """Tell whether a name, or a name with its schema, is to be left alone."""
        names = [name, f"{schema}.{name}"] if schema else [name]
        return any(fnmatchcase(each, pattern) for each in names for pattern in self.ignore)

    def indexes(self, inspector: Inspector, schema: str | None, table: str) -> Mapping[str, Definition]:
        """Return the indexes that a table has; those of a whole schema are looked at once."""
        if schema not in self._indexes:
            self._indexes[schema] = self.backend.catalog.index_definitions(inspector, schema)
        return self._indexes[schema].get(table, {})

    def checks(self, inspector: Inspector, schema: str | None, table: str) -> Mapping[str, str]:
        """Return the check constraints that a table has; those of a whole schema are looked at once."""
        if schema not in self._checks:
            self._checks[schema] = inspector.get_multi_check_constraints(schema=schema)
        return checks_of(self._checks[schema].get((schema, table), ()))

    def name(self, name: str, schema: str | None) -> str:
        """Return a name with its schema, if that is not the default one."""
        default = self.connection.dialect.default_schema_name
        return name if schema in {None, default} else f"{schema}.{name}"
