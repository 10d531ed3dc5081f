"""Making the table that files are loaded into: from a service's model, or as a Parquet file has its columns."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.names import parts_of
from dbctl.bulk import sources
from dbctl.bulk.models import table_of
from dbctl.bulk.reading_parquet import opened
from dbctl.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Table

    from dbctl.work.database import Database

_log = logging.getLogger(__name__)


def make_table(database: Database, name: str, files: Sequence[tuple[str, str]]) -> None:
    """Create a table that is not there; one that is stays as it is.

    Args:
        database: Where.
        name: Its name, with its schema before it where that is not the default one.
        files: The files that are to be loaded, and their formats.

    Raises:
        UsageError: No model has the table, and the first file is no Parquet: types are not guessed.
    """
    from sqlalchemy import inspect

    connection = database.session.connection()
    schema, bare = parts_of(name)
    there = inspect(connection)
    if there.has_table(bare, schema) or there.has_table(name):
        return
    table = _of_model(database, bare, schema)
    if table is None:
        table = _of_parquet(bare, schema, *files[0])
    if table is None:
        raise UsageError(
            f"there is no table {name}, no model defines it, and {files[0][0]} says nothing of types",
            "name the modules with the profile's key models, or create it",
        )
    table.create(connection)
    stays = "" if database.backend.transactional_ddl else ", and stays whatever comes of the rows"
    _log.info("table %s is created%s", name, stays)


def _of_model(database: Database, name: str, schema: str | None) -> Table | None:
    """Return the table that the profile's models define; None where there is none, or there are no models."""
    try:
        return table_of(database.profile, name, schema)
    except ConfigError as error:
        raise ConfigError(f"--create: {error.message}", error.hint) from error


def _of_parquet(name: str, schema: str | None, file: str, format_: str) -> Table | None:
    if format_ != "parquet":
        return None
    from sqlalchemy import Column, MetaData, Table

    with sources.opened(file) as source:
        read, arrow = opened(source)
        fields = read.schema_arrow
        columns: list[Column[Any]] = [
            Column(one.name, _type(one, arrow, file), nullable=one.nullable) for one in fields
        ]
    return Table(name, MetaData(schema=schema), *columns)


def _type(field: Any, arrow: Any, file: str) -> Any:
    """Return the type that holds all values of a field.

    Raises:
        UsageError: There is none for it.
    """
    import sqlalchemy as sa

    known, type_ = arrow.types, field.type
    if known.is_decimal(type_):
        behind = max(type_.scale, 0)
        return sa.Numeric(max(type_.precision - min(type_.scale, 0), behind), behind)
    if known.is_timestamp(type_):
        return sa.DateTime(timezone=type_.tz is not None)
    if known.is_uint64(type_):
        return sa.Numeric(20, 0)
    found = [
        (known.is_boolean, sa.Boolean()),
        (lambda one: known.is_int8(one) or known.is_int16(one) or known.is_uint8(one), sa.SmallInteger()),
        (lambda one: known.is_int32(one) or known.is_uint16(one), sa.Integer()),
        (known.is_integer, sa.BigInteger()),
        (known.is_floating, sa.Double()),
        (known.is_date, sa.Date()),
        (known.is_time, sa.Time()),
        (lambda one: known.is_string(one) or known.is_large_string(one), sa.Text()),
        (lambda one: known.is_binary(one) or known.is_large_binary(one), sa.LargeBinary()),
        (lambda one: known.is_list(one) or known.is_struct(one) or known.is_map(one), sa.JSON()),
    ]
    for fits, made in found:
        if fits(type_):
            return made
    raise UsageError(f"{file}: no type is known for column {field.name}, which is {type_}", "create the table")
