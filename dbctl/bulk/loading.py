"""Rows of files into a table: checked, loaded by the megabyte, and where one is refused that one found and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.backends.bulk import Delimited, Fault, Ragged, Refused, Rows, Taken, Target
from dbctl.bulk.bad_rows import Bad, bad_row, joined, placed, with_key
from dbctl.bulk.checking import Check, check_of
from dbctl.bulk.columns import Layout
from dbctl.bulk.plain_lines import Run, fitting
from dbctl.bulk.savepoints import savepoint
from dbctl.connections.lock_waits import watched
from dbctl.connections.watching import raise_if_ended
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.exact import Exact


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
        staged = target.conflict != "error" or backend.needs_insert(connection, target)
        self._connection, self._backend, self._target = connection, backend, replace(target, staged=staged)
        self._bad, self._goes_on = bad, goes_on
        self.written = 0
        """How many rows were written."""
        self.seen = 0
        """How many rows were looked at."""
        self.kept_out: int | None = 0
        """How many of those that were skipped a trigger kept from the table; None where nobody knows."""
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
        searches = self._backend.searches or target.staged
        try:
            with self._savepoint(always=searches), watched(self._backend, self._connection):
                seen, written = self._backend.load_lines(self._connection, target, run)
        except Exception as error:
            if (fault := self._fault(error, target)) is None:
                raise
            read = [part.rows() for part in run.taken]
            if not self._goes_on and not searches:
                self._bad(placed(*joined(read), fault, layout))
                raise
            for rows, ragged in read:
                self.load(rows, layout, ragged)
            return
        self.written += written
        self.seen += seen
        self._tell_apart(target, seen - written)

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
            self._bad(bad_row(rows, faults[index], index, layout))
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
        searches = self._goes_on or self._backend.searches or target.staged
        waiting = [(rows, origin)]
        while waiting:
            rows, origin = waiting.pop()
            try:
                with self._savepoint(always=searches), watched(self._backend, self._connection):
                    written = self._backend.load_rows(self._connection, target, rows)
                self.written += written
                self._tell_apart(target, len(rows) - written)
                continue
            except Exception as error:
                if (fault := self._fault(error, target)) is None:
                    raise
                index = 0 if len(rows) == 1 else self._index(rows, fault)
                if not searches or index is not None:
                    self._bad(bad_row(origin, fault, index, layout))
                    if not self._goes_on:
                        raise
            middle, rest = (len(rows) // 2, len(rows) // 2) if index is None else (index, index + 1)
            pieces = [(rest, len(rows)), (0, middle)]
            waiting += [(rows.part(*piece), origin.part(*piece)) for piece in pieces if piece[0] < piece[1]]

    def _tell_apart(self, target: Target, missing: int) -> None:
        """Note how many of the rows loaded last were not skipped for their keys, of those that were not written."""
        if missing and target.conflict == "skip" and self.kept_out is not None:
            kept = self._backend.kept_out(self._connection, target, missing)
            self.kept_out = None if kept is None else self.kept_out + kept

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
        return with_key(rows, fault.key)


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
        if target.exact:
            checks = [_exactly(check, backend.exact(one)) for check, one in zip(checks, target.kinds, strict=True)]
        converts = [backend.taken(one) for one in target.kinds]
        return cls(target, checks, converts, fitting(backend, target, checks))


def _exactly(check: Check | None, exact: Exact | None) -> Check | None:
    """Return how a column's values are looked at where it has to keep them as they are too."""
    if exact is None:
        return check
    plain = exact.plain if exact.text is None else rf"[^\n]{exact.text}"
    if check is None:
        return Check(plain, exact.reason, text=exact.text, sign=exact.sign)
    before = check.reason
    return Check(plain, lambda value: before(value) or exact.reason(value), text=exact.text, sign=exact.sign)
