"""Copying tables from one database into another, of whichever kind: whole, or not at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dbctl.backends.bulk import Rows, Target
from dbctl.backends.copies import PLACES
from dbctl.backends.exports import run_as_it_stands
from dbctl.bulk import resuming
from dbctl.bulk.ahead import read_ahead
from dbctl.bulk.bad_rows import Bad
from dbctl.bulk.choosing import chosen_sources, paired, refuse_idle_masks, refuse_jobs, refuse_same
from dbctl.bulk.columns import Layout
from dbctl.bulk.creating import blueprint, create
from dbctl.bulk.crossing import Copied, Crossing, Wish
from dbctl.bulk.emptying import empty
from dbctl.bulk.loading import Loader
from dbctl.bulk.ordering import Order, ordered
from dbctl.bulk.plans import Plan, refuse_losses
from dbctl.bulk.reading_out import Moment, one_moment, tell_of_hidden
from dbctl.bulk.rejects import told
from dbctl.bulk.rollbacks import refuse_without_rollback
from dbctl.bulk.turns import Turns
from dbctl.bulk.verifying import verify
from dbctl.connections.connector import opened
from dbctl.connections.watching import owing, raise_if_ended, watched_by
from dbctl.errors import Conflict, DbctlError, OutcomeUnknown, UsageError
from dbctl.work.progress import report
from dbctl.work.retries import run_unit

if TYPE_CHECKING:
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
        if wish.jobs > 1:
            refuse_jobs(moment, target, wish)
        refuse_idle_masks(moment, wish)
        if wish.resume:
            return _Resumed(moment, crossing, source, wish).all()
        if not commits_before:
            return crossing.in_unit(lambda unit: _copy(moment, unit, wish), dry_run=crossing.dry_run)
        return _copy_into_new(moment, crossing, wish)


def _copy_into_new(moment: Moment, crossing: Crossing, wish: Wish) -> Sequence[Copied]:
    """Copy into tables of which a target commits by itself that they are created."""
    with _taken_away(crossing) as made:
        crossing.in_unit(lambda unit: _create(moment, unit, wish, made))
        return crossing.in_unit(lambda unit: _copy(moment, unit, wish))


@contextmanager
def _taken_away(crossing: Crossing) -> Iterator[list[str]]:
    """Have a list for the names of what the target commits that it is created; where the block fails take that away."""
    made: list[str] = []
    with owing(lambda: _left(made)):
        try:
            yield made
        except OutcomeUnknown:
            raise  # all of it may be there
        except BaseException as error:
            if not made:
                raise
            try:
                with watched_by(None):  # who has ended the copy does not end this too
                    run_unit(crossing.target, lambda unit: _drop(unit, made), retries=0)
            except DbctlError:
                vars(error)["left"] = _left(made)
            raise


def _left(made: Sequence[str]) -> str:
    return f"left, and empty, is what --create has made: {', '.join(made)}" if made else ""


def _create(moment: Moment, unit: Database, wish: Wish, made: list[str]) -> None:
    """Create the tables that the target lacks, in its transaction where it can."""
    connection, backend = unit.session.connection(), unit.backend.bulk
    refuse_same(moment, backend, connection)
    create(connection, backend, blueprint(moment, backend, connection, chosen_sources(moment, wish)), made)


def _drop(unit: Database, tables: Sequence[str]) -> None:
    connection = unit.session.connection()
    with unit.backend.bulk.keys_at_end(connection, ()):
        for place in tables:
            run_as_it_stands(connection, f"DROP TABLE IF EXISTS {place}")


def _copy(moment: Moment, unit: Database, wish: Wish) -> Sequence[Copied]:
    connection = unit.session.connection()
    refuse_same(moment, unit.backend.bulk, connection)
    if wish.create and unit.backend.transactional_ddl:
        _create(moment, unit, wish, [])
    plans, order = _planned(moment, unit, wish)
    done = []
    loosely = unit.backend.bulk.keys_at_end(connection, order.loose) if order.loose else nullcontext()
    with unit.backend.bulk.takes_rows(connection, strict=not wish.lossy), loosely:
        if wish.truncate:
            empty(connection, unit.backend.bulk, plans)
        if wish.verify:
            plans = [replace(plan, where_there="") if _is_empty(unit, plan) else plan for plan in plans]
        for plan in plans:
            began = time.monotonic()
            rows = load(moment, unit, plan)
            done.append(Copied(plan.pair.name, rows, _since(began), verified=False))
    return done if not wish.verify else _verified(moment, unit, plans, done)


def _is_empty(unit: Database, plan: Plan) -> bool:
    table = unit.backend.bulk.behind_from(plan.pair.target)
    return run_as_it_stands(unit.session.connection(), f"SELECT 1 FROM {table} LIMIT 1").first() is None


def _planned(moment: Moment, unit: Database, wish: Wish) -> tuple[Sequence[Plan], Order]:
    """Return how each table is copied, in their order, and that of the target's tables.

    Raises:
        NotFound: A table or a column is not there.
        UsageError: A column can't be masked as it is to be.
        WorkRefused: A column would lose something, or a table has no transactions.
    """
    connection = unit.session.connection()
    pairs = paired(moment, unit.backend.bulk, connection, wish)
    tell_of_hidden(moment, [one.source for one in pairs])
    refuse_without_rollback(unit.backend.bulk, connection, [one.target for one in pairs])
    moment.backend.prepare_masks(moment.connection)
    order = ordered(connection, unit.backend.bulk, [one.target for one in pairs])
    by_target = {one.target: one for one in pairs}
    plans = [Plan.of(moment, unit.backend.bulk, connection, by_target[one], wish) for one in order.tables]
    wish.masks.refuse_bare({plan.pair.name: [one.name for one in plan.columns] for plan in plans})
    wish.masks.refuse_unfitting(moment, [(one.name, one.source) for one in pairs])
    refuse_losses(plans, lossy=wish.lossy)
    return plans, order


class _Resumed:
    """A copy by ranges, that goes on where one before it was cut.

    Args:
        moment: The source.
        crossing: The target.
        source: The name of the source's profile.
        wish: What is copied.
    """

    def __init__(self, moment: Moment, crossing: Crossing, source: str, wish: Wish) -> None:
        self._moment, self._crossing, self._source, self._wish = moment, crossing, source, wish
        self._in_unit = crossing.in_unit

    def all(self) -> Sequence[Copied]:
        """Copy all, and return what was copied in all runs.

        Raises:
            UsageError: Tables refer to each other, or have no key to go along.
        """
        with _taken_away(self._crossing) as made:  # what is refused is so before the first row
            if self._wish.create and not self._crossing.target.backend.transactional_ddl:
                self._in_unit(lambda unit: _create(self._moment, unit, self._wish, made))
            plans, order = self._in_unit(self._begun)
        jobs = min(self._wish.jobs, len(plans))
        done = self._by_several(plans, order, jobs) if jobs > 1 else [self._table(self._moment, one) for one in plans]
        if self._wish.verify:
            done = list(self._in_unit(lambda unit: _verified(self._moment, unit, plans, done)))
        self._in_unit(lambda unit: resuming.finish_places(unit, self._source, plans))
        text = "all is there; the table %s keeps that, and the same command copies what comes behind it"
        _log.info(text, PLACES)
        return done

    def _begun(self, unit: Database) -> tuple[Sequence[Plan], Order]:
        refuse_same(self._moment, unit.backend.bulk, unit.session.connection())
        if self._wish.create and unit.backend.transactional_ddl:
            _create(self._moment, unit, self._wish, [])
        plans, order = _planned(self._moment, unit, self._wish)
        if order.loose:
            names = ", ".join(one.name for one in order.loose)
            raise UsageError(f"rows of {names} refer to others of these tables", "copy them without --resume")
        for plan in plans:
            resuming.Ranges(self._moment, plan, self._source)  # each is looked at before the first is copied
        self._wish.masks.refuse_own_key([one.masked for one in plans])
        resuming.make_places(unit)
        return plans, order

    def _by_several(self, plans: Sequence[Plan], order: Order, jobs: int) -> Sequence[Copied]:
        by_target = {plan.pair.target: plan for plan in plans}
        self._in_unit(lambda unit: resuming.begin_places(unit, self._source, plans))
        turns: Turns[Relation, Copied] = Turns(list(by_target), order.behind)

        def work() -> None:
            with self._moment.another() as moment:
                turns.draw(lambda one: self._table(moment, by_target[one], lambda: turns.error is not None))

        return turns.run(jobs, work)

    def _table(self, moment: Moment, plan: Plan, ended: Callable[[], bool] = lambda: False) -> Copied:
        began, finished, rows = time.monotonic(), False, 0
        ranges = resuming.Ranges(moment, plan, self._source)
        while not finished and not ended():
            rows, finished = self._in_unit(partial(self._range, moment, ranges))
        return Copied(plan.pair.name, rows, _since(began), verified=False)

    def _range(self, moment: Moment, ranges: resuming.Ranges, unit: Database) -> tuple[int, bool]:
        with unit.backend.bulk.takes_rows(unit.session.connection(), strict=not self._wish.lossy):
            return ranges.next(unit, lambda plan, note: load(moment, unit, plan, note))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _verified(moment: Moment, unit: Database, plans: Sequence[Plan], done: Sequence[Copied]) -> Sequence[Copied]:
    """Compare all tables with their copies, behind all that triggers and foreign keys may have done."""
    connection = unit.session.connection()
    for plan in plans:
        verify(moment, unit.backend.bulk, connection, plan, masked=_masked(unit, plan))
    return [replace(one, verified=True) for one in done]


def _masked(unit: Database, plan: Plan) -> bool:
    """Tell whether no value of a row may be told."""
    return unit.profile.protected or bool(plan.masked)


def _remedy(unit: Database, plan: Plan, bad: Bad) -> str:
    """Return what to do about a row, where it has a value that the target would change."""
    column = next((one for one in plan.own if one.name == bad.column), None)
    exact = unit.backend.bulk.exact(column) if column is not None and plan.exact else None
    changed = exact is not None and bad.value is not None and exact.reason(bad.value) == bad.reason
    return "alter the column, or say --lossy" if changed else ""


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
    target = Target(plan.pair.target.schema, plan.pair.target.name, (), exact=plan.exact)

    def refuse(bad: Bad) -> None:
        raise Conflict(told(bad, masked=_masked(unit, plan)), _remedy(unit, plan, bad))

    loader = Loader(unit.session.connection(), unit.backend.bulk, target, bad=refuse, goes_on=False)

    for columns in read_ahead(partial(moment.backend.read_rows, moment.connection, plan.readable.selection)):
        raise_if_ended()
        count = len(columns[0])
        first = plan.before + loader.seen + 1
        note(columns)
        loader.load(Rows(plan.pair.name, names, range(first, first + count), plan.converted(columns), "row"), layout)
        report(loader.seen, None, "rows", plan.pair.name)
    loader.conclude()
    return loader.written
