"""Copying tables from one database into another, of whichever kind: whole, or not at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dbctl.backends.bulk import Rows, Target
from dbctl.bulk import reading_out, resuming
from dbctl.bulk.columns import Layout
from dbctl.bulk.creating import blueprint, create
from dbctl.bulk.crossing import Copied, Crossing, Wish
from dbctl.bulk.loading import Bad, Loader
from dbctl.bulk.ordering import ordered
from dbctl.bulk.plans import Pair, Plan, refuse_losses
from dbctl.bulk.reading_out import Moment, called, one_moment, usual_schema
from dbctl.bulk.rejects import told
from dbctl.bulk.verifying import verify
from dbctl.connections.connector import opened
from dbctl.connections.watching import raise_if_ended, watched_by
from dbctl.errors import Conflict, DbctlError, NotFound, OutcomeUnknown, UsageError
from dbctl.work.progress import report
from dbctl.work.retries import run_unit

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.exports import Texts
    from dbctl.backends.inventory import Relation
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
        UsageError: Both are the same database, nothing is named, or a mask names no column.
        NotFound: A table or a column is not there.
        WorkRefused: A column would lose something, or a row is refused; nothing is changed.
    """
    target = crossing.target
    commits_before = wish.create and not target.backend.transactional_ddl
    if crossing.dry_run and (wish.resume or commits_before):
        what = "--resume commits" if wish.resume else f"{target.backend.title} commits what --create makes"
        raise UsageError(f"{what}, and a dry run commits nothing", "leave one of them out")
    with opened(crossing.named(source)) as connector, one_moment(connector) as moment:
        _refuse_idle_masks(moment, wish)
        if wish.resume:
            return _Resumed(moment, crossing, source, wish).all()
        if not commits_before:
            return crossing.in_unit(lambda unit: _copy(moment, unit, wish), dry_run=crossing.dry_run)
        return _copy_into_new(moment, crossing, wish)


def _copy_into_new(moment: Moment, crossing: Crossing, wish: Wish) -> Sequence[Copied]:
    """Copy into tables of which a target commits by itself that they are created; where it fails take them away."""
    made: list[str] = []
    try:
        crossing.in_unit(lambda unit: _create(moment, unit, wish, made))
        return crossing.in_unit(lambda unit: _copy(moment, unit, wish))
    except OutcomeUnknown:
        raise  # all of it may be there
    except BaseException as error:
        try:
            with watched_by(None):  # who has ended the copy does not end this too
                run_unit(crossing.target, lambda unit: _drop(unit, made), retries=0)
        except DbctlError:
            vars(error)["left"] = f"left, and empty, is what --create has made: {', '.join(made)}"
        raise


def _refuse_idle_masks(moment: Moment, wish: Wish) -> None:
    usual = usual_schema(moment.connection)

    def columns(tables: Iterable[Relation]) -> Iterator[str]:
        for one in tables:
            for column in moment.backend.table_columns(moment.connection, one):
                yield f"{called(one, usual)}.{column.name}"

    if wish.masks.rules:
        chosen = chosen_sources(moment, wish)
        others = (one for one in moment.backend.catalog.inventory(moment.connection, None) if one not in chosen)
        wish.masks.refuse_idle(list(columns(chosen)), columns(others))


def _create(moment: Moment, unit: Database, wish: Wish, made: list[str]) -> None:
    """Create the tables that the target lacks, in its transaction where it can."""
    connection = unit.session.connection()
    refuse_same(moment, unit.backend.bulk, connection)
    create(connection, blueprint(moment, unit.backend.bulk, connection, chosen_sources(moment, wish)), made)


def _drop(unit: Database, tables: Sequence[str]) -> None:
    connection = unit.session.connection()
    with unit.backend.bulk.keys_at_end(connection, ()):
        for place in tables:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {place}")


def _copy(moment: Moment, unit: Database, wish: Wish) -> Sequence[Copied]:
    connection = unit.session.connection()
    refuse_same(moment, unit.backend.bulk, connection)
    if wish.create and unit.backend.transactional_ddl:
        _create(moment, unit, wish, [])
    plans, loose = _planned(moment, unit, wish)
    done = []
    loosely = unit.backend.bulk.keys_at_end(connection, loose) if loose else nullcontext()
    with unit.backend.bulk.takes_rows(connection, strict=not wish.lossy), loosely:
        for plan in plans:
            began = time.monotonic()
            rows = load(moment, unit, plan)
            done.append(Copied(plan.pair.name, rows, _since(began), verified=False))
    return done if not wish.verify else _verified(moment, unit, plans, done)


def _planned(moment: Moment, unit: Database, wish: Wish) -> tuple[Sequence[Plan], Sequence[Relation]]:
    """Return how each table is copied, in their order, and the target's tables whose keys can't be checked row by row.

    Raises:
        NotFound: A table or a column is not there.
        UsageError: A column can't be masked as it is to be.
        WorkRefused: A column would lose something.
    """
    connection = unit.session.connection()
    pairs = paired(moment, unit.backend.bulk, connection, wish)
    moment.backend.prepare_masks(moment.connection)
    order = ordered(connection, [one.target for one in pairs])
    by_target = {one.target: one for one in pairs}
    plans = [Plan.of(moment, unit.backend.bulk, connection, by_target[one], wish) for one in order.tables]
    wish.masks.refuse_unfitting(moment, [(one.name, one.source) for one in pairs])
    refuse_losses(plans, lossy=wish.lossy)
    return plans, order.loose


class _Resumed:
    """A copy by ranges, that goes on where one before it was cut.

    Args:
        moment: The source.
        crossing: The target.
        source: The name of the source's profile.
        wish: What is copied.
    """

    def __init__(self, moment: Moment, crossing: Crossing, source: str, wish: Wish) -> None:
        self._moment, self._in_unit, self._source, self._wish = moment, crossing.in_unit, source, wish

    def all(self) -> Sequence[Copied]:
        """Copy all, and return what was copied in all runs.

        Raises:
            UsageError: Tables refer to each other, or have no key to go along.
        """
        if self._wish.create:
            self._in_unit(lambda unit: _create(self._moment, unit, self._wish, []))
        plans, loose = self._in_unit(self._begun)
        if loose:
            names = ", ".join(one.name for one in loose)
            raise UsageError(f"rows of {names} refer to others of these tables", "copy them without --resume")
        ranges = [resuming.Ranges(self._moment, plan, self._source) for plan in plans]
        done = [self._table(plan, one) for plan, one in zip(plans, ranges, strict=True)]
        if self._wish.verify:
            done = list(self._in_unit(lambda unit: _verified(self._moment, unit, plans, done)))
        self._in_unit(lambda unit: resuming.forget_places(unit, self._source))
        return done

    def _begun(self, unit: Database) -> tuple[Sequence[Plan], Sequence[Relation]]:
        refuse_same(self._moment, unit.backend.bulk, unit.session.connection())
        resuming.make_places(unit)
        return _planned(self._moment, unit, self._wish)

    def _table(self, plan: Plan, ranges: resuming.Ranges) -> Copied:
        began, finished, rows = time.monotonic(), False, 0
        while not finished:
            rows, finished = self._in_unit(partial(self._range, ranges))
        return Copied(plan.pair.name, rows, _since(began), verified=False)

    def _range(self, ranges: resuming.Ranges, unit: Database) -> tuple[int, bool]:
        with unit.backend.bulk.takes_rows(unit.session.connection(), strict=not self._wish.lossy):
            return ranges.next(unit, lambda plan, note: load(self._moment, unit, plan, note))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _verified(moment: Moment, unit: Database, plans: Sequence[Plan], done: Sequence[Copied]) -> Sequence[Copied]:
    """Compare all tables with their copies, behind all that triggers and foreign keys may have done."""
    connection = unit.session.connection()
    for plan in plans:
        verify(moment, unit.backend.bulk, connection, plan)
    return [replace(one, verified=True) for one in done]


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


def chosen_sources(moment: Moment, wish: Wish) -> Sequence[Relation]:
    """Return the tables that are copied.

    Raises:
        NotFound: One of them is not there.
    """
    if wish.all == bool(wish.tables):
        raise UsageError("there is to be one of TABLE and --all", "name tables, or say --all")
    return reading_out.all_tables(moment) if wish.all else [reading_out.table(moment, name) for name in wish.tables]


def paired(moment: Moment, backend: Bulk, connection: Connection, wish: Wish) -> Sequence[Pair]:
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


def load(moment: Moment, unit: Database, plan: Plan, note: Callable[[Sequence[Texts]], None] = lambda _: None) -> int:
    """Copy the rows of a table.

    Args:
        moment: The source.
        unit: The target.
        plan: How.
        note: Called with what was read.

    Returns:
        How many rows there are.
    """
    names = [one.name for one in plan.own]
    layout = Layout(plan.own, list(range(len(names))), {})
    target = Target(plan.pair.target.schema, plan.pair.target.name, ())

    def refuse(bad: Bad) -> None:
        raise Conflict(told(bad, masked=unit.profile.protected or bool(plan.masked)))

    loader = Loader(unit.session.connection(), unit.backend.bulk, target, bad=refuse, goes_on=False)

    def take(columns: Sequence[Texts]) -> None:
        raise_if_ended()
        count = len(columns[0])
        lines = range(loader.seen + 1, loader.seen + count + 1)
        note(columns)
        loader.load(Rows(plan.pair.name, names, lines, plan.converted(columns)), layout)
        report(loader.seen, None, "rows", plan.pair.name)

    moment.backend.read_rows(moment.connection, plan.readable.selection, take)
    loader.conclude()
    return loader.written
