"""What a service, or a person, is told of drift."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from dbctl.errors import CheckFailed
from dbctl.records import record
from dbctl.results import PlainText

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData

    from dbctl.connections.connector import Connector
    from dbctl.drift.state import Difference

_log = logging.getLogger("dbctl")


@record
class Drift:
    """One thing in which models and database differ.

    `table` has its schema where the models name one; it may be a type or a sequence. `part` is which of its parts,
    `table` for all of it. `drift` is `missing` or `extra` in the database, or `differs`.
    """

    table: str
    part: str
    drift: Literal["missing", "extra", "differs"]
    models: str | None
    database: str | None


@record
class Statement(PlainText):
    """A statement that would mend it."""

    sql: str

    def __str__(self) -> str:
        return f"{self.sql};\n"


def check_drift(
    connector: Connector[Engine], metadata: Sequence[MetaData], *, ignore: Sequence[str] = (), sql: bool = False
) -> Sequence[Drift | Statement]:
    """Compare a database with models, and return nothing where they are the same.

    All is read in one transaction that is rolled back.

    Args:
        connector: Where.
        metadata: What the models declare.
        ignore: Patterns of the names of tables, types and sequences that are left alone, as in
            `dbctl.drift.comparison.differences`.
        sql: Whether the DDL that would mend it is the result, instead of what differs.

    Raises:
        CheckFailed: They differ; `result` has it.
        ConfigError: alembic is not installed, or a table is declared twice.
    """
    from dbctl.drift.comparison import differences
    from dbctl.drift.mending import statements

    with connector.engine.connect() as connection:
        found = differences(connection, connector.backend, metadata, ignore)
        told: Sequence[Drift | Statement] = [_drift(each) for each in found]
        if sql and found:
            told = [Statement(each) for each in statements(connection, connector.backend, metadata, found)]
    if not found:
        count = sum(len(each.tables) for each in metadata)
        tables = "1 table" if count == 1 else f"{count} tables"
        _log.info("%s: no drift in %s", connector.profile.called, tables)
        return []
    differ = "1 difference" if len(found) == 1 else f"{len(found)} differences"
    raise CheckFailed(f"{connector.profile.called}: {differ} between models and database", told)


def _drift(found: Difference) -> Drift:
    whole = found.part == "table"
    drift: Literal["missing", "extra", "differs"] = "differs"
    if found.database is None:
        drift = "missing"
    elif found.models is None:
        drift = "extra"
    models, database = (None, None) if whole else (found.models, found.database)
    return Drift(found.table, found.part, drift, models, database)
