"""Times, and what many of them amount to."""

from collections.abc import Sequence

from dbctl.records import record


@record
class Spread:
    """The spread of a number of times, in milliseconds; percentiles by the nearest rank."""

    count: int
    min_ms: float
    median_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread | None":
        """Return the spread of times given in seconds, or None where there are none."""
        if not seconds:
            return None
        ordered = sorted(seconds)

        def rank(percent: int) -> float:
            return milliseconds(ordered[max(0, -(-len(ordered) * percent // 100) - 1)])

        return cls(len(ordered), rank(0), rank(50), rank(95), rank(99), rank(100))


def milliseconds(seconds: float) -> float:
    """Return seconds as milliseconds, to the microsecond."""
    return round(seconds * 1000, 3)
