"""Copying tables from one database into another, of whichever kind: whole, or not at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from dbctl.backends.bulk import Rows, Target
from dbctl.bulk import reading_out
from dbctl.bulk.columns import Layout
from dbctl.bulk.creating import Blueprint, blueprint, create
from dbctl.bulk.crossing import Copied, Crossing, Wish
from dbctl.bulk.loading import Bad, Loader
from dbctl.bulk.ordering import ordered
from dbctl.bulk.plans import Pair, Plan, refuse_losses
from dbctl.bulk.reading_out import Moment, called, one_moment, usual_schema
from dbctl.bulk.verifying import verify
from dbctl.connections.connector import opened
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import NotFound, UsageError, WorkRefused
from dbctl.work.progress import report
from dbctl.work.retries import run_unit

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.base import Backend
    from dbctl.backends.exports import Texts
    from dbctl.backends.inventory import Relation
    from dbctl.connections.connector import Connector
    from dbctl.work.database import Database

T = TypeVar("T")

_log = logging.getLogger("dbctl")


def copy(crossing: Crossing, source: str, wish: Wish) -> Sequence[Copied]:
    """Copy tables into another database, in one transaction of it.

    Args:
        crossing: Where to.
        source: The name of the profile that they come from.
        wish: What is copied.

    Raises:
        UsageError: Both are the same database, or nothing is named.
        NotFound: A table or a column is not there.
        WorkRefused: A column would lose something, or a row is refused; nothing is changed.
    """
    target = crossing.target
    with opened(crossing.named(source)) as connector, one_moment(connector) as moment:
        if not wish.create or target.backend.transactional_ddl:
            return _in_unit(target, lambda unit: _copy(moment, unit, wish))
        plan = _in_unit(target, lambda unit: _created(moment, unit, wish))
        try:
            return _in_unit(target, lambda unit: _copy(moment, unit, wish))
        except BaseException:
            _in_unit(target, lambda unit: _dropped(unit, plan))
            raise


def _in_unit(target: Connector[Engine], work: Callable[[Database], T]) -> T:
    return run_unit(target, work, retries=0, writes=True)


def _created(moment: Moment, unit: Database, wish: Wish) -> Blueprint:
    """Create the tables that the target lacks, in its transaction where it can."""
    connection = unit.session.connection()
    refuse_same(moment, unit.backend, connection)
    plan = blueprint(moment, unit.backend, connection, chosen_sources(moment, wish))
    create(connection, plan)
    return plan


def _dropped(unit: Database, plan: Blueprint) -> None:
    connection = unit.session.connection()
    with unit.backend.keys_at_end(connection, ()):
        for statement in plan.drops:
            connection.exec_driver_sql(statement)


def _copy(moment: Moment, unit: Database, wish: Wish) -> Sequence[Copied]:
    connection = unit.session.connection()
    refuse_same(moment, unit.backend, connection)
    if wish.create and unit.backend.transactional_ddl:
        _created(moment, unit, wish)
    pairs = paired(moment, unit.backend, connection, wish)
    order = ordered(connection, [one.target for one in pairs])
    by_target = {one.target: one for one in pairs}
    plans = [Plan.of(moment, unit.backend, connection, by_target[one], wish) for one in order.tables]
    refuse_losses(plans, lossy=wish.lossy)
    done = []
    loosely = unit.backend.keys_at_end(connection, order.loose) if order.loose else nullcontext()
    with unit.backend.takes_rows(connection, strict=not wish.lossy), loosely:
        for plan in plans:
            began = time.monotonic()
            rows = load(moment, unit, plan)
            done.append(Copied(plan.pair.name, rows, round(time.monotonic() - began, 3), verified=False))
    return done if not wish.verify else _verified(moment, unit, plans, done)


def _verified(moment: Moment, unit: Database, plans: Sequence[Plan], done: Sequence[Copied]) -> Sequence[Copied]:
    """Compare all tables with their copies, behind all that triggers and foreign keys may have done."""
    connection = unit.session.connection()
    for plan in plans:
        verify(moment, unit.backend, connection, plan)
    return [replace(one, verified=True) for one in done]


def refuse_same(moment: Moment, backend: Backend, connection: Connection) -> None:
    """Do nothing where two connections lead to different databases; they are asked, whatever their URLs say.

    Raises:
        UsageError: They lead to the same.
    """
    if backend.leads_here(connection, moment.connection):
        raise UsageError("--from and --to lead to the same database", "name two")


def chosen_sources(moment: Moment, wish: Wish) -> Sequence[Relation]:
    """Return the tables that are copied.

    Raises:
        NotFound: One of them is not there.
    """
    if wish.all == bool(wish.tables):
        raise UsageError("there is to be one of TABLE and --all", "name tables, or say --all")
    return reading_out.all_tables(moment) if wish.all else [reading_out.table(moment, name) for name in wish.tables]


def paired(moment: Moment, backend: Backend, connection: Connection, wish: Wish) -> Sequence[Pair]:
    """Return the tables that are copied, each with the one that it comes into.

    Raises:
        NotFound: One of them is not there.
    """
    usual = usual_schema(moment.connection)
    found = []
    for source in chosen_sources(moment, wish):
        name = called(source, usual)
        try:
            target = reading_out.chosen(backend, connection, name)
        except NotFound as error:
            raise NotFound(error.message, "create it first: --create makes it as the source has it") from error
        if not target.has_rows:
            raise UsageError(f"{name} is a {target.kind} in {backend.profile.called}", "name a table")
        found.append(Pair(source, target, name))
    if unknown := set(wish.where) - {""} - {one.name for one in found}:
        raise UsageError(f"--where: {', '.join(sorted(unknown))} is not copied", "name a table that is")
    return found


def load(moment: Moment, unit: Database, plan: Plan) -> int:
    """Copy the rows of a table, and return how many there are."""
    names = [one.name for one in plan.own]
    layout = Layout(plan.own, list(range(len(names))), {})
    target = Target(plan.pair.target.schema, plan.pair.target.name, ())

    def refuse(bad: Bad) -> None:
        column = f", column {bad.column}" if bad.column else ""
        raise WorkRefused(f"{plan.pair.name}{column}: {bad.reason}")

    loader = Loader(unit.session.connection(), unit.backend, target, bad=refuse, goes_on=False)

    def take(columns: Sequence[Texts]) -> None:
        raise_if_ended()
        count = len(columns[0])
        lines = range(loader.seen + 1, loader.seen + count + 1)
        loader.load(Rows(plan.pair.name, names, lines, plan.converted(columns)), layout)
        report(loader.seen, None, "rows", plan.pair.name)

    moment.backend.read_rows(moment.connection, plan.readable.selection, take)
    loader.conclude()
    return loader.written
