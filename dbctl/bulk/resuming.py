"""Copying by ranges of the primary key, each committed with its place, so that a copy that was cut goes on.

The places stand in a table of the target's. A range and its place are one transaction: whatever ends a run between two
of them, no row is there twice, and none is left out. They stay behind the last one, too: nobody can tell whether a run
that was ended then has said that all is there, and the same command said again is to end as it would have.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.backends.copies import PLACES
from dbctl.backends.exports import run_as_it_stands
from dbctl.backends.kinds import Kind
from dbctl.bulk.terms import rows_in_words
from dbctl.errors import UsageError, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from dbctl.backends.bulk import Bulk
    from dbctl.bulk.plans import Plan
    from dbctl.bulk.reading_out import Moment
    from dbctl.work.database import Database

_log = logging.getLogger("dbctl")

RANGE = 50_000
"""Rows of a range."""

_ORDERED = {Kind.INTEGER, Kind.DECIMAL, Kind.TEXT, Kind.UUID, Kind.BYTES, Kind.DATE}
"""Kinds of keys of which a text tells the place."""


def places() -> Table:
    """Return the table of places, as it is created."""
    from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table, Text

    return Table(
        PLACES,
        MetaData(),
        Column("source", String(120), primary_key=True),
        Column("name", String(120), primary_key=True),
        Column("last", Text),
        Column("copied", BigInteger, nullable=False),
        Column("done", Boolean, nullable=False),
        Column("asked", String(64), nullable=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",  # of two tables whose names differ in case alone each has its place
    )


class Ranges:
    """The ranges of one table.

    Args:
        moment: The source.
        plan: How the table is copied.
        source: What the source is called in the table of places.

    Raises:
        UsageError: The table has no primary key that can be gone along.
    """

    def __init__(self, moment: Moment, plan: Plan, source: str) -> None:
        self._moment, self._plan, self._source = moment, plan, source
        self._begun = False
        by_name = {one.name: one for one in plan.columns}
        self._key = [by_name[name] for name in plan.key if name in by_name]
        if not self._key or len(self._key) < len(plan.key):
            raise UsageError(f"{plan.pair.name} has no primary key on both sides", "copy it without --resume")
        if odd := [one for one in self._key if one.kind not in _ORDERED or one.name in plan.masked]:
            raise UsageError(
                f"{plan.pair.name}: nobody can go along its key {odd[0].name}, a {odd[0].type}, masked or not",
                "copy it without --resume",
            )

    def next(self, unit: Database, load: Callable[[Plan, Callable[[Sequence[Any]], None]], int]) -> tuple[int, bool]:
        """Copy the next range in a unit of work.

        Args:
            unit: The unit of work.
            load: Copies the rows of a plan, calls something with what it has read, and returns how many there are.

        Returns:
            How many rows are copied by now, in all runs, and whether these are all.

        Raises:
            UsageError: A run before was asked for other rows, or for other masks, and has not come to its end.
            WorkRefused: The target has not all rows any more that such a run has copied.
        """
        connection = unit.session.connection()
        last, copied = self._place(unit, connection)
        ends: list[Sequence[Any]] = []
        names = [one.name for one in self._plan.columns]
        read = 0

        def note(columns: Sequence[Any]) -> None:
            nonlocal read
            read += len(columns[0])
            ends[:] = [[columns[names.index(one.name)][-1] for one in self._key]]

        copied += load(self._after(last, copied), note)
        self._write(connection, ends[0] if ends else last, copied)
        return copied, read < RANGE  # of which a trigger of the target's may have left some out

    def _after(self, last: Sequence[str] | None, copied: int) -> Plan:
        """Return the plan of the rows behind a key, in the order of the key."""
        backend, plan = self._moment.backend, self._plan
        conditions = [f"({plan.where})"] if plan.where else []
        if last is not None:
            conditions.append(f"({self._names(backend)}) > {self._values(backend, last)}")
        selection = backend.selected(
            plan.pair.source, plan.columns, where=" AND ".join(conditions), instead=plan.masked
        )
        ranged = replace(selection, query=f"{selection.query} ORDER BY {self._names(backend)} LIMIT {RANGE}")
        return replace(plan, readable=replace(plan.readable, selection=ranged), before=copied)

    def _place(self, unit: Database, connection: Connection) -> tuple[Sequence[str] | None, int]:
        """Return the last key that is copied, and how many rows are: those of other runs count as far as they hold."""
        from sqlalchemy import select

        table = places()
        columns = table.c.last, table.c.copied, table.c.done, table.c.asked
        found = connection.execute(select(*columns).where(*self._own(table))).first()
        begun, self._begun = self._begun, True
        if found is None or found.last is None:
            return None, 0
        if not begun and not self._goes_on(unit, connection, found):
            _log.info("%s is copied from its beginning: it is not what a copy before has left", self._plan.pair.name)
            return None, 0
        return json.loads(found.last), found.copied

    def _goes_on(self, unit: Database, connection: Connection, place: Any) -> bool:
        """Tell whether a place of another run is one of this copy: the rows are there, and what was asked is the same.

        Of a copy that has come to its end all rows have to be there, for who has emptied the table since wants them
        again; and of one that was cut, unless there are none.

        Raises:
            WorkRefused: Of one that was cut there are some.
            UsageError: It was asked for something else.
        """
        there = self._there(unit, connection, place)
        if there < place.copied and (place.done or not there):
            return False
        if there < place.copied:
            raise WorkRefused(
                f"{self._plan.pair.name}: the copy that was cut had copied {rows_in_words(place.copied)},"
                f" and of these the target has {there:,} now",
                "empty the table there to begin anew",
            )
        if place.asked != self._plan.asked and not place.done:
            raise UsageError(
                f"{self._plan.pair.name}: a copy that has not come to its end has other rows or masks than this one",
                "say --where and --mask as they were, and DBCTL_MASK_KEY, or empty the table to begin anew",
            )
        return bool(place.asked == self._plan.asked)

    def _there(self, unit: Database, connection: Connection, place: Any) -> int:
        """Return how many rows the target has up to a place, counted as far as there are to be."""
        backend, target = unit.backend.bulk, self._plan.pair.target
        where = ""
        if not place.done and all(one.kind is Kind.INTEGER for one in self._key):  # others may have other orders there
            where = f" WHERE ({self._names(backend)}) <= {self._values(backend, json.loads(place.last))}"
        rows = f"SELECT 1 AS one FROM {backend.behind_from(target)}{where} LIMIT {place.copied}"
        return int(run_as_it_stands(connection, f"SELECT count(*) FROM ({rows}) AS there").scalar_one())

    def _names(self, backend: Bulk) -> str:
        return backend.names(one.name for one in self._key)

    def _values(self, backend: Bulk, key: Sequence[str]) -> str:
        return f"({', '.join(map(backend.key_literal, self._key, key))})"

    def _write(self, connection: Connection, last: Sequence[str] | None, copied: int) -> None:
        from sqlalchemy import insert, update

        table = places()
        key = None if last is None else json.dumps(last)
        values = {"last": key, "copied": copied, "done": False, "asked": self._plan.asked}
        if connection.execute(update(table).where(*self._own(table)).values(values)).rowcount == 0:
            connection.execute(insert(table).values(source=self._source, name=self._plan.pair.name, **values))

    def _own(self, table: Table) -> Sequence[Any]:
        return table.c.source == self._source, table.c.name == self._plan.pair.name


def make_places(unit: Database) -> None:
    """Create the table of places, where it is not there yet."""
    places().create(unit.session.connection(), checkfirst=True)


def begin_places(unit: Database, source: str, plans: Sequence[Plan]) -> None:
    """Have a place for each table, so that sessions which copy several change only what is their own."""
    from sqlalchemy import insert, select

    table, connection = places(), unit.session.connection()
    there = set(connection.scalars(select(table.c.name).where(table.c.source == source)))
    for plan in plans:
        if plan.pair.name not in there:
            values = {"source": source, "name": plan.pair.name, "copied": 0, "done": False, "asked": plan.asked}
            connection.execute(insert(table).values(values))


def finish_places(unit: Database, source: str, plans: Sequence[Plan]) -> None:
    """Take note that all of a copy is done."""
    from sqlalchemy import update

    table, names = places(), [plan.pair.name for plan in plans]
    own = table.c.source == source, table.c.name.in_(names)
    unit.session.connection().execute(update(table).where(*own).values(done=True))
