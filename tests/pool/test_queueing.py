"""The arithmetic of queues, against a queue that is played through."""

import heapq
import math
import random
from collections.abc import Iterable, Sequence

import pytest

from dbctl.pool.queueing import Demand
from dbctl.pool.sweeping import SizeStats, knee_of


def waits(arrivals: Iterable[float], hold: float, connections: int) -> Sequence[float]:
    """Return how long each of those that come at these times waits, where each holds a connection equally long."""
    free, found = [0.0] * connections, []
    for at in arrivals:
        begin = max(at, heapq.heappop(free))
        found.append(begin - at)
        heapq.heappush(free, begin + hold)
    return found


def poisson(rate: float, number: int, dice: random.Random) -> list[float]:
    at, found = 0.0, []
    for _ in range(number):
        at += dice.expovariate(rate)
        found.append(at)
    return found


@pytest.mark.parametrize(("rate", "hold", "connections"), [(40, 0.02, 1), (100, 0.02, 3), (400, 0.02, 10)])
def test_waits_are_those_of_a_queue_played_through(rate: float, hold: float, connections: int) -> None:
    played = sorted(waits(poisson(rate, 40_000, random.Random(16)), hold, connections))
    demand = Demand(rate, hold)
    assert demand.in_use == pytest.approx(rate * hold)
    assert demand.mean_wait(connections) == pytest.approx(sum(played) / len(played), rel=0.25)
    assert demand.wait(connections) == pytest.approx(played[len(played) * 99 // 100], rel=0.25)


def test_one_connection_waits_as_the_formula_of_pollaczek_and_khinchine_says() -> None:
    for variation in (0.0, 1.0, 3.0):
        expected = 0.8 * 0.02 * (1 + variation) / 2 / (1 - 0.8)
        assert Demand(40, 0.02, variation).mean_wait(1) == pytest.approx(expected)


def test_the_size_that_is_needed_is_the_least_that_will_do() -> None:
    demand = Demand(400, 0.02)
    needed = demand.needs(0.02)
    assert needed is not None
    assert demand.wait(needed) <= 0.02 < demand.wait(needed - 1)
    assert demand.wait(8) == math.inf  # on average 8 are in use
    assert Demand(1e6, 1).needs(0.02) is None


def stats(size: int, per_second: float, wait: float) -> SizeStats:
    return SizeStats(size, per_second, 0.0, wait, 20.0, per_second * 0.02, size, 0, 0)


def test_the_knee_is_where_more_give_no_more() -> None:
    in_turn = [stats(1, 50, 0), stats(2, 99, 0), stats(5, 240, 0), stats(10, 245, 0), stats(20, 250, 0)]
    assert knee_of(in_turn, None).size == 5
    at_a_rate = [stats(1, 50, 900), stats(2, 80, 300), stats(5, 80, 4), stats(10, 80, 0)]
    assert knee_of(at_a_rate, 80.0).size == 5
