"""Rows of files into a table: checked, loaded by the megabyte, and where one is refused that one found and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from dbctl.backends.bulk import Delimited, Fault, Ragged, Refused, Rows, Taken, Target
from dbctl.bulk.checking import Check, check_of
from dbctl.bulk.columns import Layout
from dbctl.bulk.plain_lines import Run, fitting
from dbctl.bulk.savepoints import savepoint
from dbctl.connections.watching import raise_if_ended
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk


@record
class Bad:
    """A row that can't be loaded.

    Args:
        file: The file.
        line: The line that it begins in; None where it is not known which row it is.
        column: The column that is to blame, or None.
        value: That column's value.
        reason: Why.
        names: The file's columns.
        values: The row's values.
        through: The last line that it may begin in, where it is not known which row it is.
        counted: What is counted in the file: lines, or rows.
        given: Values that are the same for all rows, and stand in no file.
        bare: Why, where no value may be told; None where the reason tells no part of one.
    """

    file: str
    line: int
    column: str | None
    value: Any
    reason: str
    names: Sequence[str] = ()
    values: Sequence[Any] = ()
    through: int | None = None
    counted: str = "line"
    given: Sequence[Any] = ()
    bare: str | None = None


class Loader:
    """Loads rows into one table, in the connection's transaction.

    Args:
        connection: The connection.
        backend: What differs between databases.
        target: The table, without columns yet.
        bad: Called with each row that can't be loaded; it raises where that is the end.
        goes_on: Whether the rest is loaded all the same where some rows can't be.
    """

    def __init__(
        self,
        connection: Connection,
        backend: Bulk,
        target: Target,
        *,
        bad: Callable[[Bad], None],
        goes_on: bool,
    ) -> None:
        self._connection, self._backend, self._target = connection, backend, target
        self._bad, self._goes_on = bad, goes_on
        self.written = 0
        """How many rows were written."""
        self.seen = 0
        """How many rows were looked at."""
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._prepared: Target | None = None

    def load_lines(self, parts: Iterator[Delimited], layout: Layout) -> None:
        """Load lines of a file: as they stand where the database reads them so, and all that is in them fits."""
        plan = self._plan(layout)
        part = next(parts, None)
        while part is not None:
            if layout.as_it_stands(len(part.names)) and plan.fits(part):
                run = Run(part, parts, plan.fits)
                self._load_run(run, layout, plan)
                part = run.left
            else:
                rows, ragged = part.rows()
                self.load(rows, layout, ragged)
                part = None
            part = part or next(parts, None)

    def _load_run(self, run: Run, layout: Layout, plan: _Plan) -> None:
        """Load parts of a file as they stand; as rows where one is refused, unless it is known which one that is."""
        target = self._prepare(plan)
        searches = self._backend.searches or target.conflict != "error"
        try:
            with self._savepoint(always=searches):
                seen, written = self._backend.load_lines(self._connection, target, run)
        except Exception as error:
            if (fault := self._fault(error, target)) is None:
                raise
            read = [part.rows() for part in run.taken]
            if not self._goes_on and not searches:
                self._bad(self._placed(*_joined(read), fault, layout))
                raise
            for rows, ragged in read:
                self.load(rows, layout, ragged)
            return
        self.written += written
        self.seen += seen

    def load(self, rows: Rows, layout: Layout, ragged: Sequence[Ragged] = ()) -> None:
        """Load rows of a file.

        Args:
            rows: The rows, with the file's columns.
            layout: How these are the table's.
            ragged: Rows that have more or fewer values.
        """
        raise_if_ended()
        plan = self._plan(layout)
        self.seen += len(rows) + len(ragged)
        for one in ragged:
            number = "1 value" if len(one.values) == 1 else f"{len(one.values)} values"
            reason = f"it has {number}, and there are {one.expected} columns"
            self._bad(Bad(rows.file, one.line, None, None, reason, rows.names, one.values))
        faults: dict[int, Fault] = {}
        columns = []
        for kind, place, check, convert in zip(plan.kinds, layout.places, plan.checks, plan.converts, strict=True):
            values: Sequence[Any] = [layout.given[kind.name]] * len(rows) if place is None else rows.columns[place]
            if check is not None:
                for fault in check.faults(kind.name, values):
                    assert fault.index is not None
                    faults.setdefault(fault.index, fault)
            columns.append((values, convert))
        for index in sorted(faults):
            self._bad(_bad_row(rows, faults[index], index, layout))
        kept = [index for index in range(len(rows)) if index not in faults] if faults else None
        made = []
        for column, convert in columns:
            sound = column if kept is None else [column[index] for index in kept]
            made.append(sound if convert is None else convert(sound))
        lines = rows.lines if kept is None else [rows.lines[index] for index in kept]
        if lines:
            origin = rows if kept is None else rows.without(faults)
            self._load(Rows(rows.file, plan.target.columns, lines, made), origin, layout, plan)

    def conclude(self) -> None:
        """Do what comes after the last row."""
        for plan in self._plans.values():
            self._backend.conclude_load(self._connection, plan.target)

    def _load(self, rows: Rows, origin: Rows, layout: Layout, plan: _Plan) -> None:
        """Load rows; where the database does not tell which one it refuses, some at a time until it is found."""
        target = self._prepare(plan)
        searches = self._goes_on or self._backend.searches or target.conflict != "error"
        waiting = [(rows, origin)]
        while waiting:
            rows, origin = waiting.pop()
            try:
                with self._savepoint(always=searches):
                    self.written += self._backend.load_rows(self._connection, target, rows)
                continue
            except Exception as error:
                if (fault := self._fault(error, target)) is None:
                    raise
                index = 0 if len(rows) == 1 else self._index(rows, fault)
                if not searches or index is not None:
                    self._bad(_bad_row(origin, fault, index, layout))
                    if not self._goes_on:
                        raise
            middle, rest = (len(rows) // 2, len(rows) // 2) if index is None else (index, index + 1)
            pieces = [(rest, len(rows)), (0, middle)]
            waiting += [(rows.part(*piece), origin.part(*piece)) for piece in pieces if piece[0] < piece[1]]

    def _plan(self, layout: Layout) -> _Plan:
        names = tuple(one.name for one in layout.kinds)
        if names not in self._plans:
            self._plans[names] = _Plan.of(self._backend, replace(self._target, kinds=layout.kinds))
        return self._plans[names]

    def _prepare(self, plan: _Plan) -> Target:
        if self._prepared != plan.target:
            self._backend.prepare_load(self._connection, plan.target)
            self._prepared = plan.target
        return plan.target

    def _savepoint(self, *, always: bool = False) -> Any:
        return savepoint(self._connection, self._backend) if always or self._goes_on else nullcontext()

    def _fault(self, error: Exception, target: Target) -> Fault | None:
        return error.fault if isinstance(error, Refused) else self._backend.fault_of(error, target)

    def _index(self, rows: Rows, fault: Fault) -> int | None:
        if fault.index is not None:
            return fault.index
        if fault.line is not None and fault.line <= len(rows):
            return fault.line - 1
        return _with_key(rows, fault.key)

    def _placed(self, rows: Rows, ragged: Sequence[Ragged], fault: Fault, layout: Layout) -> Bad:
        """Return the row of a file's lines in which the server has found a fault."""
        if fault.line is None:
            named = replace(rows, names=[one.name for one in layout.kinds])
            return _bad_row(rows, fault, _with_key(named, fault.key), layout)
        begins = sorted([*rows.lines, *(one.line for one in ragged)])
        at = begins[0] + fault.line - 1
        line = max(one for one in begins if one <= at)
        if line in rows.lines:
            return _bad_row(rows, fault, list(rows.lines).index(line), layout)
        return Bad(rows.file, line, None, None, fault.reason, given=tuple(layout.given.values()), bare=fault.bare)


def _joined(parts: Sequence[tuple[Rows, Sequence[Ragged]]]) -> tuple[Rows, Sequence[Ragged]]:
    """Return parts of one file as one."""
    first = parts[0][0]
    lines = list(chain.from_iterable(rows.lines for rows, _ in parts))
    columns = [list(chain.from_iterable(rows.columns[place] for rows, _ in parts)) for place in range(len(first.names))]
    return replace(first, lines=lines, columns=columns), [one for _, ragged in parts for one in ragged]


def _bad_row(rows: Rows, fault: Fault, index: int | None, layout: Layout) -> Bad:
    """Return the row of a file in which there is a fault; where it is not known which one, where it may be."""
    given = tuple(layout.given.values())
    if index is None:
        first, last = rows.lines[0], rows.lines[-1]
        unknown = Bad(rows.file, first, fault.column, None, fault.reason, through=last, bare=fault.bare)
        return replace(unknown, counted=rows.counted, given=given)
    row = rows.row(index)
    value = layout.given.get(fault.column or "")
    places = dict(zip((one.name for one in layout.kinds), layout.places, strict=True))
    if (place := places.get(fault.column or "")) is not None:
        value = row[place]
    return Bad(
        rows.file,
        rows.lines[index],
        fault.column,
        value,
        fault.reason,
        rows.names,
        row,
        counted=rows.counted,
        given=given,
        bare=fault.bare,
    )


@record
class _Plan:
    """What is done with each column before it is loaded."""

    target: Target
    checks: Sequence[Check | None]
    converts: Sequence[Taken | None]
    fits: Callable[[Delimited], bool]
    """Tells whether lines of a file can be loaded as they stand."""

    @property
    def kinds(self) -> Sequence[Any]:
        """The columns."""
        return self.target.kinds

    @classmethod
    def of(cls, backend: Bulk, target: Target) -> _Plan:
        """Plan for columns."""
        checks = [
            check_of(one, untyped=backend.untyped) if target.strict and one.kind in backend.bends else None
            for one in target.kinds
        ]
        converts = [backend.taken(one) for one in target.kinds]
        return cls(target, checks, converts, fitting(backend, target, checks))


def _with_key(rows: Rows, key: Sequence[tuple[str, str]]) -> int | None:
    """Return the first row that has these values."""
    places = [_place(rows.names, name) for name, _ in key]
    if not key or None in places:
        return None
    wanted = tuple(value for _, value in key)
    columns = [rows.columns[place] for place in places if place is not None]
    found = [index for index, values in enumerate(zip(*columns, strict=True)) if values == wanted]
    return found[0] if found else None


def _place(names: Sequence[str], name: str) -> int | None:
    return list(names).index(name) if name in names else None
