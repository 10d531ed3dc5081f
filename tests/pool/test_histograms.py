"""A histogram knows each time to a part of itself, in bounded memory, and two of them add up to one."""

import random

import pytest

from dbctl.pool import Histogram
from dbctl.pool.histograms import MOST_BUCKETS


def times(dice: random.Random, number: int) -> list[float]:
    return [10 ** dice.uniform(-9, 4) for _ in range(number)]


def test_quantiles_are_within_a_hundredth_of_the_time_itself(dice: random.Random) -> None:
    found = sorted(times(dice, 5000))
    histogram = Histogram.of(found)
    assert (histogram.count, histogram.least, histogram.most) == (5000, found[0], found[-1])
    assert histogram.total == pytest.approx(sum(found))
    for part in (0.001, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999):
        assert histogram.quantile(part) == pytest.approx(found[int(part * 5000) - 1], rel=0.01, abs=1.1e-9)
    assert histogram.quantile(1) == found[-1]
    assert histogram.below([1e-3, 1.0]) == pytest.approx([sum(t <= b for t in found) for b in (1e-3, 1.0)], abs=30)


def test_memory_is_bounded_whatever_is_recorded(dice: random.Random) -> None:
    histogram = Histogram.of([*times(dice, 50_000), 1e12, -1.0, 0.0])
    assert len(histogram.as_dict()["buckets"]) <= MOST_BUCKETS
    assert (histogram.least, histogram.most, histogram.quantile(1)) == (0, 1e12, 1e12)


def test_two_add_up_to_one_also_through_a_file(dice: random.Random) -> None:
    one, other = times(dice, 1000), times(dice, 500)
    both = Histogram.of(one)
    both.merge(Histogram.from_dict(Histogram.of(other).as_dict()))
    both.merge(Histogram())
    together = Histogram.of([*one, *other])
    assert both.as_dict()["buckets"] == together.as_dict()["buckets"]
    assert both.spread() == together.spread()
    assert both.copy().as_dict() == both.as_dict()


def test_many_added_at_once_are_as_one_after_the_other(dice: random.Random) -> None:
    found = [int(1e9 * each) for each in times(dice, 2000)] + [0, 0, 127, 128, 1 << 60]
    one_by_one, at_once = Histogram.of((each + 0.5) / 1e9 for each in found), Histogram()
    for part in ([], found[:7], found[7:]):
        at_once.record_all(list(part))
    same = at_once.as_dict()["buckets"] == one_by_one.as_dict()["buckets"]
    assert same  # what differs would fill pages
    assert (at_once.count, at_once.nanoseconds) == (len(found), sum(found))
    assert (at_once.least, at_once.most) == (0, (1 << 60) / 1e9)


def test_one_of_no_times_is_all_zero() -> None:
    assert set(Histogram().spread().as_dict().values()) == {0}
    assert Histogram().below([1.0]) == [0]


@pytest.mark.parametrize(
    "change", [{"count": 2}, {"buckets": [[-1, 1]]}, {"buckets": [[MOST_BUCKETS, 1]]}, {"buckets": 1}, {"min_ms": None}]
)
def test_what_is_no_histogram_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no histogram"):
        Histogram.from_dict(Histogram.of([1.0]).as_dict() | change)
