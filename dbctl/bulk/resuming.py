"""Copying by ranges of the primary key, each committed with its place, so that a copy that was cut goes on.

The places stand in a table of the target's until all is copied. A range and its place are one transaction: whatever
ends a run between two of them, no row is there twice, and none is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.backends.kinds import Kind
from dbctl.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from dbctl.bulk.plans import Plan
    from dbctl.bulk.reading_out import Moment
    from dbctl.work.database import Database

PLACES = "dbctl_copy"
"""The table of places."""

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
        """
        connection = unit.session.connection()
        last, copied, done = self._place(connection)
        if done:
            return copied, True
        ends: list[Sequence[Any]] = []
        names = [one.name for one in self._plan.columns]
        read = 0

        def note(columns: Sequence[Any]) -> None:
            nonlocal read
            read += len(columns[0])
            ends[:] = [[columns[names.index(one.name)][-1] for one in self._key]]

        copied += load(self._after(last), note)
        done = read < RANGE  # of which a trigger of the target's may have left some out
        self._write(connection, ends[0] if ends else last, copied, done=done)
        return copied, done

    def _after(self, last: Sequence[str] | None) -> Plan:
        """Return the plan of the rows behind a key, in the order of the key."""
        backend, plan = self._moment.backend, self._plan
        names = ", ".join(backend.sql_name(one.name) for one in self._key)
        conditions = [f"({plan.where})"] if plan.where else []
        if last is not None:
            values = ", ".join(map(backend.key_literal, self._key, last))
            conditions.append(f"({names}) > ({values})")
        selection = backend.selected(
            plan.pair.source, plan.columns, where=" AND ".join(conditions), instead=plan.masked
        )
        ranged = replace(selection, query=f"{selection.query} ORDER BY {names} LIMIT {RANGE}")
        return replace(plan, readable=replace(plan.readable, selection=ranged))

    def _place(self, connection: Connection) -> tuple[Sequence[str] | None, int, bool]:
        from sqlalchemy import select

        table = places()
        found = connection.execute(select(table.c.last, table.c.copied, table.c.done).where(*self._own(table))).first()
        return (found[0] and json.loads(found[0]), found[1], found[2]) if found else (None, 0, False)

    def _write(self, connection: Connection, last: Sequence[str] | None, copied: int, *, done: bool) -> None:
        from sqlalchemy import insert, update

        table = places()
        values = {"copied": copied, "done": done, "last": None if last is None else json.dumps(last)}
        if connection.execute(update(table).where(*self._own(table)).values(values)).rowcount == 0:
            connection.execute(insert(table).values(source=self._source, name=self._plan.pair.name, **values))

    def _own(self, table: Table) -> Sequence[Any]:
        return table.c.source == self._source, table.c.name == self._plan.pair.name


def make_places(unit: Database) -> None:
    """Create the table of places, where it is not there yet."""
    places().create(unit.session.connection(), checkfirst=True)


def begin_places(unit: Database, source: str, names: Sequence[str]) -> None:
    """Have a place for each table, so that sessions which copy several change only what is their own."""
    from sqlalchemy import insert, select

    table, connection = places(), unit.session.connection()
    there = set(connection.scalars(select(table.c.name).where(table.c.source == source)))
    for name in names:
        if name not in there:
            connection.execute(insert(table).values(source=source, name=name, copied=0, done=False))


def forget_places(unit: Database, source: str) -> None:
    """Forget the places of a source, and take the table away where it has no others."""
    from sqlalchemy import delete, func, select

    table, connection = places(), unit.session.connection()
    connection.execute(delete(table).where(table.c.source == source))
    if not connection.scalar(select(func.count()).select_from(table)):
        table.drop(connection)
