"""What is copied, and where to; and what of that is refused before a row is read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dbctl.backends.names import called
from dbctl.bulk import bookkeeping, reading_out
from dbctl.bulk.plans import Pair
from dbctl.bulk.reading_out import Moment, usual_schema, writable
from dbctl.errors import NotFound, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.inventory import Relation
    from dbctl.bulk.crossing import Wish
    from dbctl.connections.connector import Connector

_log = logging.getLogger("dbctl")


def refuse_same(moment: Moment, backend: Bulk, connection: Connection) -> None:
    """Do nothing where two connections lead to different databases; they are asked, whatever their URLs say.

    Raises:
        UsageError: They lead to the same, or to servers of one cluster.
        WorkRefused: They may, and it is not told to this user.
    """
    if backend.shares_tables(connection, moment.connection):
        raise UsageError(
            "--from and --to lead to the same database", "name two: all servers of a cluster have the same"
        )


def chosen_sources(moment: Moment, wish: Wish, *, telling: bool = False) -> Sequence[Relation]:
    """Return the tables that are copied: of all, those that have a column for it.

    Args:
        moment: The source.
        wish: What is copied.
        telling: Whether the others are told.

    Raises:
        NotFound: One of them is not there, or has no such column.
    """
    if wish.all == bool(wish.tables):
        raise UsageError("there is to be one of TABLE and --all", "name tables, or say --all")
    if wish.exclude and not wish.all:
        raise UsageError("--exclude is about --all", "leave one of them out")
    if wish.all:
        found = bookkeeping.without_own(moment, reading_out.all_tables(moment, wish.exclude))
    else:
        found = list(dict.fromkeys(reading_out.table(moment, name) for name in wish.tables))
    bare = [one for one in found if not writable(moment.backend.table_columns(moment.connection, one))]
    for one in bare:
        text = f"{called(one, usual_schema(moment.connection))} has no column that can be copied"
        if not wish.all:
            raise NotFound(text, "leave it out")
        if telling:
            _log.warning("%s: it is left out", text)
    return [one for one in found if one not in bare]


def paired(moment: Moment, backend: Bulk, connection: Connection, wish: Wish) -> Sequence[Pair]:
    """Return the tables that are copied, each with the one that it comes into.

    Raises:
        NotFound: One of them is not there.
        UsageError: It has no rows of its own, or is another one's too.
    """
    usual = usual_schema(moment.connection)
    found: list[Pair] = []
    for source in chosen_sources(moment, wish, telling=True):
        if wish.all and bookkeeping.stays(moment, source, backend, connection, create=wish.create):
            continue
        name = called(source, usual)
        try:
            target = reading_out.like(moment, backend, connection, source)
        except NotFound as error:
            raise NotFound(error.message, "create it first: --create makes it as the source has it") from error
        if not target.has_rows:
            raise UsageError(f"{name} is a {target.kind} in {backend.profile.called}", "name a table")
        if other := next((one.name for one in found if one.target == target), None):
            raise UsageError(
                f"{other} and {name} are one table in {backend.profile.called}, which takes their names for the same",
                "copy one of them, or rename it",
            )
        found.append(Pair(source, target, name))
    if unknown := set(wish.where) - {""} - {one.name for one in found}:
        raise UsageError(f"--where: {', '.join(sorted(unknown))} is not copied", "name a table that is")
    return found


def refuse_jobs(moment: Moment, target: Connector[Engine], wish: Wish) -> None:
    """Do nothing where several sessions can copy, of which no two can commit as one.

    Raises:
        UsageError: They can't.
    """
    if not wish.resume:
        raise UsageError(
            "several sessions have no transaction in common: --jobs goes with --resume", "say both, or none"
        )
    if not moment.backend.reads_with_jobs or moment.snapshot is None:
        raise UsageError(f"{moment.backend.title} has no moment that several sessions could read", "leave --jobs out")
    if not target.backend.bulk.takes_jobs:
        raise UsageError(f"one session at a time writes to {target.backend.title}", "leave --jobs out")


def refuse_idle_masks(moment: Moment, wish: Wish) -> None:
    """Do nothing where each mask fits a column.

    Raises:
        UsageError: One fits none.
    """
    usual = usual_schema(moment.connection)

    def columns(tables: Iterable[Relation]) -> Iterator[str]:
        for one in tables:
            for column in moment.backend.table_columns(moment.connection, one):
                yield f"{called(one, usual)}.{column.name}"

    if wish.masks.rules:
        chosen = chosen_sources(moment, wish)
        others = (one for one in moment.backend.catalog.inventory(moment.connection, None) if one not in chosen)
        wish.masks.refuse_idle(list(columns(chosen)), columns(others))
