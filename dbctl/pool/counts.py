"""What a pool's events are counted into, and who has its connections.

Each checkout and each return pays for it, so little is done with them; the rest is done for whoever asks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dbctl.pool.histograms import Histogram
from dbctl.pool.hooks import gauges_of, opened_at, overflow_of, recycle_of
from dbctl.pool.places import Place, current_label, current_place, told
from dbctl.pool.snapshots import COUNTERS, HISTOGRAMS, Holder, LabelUse, Snapshot

if TYPE_CHECKING:
    from sqlalchemy import Pool

_log = logging.getLogger(__name__)

_MOST_LABELS = 500
"""So many labels are told apart; what comes under others is counted together."""

_OTHERS = "(others)"

_SHOWN = 10
"""How many holders a snapshot has."""

_REPLACED_AS = "dbctl_replaced_as"
"""What a record's `record_info` has whose connection was closed: how one in its place is counted, if it is."""

_Hold = tuple[float, str | None, Place]
"""A checkout: when it was, what for, and the calls that led to it."""


class PoolCounts:
    """The counts of a pool.

    Attributes:
        name: What the pool is called among others.
        leak_after: Seconds after which a connection that is still held is logged; None for never.
    """

    _pool: Pool

    def __init__(self, name: str) -> None:
        self.name = name
        self.leak_after: float | None = None
        self.reset()

    def reset(self) -> None:
        """Set all counts to 0, as a fork has them."""
        self._since = time.time()
        self._lock = threading.RLock()  # the garbage collector may give a connection back in the midst of this
        self._counts = dict.fromkeys(COUNTERS, 0)
        self._times = {name: Histogram() for name in HISTOGRAMS}
        self._usage = self._times["usage"]
        self._holds: dict[Any, _Hold] = {}
        self._told: set[_Hold] = set()
        self._look_at = 0.0
        self._labels: dict[str, LabelUse] = {}
        self._checkouts = self._most_in_use = self._most_overflow = self._waiting = self._at_once = 0

    # --- what each checkout and each return pays for ------------------------------------------------------------------

    def _checked_out(self, _connection: object, record: Any, _proxy: object) -> None:
        now = perf_counter()
        hold = now, current_label(), current_place() if self.leak_after else ()
        holds = self._holds
        with self._lock:
            holds[record] = hold
            self._checkouts += 1
            if len(holds) > self._most_in_use:  # noqa: PLR1730 - a call of max would cost more
                self._most_in_use = len(holds)
        if self.leak_after and now >= self._look_at:
            self._look_for_leaks()

    def _checked_in(self, connection: object, record: Any) -> None:
        now = perf_counter()
        if self.leak_after and now >= self._look_at:
            self._look_for_leaks()
        with self._lock:
            hold = self._holds.pop(record, None)
            if hold is None:
                return  # handed out to nobody, or before it was observed; or it is a StaticPool's, which several have
            self._usage.record(now - hold[0])
            if connection is None:
                self._counts["returns_bad"] += 1
            if hold[1] is not None:
                use = self._label(self._labels, hold[1])
                use.checkouts += 1
                use.usage_ns += int((now - hold[0]) * 1e9)
            if self._told:
                self._told.discard(hold)

    # --- what happens seldom ------------------------------------------------------------------------------------------

    @staticmethod
    def _label(labels: dict[str, LabelUse], label: str) -> LabelUse:
        if label not in labels and len(labels) >= _MOST_LABELS:
            label = _OTHERS
        return labels.setdefault(label, LabelUse())

    def _add(self, *counters: str) -> None:
        with self._lock:
            for each in counters:
                self._counts[each] += 1

    def _detached(self, connection: object, record: Any) -> None:
        """Take note of a connection that is its user's from now on; also of one that an async driver's user forgot."""
        self._add("detached")
        self._checked_in(connection, record)

    def _closed(self, _connection: object, record: Any = None) -> None:
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
        with self._lock:
            self._add("connections_num", "connections_opened")
            self._times["connect"].record(seconds)
            self._most_overflow = max(self._most_overflow, overflow_of(self._pool))
            if replaced_as := record.record_info.pop(_REPLACED_AS, ""):
                self._add(replaced_as)

    def connect_failed(self) -> None:
        """Take note that no connection could be made."""
        self._add("connections_num", "connections_errors")

    def request_failed(self, error: BaseException) -> None:
        """Take note that a connection was asked for, and not given."""
        self._add("requests_errors", *["timeouts"] * isinstance(error, PoolTimeout))

    def begin_wait(self) -> None:
        """Take note that a request begins to wait in the queue."""
        with self._lock:
            self._waiting += 1
            self._add("requests_queued")
        if self.leak_after:
            self._look_for_leaks()

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

    def _look_for_leaks(self) -> None:
        """Log who holds a connection for too long, once each."""
        now, leak_after = perf_counter(), self.leak_after or 0.0
        with self._lock:
            ends = {hold: hold[0] + leak_after for hold in self._holds.values() if hold not in self._told}
            late = [hold for hold, end in ends.items() if end <= now]
            self._told.update(late)
            self._counts["leaked"] += len(late)
            self._look_at = min((end for end in ends.values() if end > now), default=now + leak_after)
        for since, label, place in late:
            called = f", for {label}" if label else ""
            at = "; called by ".join(told(place)) or "before leak_after was given"
            _log.warning("%s: a connection is held for %.3g s%s: taken %s", self.name, now - since, called, at)

    # --- for who asks -------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return what was counted until now."""
        if self.leak_after:
            self._look_for_leaks()
        now = perf_counter()
        with self._lock:
            counters = self._counts | {"checkouts": self._checkouts}
            counters["requests_num"] = self._checkouts + counters["requests_errors"]
            times = {name: histogram.copy() for name, histogram in self._times.items()}
            # Who waited is counted when the wait ends, and the request when it has its connection: no count goes back.
            self._at_once = max(self._at_once, counters["requests_num"] - times["wait"].count)
            labels = {label: LabelUse(**vars(use)) for label, use in self._labels.items()}
            holds = sorted(self._holds.values(), key=itemgetter(0))
            gauges = gauges_of(self._pool, len(holds), counters["connections_opened"] - counters["connections_closed"])
            gauges |= {"in_use_most": self._most_in_use, "overflow_most": self._most_overflow}
            gauges["requests_waiting"] = self._waiting
        if self._at_once:
            times["wait"].record(0.0, self._at_once)
        for _, label, _ in holds:
            if label is not None:
                use = self._label(labels, label)
                use.checkouts += 1
                use.in_use += 1
        holders = [Holder(each[1], round(now - each[0], 6), tuple(told(each[2]))) for each in holds[:_SHOWN]]
        pool = type(self._pool).__name__
        return Snapshot(self.name, pool, counters, gauges, times, labels, holders, since=self._since)
