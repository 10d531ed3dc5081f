"""When an async run may commit: in time, and under its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Timeout

    from dbctl.work.deadlines import Deadline
    from dbctl.work.locks import AdvisoryLock


class Gate:
    """The time and the lock of an async run: open until it commits."""

    def __init__(self, timeout: Timeout, deadline: Deadline | None, lock: AdvisoryLock | None = None) -> None:
        self.deadline = deadline
        self._timeout = timeout
        self._end = timeout.when()
        self._lock = lock

    @property
    def terms(self) -> dict[str, Any]:
        """What the unit of work is given."""
        return {"before_commit": self.before_commit, "deadline": self.deadline}

    def before_commit(self) -> None:
        """Let the unit of work that calls this commit, and the task not be cancelled for its deadline any more."""
        import asyncio

        from sqlalchemy.util import await_only

        if self._lock is not None:
            await_only(asyncio.to_thread(self._lock.check))
        if self._timeout.expired():
            await_only(asyncio.sleep(0))  # which is cancelled
        self._timeout.reschedule(None)
        if self.deadline is not None and not self.deadline.left:
            raise self.deadline.error()  # which the loop had no time to notice

    def reopen(self) -> None:
        """Take note that the commit has failed: the deadline holds again."""
        if not self._timeout.expired():
            self._timeout.reschedule(self._end)
