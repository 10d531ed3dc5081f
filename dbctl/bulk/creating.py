"""Creating tables as another database has them: columns, keys and indexes, with types of the target's own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from dbctl.backends.exports import run_as_it_stands
from dbctl.backends.names import called
from dbctl.bulk.drafts import Draft, There
from dbctl.bulk.reading_out import Moment, name_there, usual_schema
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.inventory import Relation

_log = logging.getLogger("dbctl")


@record
class Blueprint:
    """Tables that the target lacks.

    Args:
        schemas: The SQL that creates the schemas that they are in.
        types: The SQL that creates the types that they have.
        tables: The SQL that creates each, by its name as SQL.
        further: The SQL that creates their indexes and foreign keys, in order.
        names: What they are called.
    """

    schemas: Sequence[str]
    types: Sequence[str]
    tables: Mapping[str, str]
    further: Sequence[str]
    names: Sequence[str]


def blueprint(moment: Moment, backend: Bulk, connection: Connection, relations: Sequence[Relation]) -> Blueprint:
    """Return what creates those of some tables that the target lacks.

    Args:
        moment: The source.
        backend: That of the target.
        connection: A connection to the target.
        relations: The source's tables.

    Raises:
        UsageError: One refers to a column of another type than its own.
    """
    from sqlalchemy import inspect

    there = backend.catalog.inventory(connection, None)
    own = usual_schema(connection)
    fold = backend.name_folder(connection)
    names = {fold(name) for one in there for name in (called(one, own), f"{one.schema}.{one.name}")}
    lacking: dict[str, Relation] = {}
    for one in relations:
        if (name := fold(name_there(moment, backend, one))) not in names:
            lacking.setdefault(name, one)  # two of one name are refused when they are paired
    missing, own_names = list(lacking.values()), names | lacking.keys()
    known = There(names, own_names, fold, backend.known_collations(connection), backend.table_options(connection))
    drafts = [Draft(moment, backend, connection, one, known) for one in missing]
    if backend.keys_of_one_type:
        by_name = dict(zip(((one.schema, one.name) for one in missing), drafts, strict=True))
        for draft in drafts:
            draft.refuse_uneven(by_name)
    taken = {name.lower() for name in own_names}
    types = [one for draft in drafts for one in draft.types.values()]
    schemas = {schema for schema in [one.schema for one in drafts] + [one.schema for one in types] if schema}
    absent = schemas and schemas - set(inspect(connection).get_schema_names())  # to look needs no right to create
    return Blueprint(
        [f"CREATE SCHEMA {backend.sql_name(name)}" for name in sorted(absent)],
        sorted({one.creates for one in types if one.creates}),
        {draft.place: draft.table(taken) for draft in drafts},
        [text for draft in drafts for text in draft.after(taken)],
        [name_there(moment, backend, one) for one in missing],
    )


def create(connection: Connection, backend: Bulk, plan: Blueprint, made: list[str]) -> None:
    """Create the tables, and say so.

    Args:
        connection: A connection to the target.
        backend: That of the target.
        plan: What they are.
        made: Is told the name, as SQL, of each table that is created.
    """
    for statement in (*plan.schemas, *plan.types):
        run_as_it_stands(connection, statement)
    with backend.keys_at_end(connection, ()) if backend.creates_whole else nullcontext():  # to what is created later
        for place, statement in plan.tables.items():
            run_as_it_stands(connection, statement)
            made.append(place)
    for statement in plan.further:
        run_as_it_stands(connection, statement)
    if plan.names:
        _log.info("created as the source has them: %s", ", ".join(plan.names))
