"""Histograms of times in bounded memory: each bucket is narrow beside the times that fall into it.

As HdrHistogram does it (https://hdrhistogram.org): every power of two is cut into as many buckets of one width, so that
the error is a part of the value, whatever its size. Its Python package takes several times as long to record a value,
which each checkout would pay for.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dbctl.records import record

_PARTS = 6
"""Every power of two has 2 ** 6 buckets: a value is known to 1/128 of itself."""

_BITS = 45
"""Values of so many bits are told apart, in nanoseconds: to about ten hours."""

_MOST = (1 << _BITS) - 1

MOST_BUCKETS = (_BITS - _PARTS + 1) << _PARTS
"""How many buckets a histogram can have; those that hold nothing take no memory."""

QUANTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
"""The quantiles that are shown, by the names that they have there."""


class Histogram:
    """How many times there were of each length; one that is shared by threads is its owner's to lock.

    Attributes:
        count: How many there are.
        nanoseconds: What they amount to: whole, so that sums are the same in whichever order they are added up.
        least, most: The shortest and the longest, in seconds; 0 where there is none.
    """

    __slots__ = ("_buckets", "count", "least", "most", "nanoseconds")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = self.nanoseconds = 0
        self.least = self.most = 0.0

    @property
    def total(self) -> float:
        """What they amount to, in seconds."""
        return self.nanoseconds / 1e9

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Histogram:
        """Return the histogram of times in seconds."""
        made = cls()
        for each in seconds:
            made.record(each)
        return made

    def record(self, seconds: float, times: int = 1) -> None:
        """Add a time in seconds, or so many of it. What is below 0 counts as 0."""
        if seconds > self.most:
            self.most = seconds
        elif seconds < 0:
            seconds = 0.0
        if seconds < self.least or not self.count:
            self.least = seconds
        self.count += times
        nanoseconds = int(seconds * 1e9)
        self.nanoseconds += nanoseconds * times
        if nanoseconds > _MOST:  # noqa: PLR1730 - a call of min would cost as much as all else
            nanoseconds = _MOST
        bucket = _bucket(nanoseconds)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + times

    def record_all(self, nanoseconds: list[int]) -> None:
        """Add many times in nanoseconds, none below 0, and sort them: that takes less than one after the other."""
        if not nanoseconds:
            return
        nanoseconds.sort()
        least, most = nanoseconds[0] / 1e9, nanoseconds[-1] / 1e9
        self.least = min(self.least, least) if self.count else least
        self.most = max(self.most, most)
        self.count += len(nanoseconds)
        self.nanoseconds += sum(nanoseconds)
        start = 0
        while start < len(nanoseconds):
            bucket = _bucket(min(nanoseconds[start], _MOST))
            end = bisect_left(nanoseconds, _first(bucket + 1), start) if bucket < MOST_BUCKETS - 1 else len(nanoseconds)
            self._buckets[bucket] = self._buckets.get(bucket, 0) + end - start
            start = end

    def merge(self, other: Histogram) -> None:
        """Add all the times of another."""
        if not other.count:
            return
        self.least = min(self.least, other.least) if self.count else other.least
        self.most = max(self.most, other.most)
        self.count += other.count
        self.nanoseconds += other.nanoseconds
        for bucket, times in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + times

    def copy(self) -> Histogram:
        """Return one with the same times."""
        made = Histogram()
        made.merge(self)
        return made

    def since(self, before: Histogram) -> Iterator[tuple[float, int]]:
        """Return what has come since this was another, an earlier copy: times in seconds, and how many of each."""
        for bucket, times in self._buckets.items():
            more = times - before._buckets.get(bucket, 0)
            if more > 0:
                yield min(max(_middle(bucket), self.least), self.most), more

    def quantile(self, part: float) -> float:
        """Return the time, in seconds, that this part of all does not exceed, by the nearest rank; 0 of none.

        Args:
            part: From 0 to 1: 0.99 for the 99th percentile.
        """
        if part >= 1:
            return self.most
        rank, seen = max(1, math.ceil(part * self.count)), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return min(max(_middle(bucket), self.least), self.most)
        return 0.0

    def below(self, bounds: Sequence[float]) -> list[int]:
        """Return how many times do not exceed each of the bounds, which are in seconds and ascend."""
        counts = [0] * len(bounds)
        for bucket, times in self._buckets.items():
            middle = min(max(_middle(bucket), self.least), self.most)
            for place in range(len(bounds) - 1, -1, -1):
                if middle > bounds[place]:
                    break
                counts[place] += times
        return counts

    def spread(self) -> Spread:
        """Return what is shown of it."""
        quantiles = {f"{name}_ms": _milliseconds(self.quantile(part)) for name, part in QUANTILES.items()}
        return Spread(self.count, _milliseconds(self.least), **quantiles, max_ms=_milliseconds(self.most))

    def as_dict(self) -> dict[str, Any]:
        """Return what is shown of it, and its buckets: all that `from_dict` needs."""
        return {
            **self.spread().as_dict(),
            "total_ms": _milliseconds(self.total),
            "total_ns": self.nanoseconds,
            "buckets": [list(each) for each in sorted(self._buckets.items())],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Histogram:
        """Return the histogram whose `as_dict` this was.

        Raises:
            ValueError: It is none.
        """
        made = cls()
        try:
            made.count = int(values["count"])
            made.nanoseconds = int(values.get("total_ns", round(float(values["total_ms"]) * 1e6)))
            made.least, made.most = (float(values[f"{name}_ms"]) / 1e3 for name in ("min", "max"))
            made._buckets = {int(bucket): int(times) for bucket, times in values["buckets"]}
        except KeyError as error:
            raise ValueError(f"no histogram: it has no {error.args[0]!r}") from error
        except (TypeError, AttributeError, OverflowError) as error:
            raise ValueError("no histogram: a value is of another kind") from error
        if sum(made._buckets.values()) != made.count or not all(0 <= each < MOST_BUCKETS for each in made._buckets):
            raise ValueError("no histogram: its buckets do not add up")
        return made


@record
class Spread:
    """The spread of a number of times, in milliseconds; quantiles by the nearest rank."""

    count: int
    min_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float

    def as_dict(self) -> dict[str, float]:
        """Return it under the names of its fields."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _bucket(nanoseconds: int) -> int:
    """Return the bucket of a time that is not above the most; below 2 ** _PARTS there is one for each."""
    shift = nanoseconds.bit_length() - _PARTS - 1
    return (shift << _PARTS) + (nanoseconds >> shift) if shift > 0 else nanoseconds


def _first(bucket: int) -> int:
    """Return the least time of a bucket, in nanoseconds."""
    shift = (bucket >> _PARTS) - 1
    return bucket if shift < 1 else (bucket - (shift << _PARTS)) << shift


def _middle(bucket: int) -> float:
    """Return the middle of a bucket, in seconds; the lowest hold one value each."""
    shift = (bucket >> _PARTS) - 1
    if shift < 1:
        return bucket / 1e9
    return ((bucket - (shift << _PARTS)) + 0.5) * (1 << shift) / 1e9


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 6)
