"""Until when a run may take, by this machine's clock."""

from __future__ import annotations

import time

from dbctl.errors import OutOfTime


class Deadline:
    """The end of a run's time. The time begins when it is made.

    Args:
        seconds: How long all of the run may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """How many seconds are left, 0 or more."""
        return max(0.0, self._end - time.monotonic())

    def error(self) -> OutOfTime:
        """Return the error of work whose time is over."""
        return OutOfTime(f"not done within the deadline of {self.seconds:g} s; what was not committed is rolled back")
