"""Comparing models with a database: what is missing there, what is there beside them, and what differs."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dbctl.backends.copies import PLACES
from dbctl.backends.lock_statements import TABLE as LOCKS
from dbctl.backends.relations import TABLE
from dbctl.drift.named_types import compare_enum_types, compare_sequences, differing_types, scratch_types
from dbctl.drift.scratch import Scratch
from dbctl.drift.state import Difference, State
from dbctl.drift.telling import differences_of
from dbctl.errors import ConfigError
from dbctl.migrations.halfway import SUFFIX
from dbctl.runtime.distribution import how_to_install
from dbctl.tables.catalog import VERSIONS
from dbctl.tables.refusals import refuse_nameless_indexes

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData

    from dbctl.backends.base import Backend

_log = logging.getLogger("dbctl")

_BOOKKEEPING = (LOCKS, PLACES, VERSIONS, f"{VERSIONS}{SUFFIX}")
"""Tables that are dbctl's own and alembic's, in whatever schema they are."""


def differences(
    connection: Connection, backend: Backend, metadata: Sequence[MetaData], ignore: Sequence[str] = ()
) -> list[Difference]:
    """Return in what a database differs from what models declare.

    Nothing that stays is written. Where declaration and database may only use other words, the model's table is made
    once more as a temporary one and read back; where that may not be done, words are compared.

    Args:
        connection: A connection in whose transaction is looked, and which may make temporary tables in it.
        backend: Its backend.
        metadata: What the models declare. Only schemas that they name are looked at.
        ignore: Patterns (`fnmatch`) of the names of tables, types and sequences that are left alone, with their schema
            or without.

    Raises:
        ConfigError: alembic is not installed, or a table is declared twice.
        WorkRefused: An index has no name.
        Unsupported: The database has no temporary tables.
    """
    try:
        from alembic.autogenerate import produce_migrations
        from alembic.migration import MigrationContext

        from dbctl.drift.plugin import PLUGINS, STATE
    except ImportError as error:
        raise ConfigError("alembic 1.18 or newer is not installed", how_to_install("migrate")) from error
    _refuse_doubles(metadata)
    refuse_nameless_indexes(table for each in metadata for table in each.tables.values())
    backend.refuse_drift()
    impl = MigrationContext.configure(connection).impl
    types = differing_types(connection, backend, metadata)
    as_declared = scratch_types(connection, backend, types)
    state = State(connection, backend, Scratch(connection, backend, impl.autogen_column_reflect, as_declared), ignore)
    schemas = _schemas(connection, metadata)
    options = {
        STATE: state,
        "autogenerate_plugins": PLUGINS,
        "include_schemas": True,
        "include_name": _names(state, schemas, metadata),
        "include_object": lambda item, name, kind, *_: kind != "table" or not state.ignores(name, item.schema),
    }
    context = MigrationContext.configure(connection, opts=options)
    with _without_warnings():
        found = produce_migrations(context, list(metadata))  # type: ignore[arg-type]
        told = [*differences_of(found.upgrade_ops, state), *state.differences]  # type: ignore[arg-type]
        own = [*compare_enum_types(state, schemas, types, told), *compare_sequences(state, schemas, metadata)]
    order = sorted(told, key=lambda each: (each.table, each.part != "table", each.part))
    return [*own, *(each for each in _paired(order) if not _is_other(state, each))]


def _paired(found: Iterable[Difference]) -> Iterator[Difference]:
    """Make one of what is there and what shall be there in its place."""
    for _, some in groupby(found, key=lambda each: (each.table, each.part)):
        extra: list[Difference] = []
        missing: list[Difference] = []
        for each in some:
            (extra if each.models is None else missing).append(each)
        while extra and missing:
            old, new = extra.pop(), missing.pop()
            both = [*old.operations, *new.operations]
            yield replace(new, database=old.database, operations=both)
        yield from (*extra, *missing)


def _refuse_doubles(metadata: Sequence[MetaData]) -> None:
    counted = Counter(name for each in metadata for name in each.tables)
    if twice := [name for name, count in counted.items() if count > 1]:
        raise ConfigError(
            f"models: {', '.join(sorted(twice))}: declared by more than one MetaData, so that one of them differs",
            "name the modules of one of them",
        )


def _schemas(connection: Connection, metadata: Sequence[MetaData]) -> set[str | None]:
    """Return the schemas that models name, the default one as None."""
    default = connection.dialect.default_schema_name
    named = {table.schema for each in metadata for table in each.tables.values()}
    return {None if schema == default else schema for schema in named}


def _names(
    state: State, schemas: Collection[str | None], metadata: Sequence[MetaData]
) -> Callable[[str | None, str, Mapping[str, Any]], bool]:
    """Return what tells alembic which schemas and tables to look at."""
    default = state.connection.dialect.default_schema_name
    ours = {
        (None if table.schema == default else table.schema, table.name)
        for each in metadata
        for table in each.tables.values()
    }
    others: dict[str | None, Collection[str]] = {}

    def is_looked_at(name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:
        if kind == "schema":
            return name in schemas
        if kind == "column":
            return not state.backend.is_made_up(state.connection, metadata, name, parents)
        if kind != "table" or name is None:
            return True
        schema = parents["schema_name"]
        if schema not in others:
            others[schema] = {*_BOOKKEEPING, *state.backend.catalog.others_tables(state.connection, schema)}
        is_others = name in others[schema] and (schema, name) not in ours
        return not is_others and not state.ignores(name, schema)

    return is_looked_at


def _is_other(state: State, found: Difference) -> bool:
    """Tell whether what misses a table is a view or the like in its place, as `init-tables` leaves it."""
    if found.part != "table" or found.database is not None:
        return False
    schema, _, name = found.table.rpartition(".")
    kind = state.backend.relations(state.connection, schema or None).get(name)
    if kind is None or kind == TABLE:
        return False
    _log.info("%s: not compared, since it is a %s in the database", found.table, kind)
    return True


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep SQLAlchemy and alembic from warning of what they can't read or alter: that is looked at otherwise."""
    from sqlalchemy.exc import SAWarning

    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)
            warnings.filterwarnings("ignore", module="alembic")
            yield
    finally:
        logger.setLevel(level)
