"""Times as they are shown, with their tail, and the tally that a load keeps of them in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dbctl.pool.histograms import Histogram
from dbctl.records import record
from dbctl.spread import milliseconds

_BOUNDS = [factor * 10.0**power for power in range(-5, 3) for factor in (1, 2, 5)]
"""Seconds: what a chart of waits has bars for, from 10 µs on."""


@record
class Times:
    """The spread of a number of times, in milliseconds, with its tail; percentiles by the nearest rank."""

    count: int
    min_ms: float
    median_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: Histogram) -> Times | None:
        """Return the spread of a histogram's times; None where there are none."""
        if not seconds.count:
            return None
        p50, p95, p99, p999 = (milliseconds(seconds.quantile(share)) for share in (0.5, 0.95, 0.99, 0.999))
        return cls(seconds.count, milliseconds(seconds.least), p50, p95, p99, p999, milliseconds(seconds.most))


class Tally:
    """Times, as a histogram, and how much they vary.

    Attributes:
        histogram: The histogram.
    """

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self.histogram = Histogram()
        self._squares = 0.0
        self.extend(seconds)

    def extend(self, seconds: Iterable[float]) -> None:
        """Add times, in seconds."""
        for each in seconds:
            self.add(each)

    def add(self, seconds: float, times: int = 1) -> None:
        """Add a time, in seconds, or so many of it."""
        self.histogram.record(seconds, times)
        self._squares += times * seconds * seconds

    @property
    def count(self) -> int:
        """How many there are."""
        return self.histogram.count

    @property
    def mean(self) -> float:
        """The mean, in seconds; 0 of none."""
        return self.histogram.total / self.count if self.count else 0.0

    @property
    def variation(self) -> float:
        """The squared coefficient of variation: 0 where all are alike, 1 where they come by chance."""
        total = self.histogram.total
        return max(0.0, self.count * self._squares / total**2 - 1) if total else 0.0


def bars_of(seconds: Histogram) -> Sequence[tuple[str, int]]:
    """Return how many times there are up to each of some round numbers of milliseconds, from the first to the last."""
    if not seconds.count:
        return ()
    below = seconds.below(_BOUNDS)
    each = [count - before for count, before in zip(below, [0, *below], strict=False)]
    bars = [(f"≤ {bound * 1000:g} ms", count) for bound, count in zip(_BOUNDS, each, strict=True)]
    if longer := seconds.count - below[-1]:
        bars.append((f"> {_BOUNDS[-1] * 1000:g} ms", longer))
    filled = [place for place, (_, count) in enumerate(bars) if count]
    return bars[filled[0] : filled[-1] + 1]
