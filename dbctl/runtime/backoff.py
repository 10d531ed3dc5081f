"""Waiting for a database: what can heal by itself, and how long to pause before the next try. Nothing here waits."""

import logging
import random
import re
import time

from dbctl.errors import ConnectError, OutOfTime

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
"""Seconds between two tries; each pause is up to a quarter shorter, so that many who wait do not knock in step."""
_TELLING = 1.0
"""Seconds within which a server that is up answers. The silence of a try that had less is no news."""

_log = logging.getLogger("dbctl")


class Patience:
    """How long a database is still waited for. Begins when it is made.

    Args:
        seconds: For how long.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE
        self._said = ""
        self._failure: ConnectError | None = None
        self._no_news_from = self._end

    @property
    def left(self) -> float:
        """How many seconds are left, 0 or more."""
        return max(0.0, self._end - time.monotonic())

    def time_for_a_try(self, usual: float) -> float:
        """Return how many seconds the next try may take to connect: no more than usual, and none past the end.

        Before the end there is some time left to find out at which step the server is silent.
        """
        seconds = max(_FIRST_PAUSE, min(usual, round(max(self.left - 1, self.left / 2), 2)))
        is_short = seconds < min(usual, _TELLING)
        self._no_news_from = min(self._end, time.monotonic() + seconds) if is_short else self._end
        return seconds

    def pause_after(self, failure: ConnectError) -> float:
        """Return for how many seconds to pause after a try that failed, and say once what is waited for.

        Args:
            failure: How it failed. What is known from a try before counts for more than the silence of a short one.

        Raises:
            ConnectError: The failure itself, which no waiting heals.
            OutOfTime: There is no time left for one more try.
        """
        if not failure.transient:
            raise failure
        if self._failure and time.monotonic() >= self._no_news_from:
            failure = self._failure
        self._failure = failure
        if self.left < _FIRST_PAUSE:
            raise OutOfTime(f"waited {self.seconds:g} s in vain: {failure.message}", failure.hint) from failure
        # Numbers may differ from try to try: seconds, a process's id.
        if self._said != (said := re.sub(r"[\d.]+", "", failure.message)):
            _log.info("%s; waiting", failure.message, extra={"event": "waiting"})
            self._said = said
        pause = min(self._pause * random.uniform(0.75, 1), self.left / 2)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return pause
