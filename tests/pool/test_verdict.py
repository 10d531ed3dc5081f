"""What a run's figures amount to, in a line."""

from dataclasses import replace

import pytest

from dbctl.pool.figures import Run
from dbctl.pool.times import Tally, Times
from dbctl.pool.verdict import Ground, verdict

HELD = Tally([0.02] * 1000)
AT_ONCE, LATE = Tally([0.0001] * 1000), Tally([0.18] * 1000)
GROUND = Ground(size=5, capacity=5, workers=1, room=90)


def run_of(waits: Tally, **figures: object) -> Run:
    times = Times.of(waits.histogram)
    connects = Times.of(Tally([0.012]).histogram)
    made = Run(20, 1.0, 1000, times, 5, connects, 5, 0, 0, "hold it for 20 ms", 40.0, 40.0, times, 5, 0, 0, 0)
    return replace(made, **figures)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ground", "figures", "waits", "expected"),
    [
        (GROUND, {}, AT_ONCE, "5 connections suffice for 40 requests/s holding 20 ms: p99 waits 0.1 ms"),
        (
            GROUND, {"most_in_use": 1}, AT_ONCE,
            "1 connection suffices for 40 requests/s holding 20 ms: p99 waits 0.1 ms",
        ),
        (
            GROUND, {"rate": 400.0}, LATE,
            "400 requests/s holding 20 ms: p99 waits 180 ms; raise pool.size to 10, or shorten the hold",
        ),
        (
            replace(GROUND, workers=12), {"rate": 400.0, "timeouts": 7}, LATE,
            "400 requests/s holding 20 ms: p99 waits 180 ms, 7 got none within pool.timeout;"
            " shorten the hold: for 12 x 10 connections the server has no room (90 left)",
        ),
        (
            GROUND, {"connections_opened": 500}, LATE,
            "40 requests/s holding 20 ms: p99 waits 180 ms; what they wait for is that new connections are opened",
        ),
        (
            GROUND, {}, LATE,
            "40 requests/s holding 20 ms: p99 waits 180 ms;"
            " the pool has enough, and what is slow is the server or this process",
        ),
        (
            # The pool's five are opened before the first request comes.
            replace(GROUND, capacity=15), {"rate": 200.0, "concurrency": 6, "checkouts": 400}, Tally([0.18] * 400),
            "200 requests/s holding 20 ms: p99 waits 180 ms;"
            " the pool has enough, and what is slow is the server or this process",
        ),
        (
            replace(GROUND, capacity=15), {"rate": 200.0, "concurrency": 5}, LATE,
            "200 requests/s holding 20 ms: p99 waits 180 ms;"
            " no more than 5 at a time ask for one: raise --concurrency to 6",
        ),
        (
            GROUND, {"rate": None}, LATE,
            "20 at a time share 5 connections: 40 checkouts/s holding 20 ms, p99 waits 180 ms;"
            " raise pool.size to 20, or have fewer at a time",
        ),
        (
            replace(GROUND, capacity=15),
            {"overflow_used": 3, "most_in_use": 8, "connections_opened": 300, "recycled": 2}, AT_ONCE,
            "8 connections suffice for 40 requests/s holding 20 ms: p99 waits 0.1 ms; 293 connections were opened as"
            " overflow, 12 ms each: with pool.max_overflow = 0 p99 would wait 0 ms for one of 5",
        ),
        (
            Ground(1, 1, 1, None, sized=False), {"rate": None}, LATE,
            "20 at a time share 1 connection: 40 checkouts/s holding 20 ms, p99 waits 180 ms; have fewer at a time;"
            " no server counts the connections, and one connection is shared by all",
        ),
    ],
)  # fmt: skip
def test_it_says_what_suffices_and_what_to_change(
    ground: Ground, figures: dict[str, object], waits: Tally, expected: str
) -> None:
    assert verdict(run_of(waits, **figures), ground, waits, HELD, None, None) == expected


def test_where_nobody_was_served_it_says_so() -> None:
    assert verdict(run_of(LATE, timeouts=9), GROUND, LATE, Tally(), None, None).endswith("all timed out")
    assert verdict(run_of(LATE, cut=5), GROUND, LATE, None, None, None).startswith("none of 5 had done its work")
