"""Watching a prompt's transaction while nothing is typed: it holds what it has locked, and is told, or ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbctl.console.sessions import Desk

TOLD_AFTER = 60.0
"""Seconds after which an idle transaction is told."""

_LOOK = 0.25
"""Seconds between two looks."""

Aside = Callable[[Callable[[], None]], None]
"""Calls what says something beside the prompt that is on the screen."""

_log = logging.getLogger("dbctl")


@contextmanager
def watched(
    desk: Desk, aside: Aside = lambda say: say(), *, limit: float | None = None, told_after: float = TOLD_AFTER
) -> Iterator[None]:
    """Watch the transaction of a console in the block.

    Args:
        desk: The console's.
        aside: Calls what says something.
        limit: Seconds after which an idle transaction is rolled back, or None.
        told_after: Seconds after which it is told, once.
    """
    watch = _Watch(desk, aside, limit, told_after)
    thread = threading.Thread(target=watch.run, name="dbctl-idle", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.over.set()
        thread.join()


class _Watch:
    def __init__(self, desk: Desk, aside: Aside, limit: float | None, told_after: float) -> None:
        self.over = threading.Event()
        self._desk, self._aside, self._limit, self._told_after = desk, aside, limit, told_after
        self._told_of: float | None = None
        """When that was run last after which it was told."""

    def run(self) -> None:
        """Look until the block is over; whoever runs something meanwhile has the session."""
        while not self.over.wait(_LOOK):
            if self._desk.turn.acquire(blocking=False):
                try:
                    self._look()
                finally:
                    self._desk.turn.release()

    def _look(self) -> None:
        if not self._desk.ledger.is_open:
            return
        idle = time.monotonic() - self._desk.last
        if self._limit is not None and idle >= self._limit:
            self._aside(self._end)
        elif idle >= self._told_after and self._told_of != self._desk.last:
            self._told_of = self._desk.last
            self._aside(self._tell)

    def _tell(self) -> None:
        known = f" ({what})" if (what := self._desk.ledger.told()) else ""
        seconds = f"{self._told_after:g} s"
        _log.warning(
            "the transaction%s is open, and was idle for %s: it holds its locks until commit() or rollback()",
            known, seconds,
        )  # fmt: skip

    def _end(self) -> None:
        _log.warning("the transaction was idle for %g s, and is ended", self._limit)
        self._desk.roll_back()
