"""The tables of a database, with how many rows they have and what they take up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dbctl.backends.names import unquoted
from dbctl.errors import NotFound
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.backends.inventory import Relation
    from dbctl.work.database import Database

_log = logging.getLogger(__name__)


@record
class Listed:
    """A table, or what can be read as one. `estimated` says that `rows` is the server's estimate."""

    schema: str | None
    table: str
    kind: str
    rows: int | None
    estimated: bool | None
    data: str | None
    indexes: str | None
    data_bytes: int | None = field(metadata={"table": False})
    index_bytes: int | None = field(metadata={"table": False})
    comment: str | None = field(default=None, metadata={"across": True})


def tables_of(
    database: Database, pattern: str | None = None, schema: str | None = None, *, exact: bool = False
) -> Sequence[Listed]:
    """Return the tables and views that there are.

    Args:
        database: Where.
        pattern: What their names match, as in `hero_*`, with the schema before them or without.
        schema: The schema; all but the system's own unless given, and on MySQL the profile's database.
        exact: Whether all rows are counted, also those of large tables.

    Raises:
        NotFound: Nothing is called so.
    """
    connection, backend = database.session.connection(), database.backend
    found = [
        each for each in backend.catalog.inventory(connection, schema) if pattern is None or _matches(each, pattern)
    ]
    if not found and (pattern is not None or schema is not None):
        what = f"no table is called {pattern}" if pattern is not None else "there is no table"
        raise NotFound(f"{what}{f' in schema {schema}' if schema is not None else ''}")
    listed = [_listed(backend, connection, each, exact=exact) for each in found]
    for sentence in backend.catalog.unknown(connection, found):
        _log.info("%s", sentence)
    if estimated := sum(one.estimated is True for one in listed):
        _log.info("the rows of %s are estimates", "1 table" if estimated == 1 else f"{estimated} tables")
    return listed


def counted(
    backend: Backend, connection: Connection, relation: Relation, *, exact: bool = False
) -> tuple[int | None, bool | None]:
    """Return how many rows a relation has, and whether that is an estimate.

    A small table is counted; of a large one the server's own estimate is taken unless all is to be exact.
    """
    from sqlalchemy import func, select, table

    if not relation.has_rows:
        return None, None
    if not relation.readable or not (exact or backend.catalog.is_counted_soon(connection, relation)):
        return relation.rows, None if relation.rows is None else True
    place = table(relation.name, schema=relation.schema)
    return connection.scalar(select(func.count()).select_from(place)), False


def size_text(size: int | None) -> str | None:
    """Return a number of bytes as a person reads it, in units of 1024."""
    if size is None or size < 1024:
        return None if size is None else f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024 or unit == "TiB":
            break
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def _matches(relation: Relation, pattern: str) -> bool:
    plain = unquoted(pattern)
    return fnmatchcase(relation.name, plain) or fnmatchcase(f"{relation.schema}.{relation.name}", plain)


def _listed(backend: Backend, connection: Connection, relation: Relation, *, exact: bool) -> Listed:
    rows, estimated = counted(backend, connection, relation, exact=exact)
    return Listed(
        relation.schema,
        relation.name,
        relation.kind,
        rows,
        estimated,
        size_text(relation.data_bytes),
        size_text(relation.index_bytes),
        relation.data_bytes,
        relation.index_bytes,
        relation.comment,
    )
