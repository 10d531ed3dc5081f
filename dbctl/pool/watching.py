"""A load looked at while it runs: what the pool has, who waits how long, and what the server says."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from typing import Any

from dbctl.charts.model import Board, Gauge, LiveFrame, Spark, amount
from dbctl.charts.shown import Live
from dbctl.connections.watching import is_ended, raise_if_ended
from dbctl.pool.figures import Measured, Moment, Plan
from dbctl.pool.measuring import Measurement
from dbctl.profiles import Profile
from dbctl.records import record
from dbctl.runtime.waits import is_done, started

_STEP = 0.1
"""Seconds after which a pause looks whether all is to end."""

_SPARKS = 60
"""How many moments a small line has at most."""


@record
class Look:
    """The pool at one moment of a load, `at` seconds after its beginning; waits are those since the look before."""

    at: float
    per_second: float
    wait_median_ms: float | None
    wait_p99_ms: float | None
    in_use: int
    open: int
    timeouts: int
    server_in_use: int | None
    server_limit: int | None = field(metadata={"table": False})


Measure = Callable[[Profile, Plan, Callable[[Measurement], None]], Measured]


def watched(
    profile: Profile, plan: Plan, measure: Measure, interval: float, conclude: Callable[[Measured], Any]
) -> Live[Look]:
    """Load the pool, and look at it again and again until the load is at its end, or left.

    Args:
        profile: Whose pool.
        plan: The load; it has no end of its own where its duration is infinite.
        measure: What measures: `measure_pool`, or the same by the async driver.
        interval: Seconds between two looks.
        conclude: Returns what is to be shown at the end.
    """
    seen: queue.SimpleQueue[tuple[Look, Board]] = queue.SimpleQueue()
    under_way: list[Measurement] = []
    ends: list[Measured] = []

    def look(measurement: Measurement) -> None:
        under_way[:] = [measurement]
        seen.put((_look(measurement.moments[-1]), _board(measurement)))

    def leave() -> None:
        for each in under_way:
            each.load.stop()

    def frames() -> Iterator[LiveFrame[Look]]:
        with _running(lambda: measure(profile, replace(plan, every=interval), look), leave) as measuring:
            while not (measuring.done() and seen.empty()):
                raise_if_ended()
                try:
                    row, board = seen.get(timeout=_STEP)
                except queue.Empty:
                    continue
                yield LiveFrame([row], board=board)
            ends.append(measuring.result())

    return Live(frames(), leave, lambda: conclude(ends[0]) if ends else None)


@contextmanager
def _running(measure: Callable[[], Measured], leave: Callable[[], None]) -> Iterator[Any]:
    """Run a measurement beside the block, which may be left before its end: that is waited for."""
    measuring = started(measure)
    try:
        yield measuring
    finally:
        while not measuring.done():
            leave()
            is_done(measuring, _STEP)
            if is_ended():
                break


def _look(moment: Moment) -> Look:
    server = moment.server
    return Look(
        at=round(moment.at, 1),
        per_second=round(moment.per_second, 1),
        wait_median_ms=_ms(moment.median_wait),
        wait_p99_ms=_ms(moment.p99_wait),
        in_use=moment.in_use,
        open=moment.open,
        timeouts=moment.timeouts,
        server_in_use=server.in_use if server else None,
        server_limit=server.limit if server else None,
    )


def _board(measurement: Measurement) -> Board:
    moment, moments = measurement.moments[-1], measurement.moments[-_SPARKS:]
    profile, capacity = measurement.connector.profile, measurement.connector.capacity
    limit = None if capacity == float("inf") else capacity
    gauges = [Gauge("in use", moment.in_use, limit), Gauge("open", moment.open, limit)]
    if moment.server:
        gauges.append(Gauge("at the server", moment.server.in_use, moment.server.limit))
    sparks = [
        Spark("checkouts/s", [each.per_second for each in moments]),
        Spark("median wait, ms", [_ms(each.median_wait) for each in moments]),
        Spark("p99 wait, ms", [_ms(each.p99_wait) for each in moments]),
    ]
    tables = [
        ("Server's connections", ("application", "state", "number"), _at_the_server(measurement)),
        ("Held for the longest time", ("seconds", "by"), _holders(measurement)),
    ]
    load = f"{amount(measurement.plan.rate)} requests/s" if measurement.plan.rate else f"{measurement.load.workers}"
    title = f"{profile.called}: {load}{'' if measurement.plan.rate else ' at a time'}, {moment.at:.0f} s"
    if measurement.load.timeouts:
        title += f", {len(measurement.load.timeouts)} timeouts"
    return Board(title, gauges, sparks, [each for each in tables if each[2]])


def _at_the_server(measurement: Measurement) -> Sequence[Sequence[str]]:
    sessions = (each for each in measurement.server.sessions if each.is_client)
    counts = Counter((each.application or each.user or "", each.state.value) for each in sessions)
    return [(name, state, str(number)) for (name, state), number in counts.most_common(8)]


def _holders(measurement: Measurement) -> Sequence[Sequence[str]]:
    holders = measurement.recorder.snapshot().holders[:5]
    return [(f"{each.seconds:.3f}", each.label or "the load") for each in holders]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
