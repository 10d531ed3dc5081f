"""What a pool's events are counted into, and who has its connections; each checkout and return `checkouts` counts."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dbctl.pool.checkouts import Checkouts, Hold
from dbctl.pool.histograms import Histogram
from dbctl.pool.hooks import gauges_of, is_unused, opened_at, overflow_of, recycle_of
from dbctl.pool.places import told
from dbctl.pool.snapshots import COUNTERS, Holder, LabelUse, Snapshot
from dbctl.runtime.deadlines import call_after
from dbctl.runtime.waits import started

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Pool

_log = logging.getLogger("dbctl.pool")

_SHOWN = 10
"""How many holders a snapshot has."""

_REPLACED_AS = "dbctl_replaced_as"
"""What a record's `record_info` has whose connection was closed: how one in its place is counted, if it is."""


_GIVEN_UP = "dbctl_given_up"
"""What a record's `record_info` has whose connection was counted as closed before it was."""


_TOKEN = "dbctl_token"
"""What a connection's `info` has that is gone when nobody has the connection any more."""


class _Token:
    pass


class PoolCounts:
    """The counts of a pool.

    Attributes:
        name: What the pool is called among others.
        leak_after: Seconds after which a connection that is still held is logged; None for never.
        checkouts: Who has a connection, and for how long those had one that have given it back.
    """

    _pool: Pool

    def __init__(self, name: str) -> None:
        self.name = name
        self.leak_after: float | None = None
        self.checkouts = Checkouts()
        self._watch: call_after | None
        self._listens = True
        self.reset()

    def reset(self) -> None:
        """Set all counts to 0, as a fork has them."""
        self.checkouts.reset()
        self._since = time.time()
        self._lock = self.checkouts.lock
        self._counts = dict.fromkeys(COUNTERS, 0)
        self._times = {"wait": Histogram(), "connect": Histogram()}
        self._told: set[Hold] = set()
        self._own: dict[int, weakref.finalize[Any, Any]] = {}
        self._shown: dict[tuple[str, str], int] = {}
        self._most_overflow = self._waiting = 0
        self._watch = None  # a fork takes no thread with it
        if self.leak_after and not is_unused(self._pool):
            self._begin_to_look()

    # --- what happens seldom ------------------------------------------------------------------------------------------

    def _add(self, *counters: str) -> None:
        with self._lock:
            for each in counters:
                self._counts[each] += 1

    def _detached(self, connection: object, record: Any) -> None:
        """Take note of a connection that is its user's from now on; also of one that an async driver's user forgot."""
        self._add("detached")
        self.checkouts.detach(record)
        if token := record.info.pop(_TOKEN, None):  # the user's proxy has it too, and alone from now on
            number = id(connection)
            self._own[number] = gone = weakref.finalize(token, _tell_gone, weakref.ref(self), number)
            gone.atexit = False

    def gone(self, number: int) -> None:
        """Take note that a detached connection is gone, without an event: its user has invalidated it, or let it go."""
        if self._own.pop(number, None):
            self._add("connections_closed")

    def _closed(self, connection: object, record: Any = None) -> None:
        if record is None:
            self._own.pop(id(connection), None)
        elif record.record_info.pop(_GIVEN_UP, False):
            return
        self._add("connections_closed")
        if record is not None and _REPLACED_AS not in record.record_info:
            is_old = 0 <= recycle_of(self._pool) < time.time() - opened_at(record)
            record.record_info[_REPLACED_AS] = "recycled" if is_old else "replaced"

    def _invalidated(self, _connection: object, record: Any, error: BaseException | None) -> None:
        self._add("invalidated")
        if isinstance(error, Exception):  # else somebody wanted it so, or was interrupted
            self._add("connections_lost")
        if isinstance(error, DisconnectionError):
            self._add("pre_ping_failures")
        record.record_info[_REPLACED_AS] = ""

    def connected(self, record: Any, seconds: float) -> None:
        """Take note of a new connection, and how long it took."""
        if self.leak_after:
            self._begin_to_look()
        record.info[_TOKEN] = _Token()
        with self._lock:
            self._add("connections_num", "connections_opened")
            self._times["connect"].record(seconds)
            self._most_overflow = max(self._most_overflow, overflow_of(self._pool))
            if replaced_as := record.record_info.pop(_REPLACED_AS, ""):
                self._add(replaced_as)

    def connect_failed(self) -> None:
        """Take note that no connection could be made."""
        self._add("connections_num", "connections_errors")

    def given_up(self, record: Any) -> None:
        """Take note that a connection is back in a pool that goes away with it: it is as good as closed."""
        record.record_info[_GIVEN_UP] = True
        self._add("connections_closed")

    def request_failed(self, error: BaseException) -> None:
        """Take note that a connection was asked for, and not given."""
        self._add("requests_errors", *["timeouts"] * isinstance(error, PoolTimeout))

    def begin_wait(self) -> None:
        """Take note that a request begins to wait in the queue."""
        with self._lock:
            self._waiting += 1
            self._add("requests_queued")

    def end_wait(self, seconds: float) -> None:
        """Take note that it waits no more."""
        with self._lock:
            self._waiting -= 1
            self._times["wait"].record(seconds)

    @contextmanager
    def queue(self) -> Iterator[None]:
        """Count the block as a wait in the pool's queue: for a queue that stands before it.

        What is raised in it is a request that failed; a TimeoutError is one that waited too long.
        """
        self.begin_wait()
        start = perf_counter()
        try:
            yield
        except BaseException as error:
            self._add("requests_errors", *["timeouts"] * isinstance(error, TimeoutError))
            raise
        finally:
            self.end_wait(perf_counter() - start)

    def _listen_no_more(self) -> None:
        self._listens = False
        self.checkouts.forget()
        self._own.clear()

    # --- who holds a connection for too long --------------------------------------------------------------------------

    def look_for_leaks(self, leak_after: float) -> None:
        """Log from now on who holds a connection for longer than so many seconds, once each, as soon as it is so.

        The thread does it that does all in this process that is due at a time.
        """
        self._look_no_more()
        self.leak_after = leak_after
        self.checkouts.notes_place = True
        if not is_unused(self._pool):
            self._begin_to_look()

    def _begin_to_look(self) -> None:
        """Begin when there is a connection to be held: a service may still fork until then, which takes no threads."""
        this = weakref.ref(self)

        def look() -> float | None:
            counts = this()
            return counts._look() if counts else None

        with self._lock:
            if self._watch:
                return
            self._watch = watch = call_after(self.leak_after or 0.0, look)
        watch.__enter__()

    def _look_no_more(self) -> None:
        watch, self._watch = self._watch, None
        if watch:
            watch.__exit__()

    def _look(self) -> float:
        """Have logged who is late, and return in how many seconds somebody else may be, at the soonest."""
        late = self._late()
        if late:
            started(lambda: self._tell(late))  # which may wait for who reads the log
        now, leak_after = perf_counter_ns(), self.leak_after or 0.0
        ends = [hold[0] + int(leak_after * 1e9) for hold in self.checkouts.held()]
        return min([leak_after, *((end - now) / 1e9 for end in ends if end > now)])

    def _late(self) -> Sequence[Hold]:
        """Return who holds a connection for too long and was not told yet, and count them."""
        latest = perf_counter_ns() - int((self.leak_after or 0.0) * 1e9)
        with self._lock:
            holds = self.checkouts.held()
            late = [hold for hold in holds if hold[0] <= latest and hold not in self._told]
            self._told = {hold for hold in holds if hold in self._told} | set(late)
            self._counts["leaked"] += len(late)
        return late

    def _tell(self, late: Sequence[Hold]) -> None:
        for since, label, place in late:
            called = f", for {label}" if label else ""
            at = "; called by ".join(told(place)) or "before leak_after was given"
            held = (perf_counter_ns() - since) / 1e9
            _log.warning("%s: a connection is held for %.3g s%s: taken %s", self.name, held, called, at)

    # --- for who asks -------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return what was counted until now."""
        if self.leak_after:
            self._tell(self._late())
        now, checkouts = perf_counter_ns(), self.checkouts
        with self._lock:
            # In this order: who gives a connection back meanwhile is for an instant in neither, and never in both.
            checkouts.fold()
            holds = sorted(checkouts.held(), key=itemgetter(0))
            times = {"wait": self._times["wait"].copy(), "usage": checkouts.usages.copy()}
            times["connect"] = self._times["connect"].copy()
            number = self._never_less("", "checkouts", checkouts.usages.count + checkouts.shared + len(holds))
            counters = self._counts | {"checkouts": number, "returns_bad": checkouts.returns_bad}
            counters["requests_num"] = number + counters["requests_errors"]
            # Who waited is counted when the wait ends, and the request when it has its connection.
            at_once = self._never_less("", "at_once", counters["requests_num"] - times["wait"].count)
            labels = self._labels(holds)
            gauges = gauges_of(self._pool, len(holds), counters["connections_opened"] - counters["connections_closed"])
            gauges |= {"overflow_most": self._most_overflow, "pools": int(counters["requests_num"] > 0)}
            if gauges.get("in_use") is not None:
                gauges["in_use_most"] = checkouts.most
            if not self._listens:
                gauges |= dict.fromkeys(("pool_size", "pool_available", "in_use", "overflow"))
            gauges["requests_waiting"] = self._waiting
        if at_once:
            times["wait"].record(0.0, at_once)
        holders = [Holder(each[1], round((now - each[0]) / 1e9, 6), tuple(told(each[2]))) for each in holds[:_SHOWN]]
        pool = type(self._pool).__name__
        return Snapshot(self.name, pool, counters, gauges, times, labels, holders, since=self._since)

    def _labels(self, holds: Sequence[Hold]) -> dict[str, LabelUse]:
        labels = {label: LabelUse(**vars(use)) for label, use in self.checkouts.labels.items()}
        for _, label, _ in holds:
            if label is not None:
                use = self.checkouts.use_of(label, labels)
                use.checkouts += 1
                use.in_use += 1
        for label, use in labels.items():
            use.checkouts = self._never_less("label", label, use.checkouts)
        return labels

    def _never_less(self, kind: str, name: str, number: int) -> int:
        """Return a number that was counted, or the one that was shown before if that is more: so none goes back."""
        self._shown[kind, name] = shown = max(number, self._shown.get((kind, name), 0))
        return shown


def _tell_gone(counts: weakref.ref[PoolCounts], number: int) -> None:
    if found := counts():
        found.gone(number)
