"""When requests come: at a rate, by chance, and whether or not those before them are served."""

from __future__ import annotations

import random
import threading


class Arrivals:
    """A Poisson process, whose times several threads take one after the other.

    So no request is left out because the one before it has to wait (coordinated omission): it waits from when it came.

    Args:
        rate: Requests a second.
        start: When the first may come, by `time.perf_counter`.
        seed: What chance begins with.
    """

    def __init__(self, rate: float, start: float, seed: int | None = None) -> None:
        self._rate = rate
        self._at = start
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def take(self) -> float:
        """Return when the next request comes."""
        with self._lock:
            self._at += self._random.expovariate(self._rate)
            return self._at
