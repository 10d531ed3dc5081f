"""What each checkout and each return of a connection pays for: as little as can be counted with.

No lock is taken, for there are only single steps on dictionaries and lists, each of which is one whatever other threads
do, also where Python has no lock of its own. Times are noted as they come, and put into histograms by the thousand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns
from typing import Any

from dbctl.pool.histograms import Histogram
from dbctl.pool.places import Place, current_label, current_place
from dbctl.pool.snapshots import LabelUse

_MOST_LABELS = 500
"""So many labels are told apart; what comes under others is counted together."""

_OTHERS = "(others)"

_MANY = 2000
"""So many times are noted before they are put into their histogram."""

Hold = tuple[int, str | None, Place]
"""A checkout: when it was, by `time.perf_counter_ns`, what for, and the calls that led to it."""


class Checkouts:
    """Who has a connection of a pool, and for how long those had one that have given it back.

    Attributes:
        notes_place: Whether to note the calls that lead to a checkout, which takes longer than all else.
        lock: Held by whoever reads or changes what is not said to be noted without; also the owner's, for more. The
            garbage collector may give a connection back in the midst of this: so whoever has it may take it again.
        holds: What is checked out, by the pool's record of the connection; noted without the lock.
        most: How many were checked out at most at a time.
        shared: Checkouts of what was checked out already, as a StaticPool's one connection may be.
        returns_bad: Returns of what has no connection any more.
        usages: For how long each was held that is back.
        labels: The same by what they were checked out for.
    """

    def __init__(self) -> None:
        self.notes_place = False
        self.lock = threading.RLock()
        self.holds: dict[Any, Hold] = {}
        self._usages: list[int] = []
        self._labelled: list[tuple[str, int]] = []
        self._set_to_nothing()

    def _set_to_nothing(self) -> None:
        self.usages = Histogram()
        self.labels: dict[str, LabelUse] = {}
        self.most = self.shared = self.returns_bad = 0
        self._folds = False

    def reset(self) -> None:
        """Begin at 0, as a fork does: its parent's threads may hold the lock for ever."""
        self.lock = threading.RLock()
        self.holds.clear()
        self._usages.clear()
        self._labelled.clear()
        self._set_to_nothing()

    def counting(
        self, connect: Callable[[], Any], is_first: Callable[[Any], bool], failed: Callable[[BaseException], None]
    ) -> Callable[[], Any]:
        """Return what counts each checkout that a pool's method makes.

        Args:
            connect: The method, which returns SQLAlchemy's proxy of a connection.
            is_first: Tells whether a proxy was made for this checkout, and not for one that it is within.
            failed: Called with what is raised.
        """
        holds, hold, now, label = self.holds, self.holds.setdefault, perf_counter_ns, current_label

        def connect_counted() -> Any:
            try:
                proxy = connect()
            except BaseException as error:
                failed(error)
                raise
            this = now(), label(), current_place() if self.notes_place else ()
            if hold(proxy._connection_record, this) is not this and is_first(proxy):
                with self.lock:
                    self.shared += 1
            if len(holds) > self.most:
                self._raise_most(len(holds))
            return proxy

        return connect_counted

    def counting_back(self, take_back: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return what counts each return to a pool's method that takes its records back."""
        end, note, now, usages, many = self.holds.pop, self._usages.append, perf_counter_ns, self._usages, _MANY

        def take_back_counted(record: Any) -> Any:
            if (hold := end(record, None)) is not None:  # else it was handed out to nobody, or before this counted
                used = now() - hold[0]
                note(used)
                if hold[1] is not None:
                    self._labelled.append((hold[1], used))
                if record.dbapi_connection is None:
                    with self.lock:
                        self.returns_bad += 1
                if len(usages) > many:
                    self.fold()
            return take_back(record)

        return take_back_counted

    def detach(self, record: Any) -> None:
        """Take note that a record has its connection no more, which is its user's own from now on."""
        self.counting_back(lambda _: None)(record)

    def forget(self) -> None:
        """Have nobody hold a connection, as far as is known: when it comes back is not heard of any more."""
        with self.lock, suppress(KeyError):  # until there are no more
            while True:
                _, (_, label, _) = self.holds.popitem()
                self.shared += 1
                if label is not None:
                    self.use_of(label, self.labels).checkouts += 1

    def held(self) -> list[Hold]:
        """Return what is checked out at this moment."""
        return list(self.holds.copy().values())

    def _raise_most(self, number: int) -> None:
        with self.lock:
            self.most = max(self.most, number)

    def fold(self) -> None:
        """Put into the histogram what was noted until now."""
        with self.lock:
            if self._folds:  # a connection came back in the midst of this
                return
            self._folds = True
            try:
                self.usages.record_all(_taken(self._usages))
                for label, used in _taken(self._labelled):
                    use = self.use_of(label, self.labels)
                    use.checkouts += 1
                    use.usage_ns += used
            finally:
                self._folds = False

    @staticmethod
    def use_of(label: str, labels: dict[str, LabelUse]) -> LabelUse:
        """Return what is counted under a label, of which there are not too many."""
        if label not in labels and len(labels) >= _MOST_LABELS:
            label = _OTHERS
        return labels.setdefault(label, LabelUse())


def _taken(noted: list[Any]) -> list[Any]:
    """Take out what was noted until now, while others note more."""
    found = noted[:]
    del noted[: len(found)]
    return found
