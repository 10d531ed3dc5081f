"""Measuring one thing against another: the two take turns in one run, so that the machine's noise hits both.

What is printed is their ratio and nothing else: times mean something on one machine at one moment only.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Timed = Callable[[], float]
"""Does the work once, and returns how long it took, in seconds."""


@dataclass(frozen=True)
class Comparison:
    """Something of dbctl, and the floor that it stands on: the same work done without dbctl.

    Attributes:
        what: the thing that is measured.
        floor: what it is measured against.
        goal: the ratio that is aimed at, or below.
        one, other: the thing and the floor, to be run.
    """

    what: str
    floor: str
    goal: float
    one: Timed
    other: Timed


@dataclass(frozen=True)
class Ratio:
    """How many times longer one thing took than the other.

    Attributes:
        median: the median of the rounds' ratios: what slows a whole round down is not in it.
        fastest: the ratio of the fastest turns: what the work takes where nothing disturbs it.
    """

    median: float
    fastest: float


def rounds_option(description: str, default: int) -> int:
    """Return the number of rounds from the script's command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=default, metavar="N", help=f"turns of each ({default})")
    rounds: int = parser.parse_args().rounds
    return max(1, rounds)


def ratio(comparison: Comparison, rounds: int) -> Ratio:
    """Run both in turns, after one turn that warms the caches and is not counted."""
    comparison.one()
    comparison.other()
    pairs = [(comparison.one(), comparison.other()) for _ in range(rounds)]
    ones, others = zip(*pairs, strict=True)
    return Ratio(statistics.median(one / other for one, other in pairs), min(ones) / min(others))


def print_table(comparisons: Iterable[Comparison], rounds: int) -> None:
    """Measure each comparison, and print a line for it as soon as it is done."""
    _print_line(("what", "floor", "median", "fastest", "goal"))
    for comparison in comparisons:
        if sys.stderr.isatty():
            print(f"{comparison.what} …", end="\r", file=sys.stderr, flush=True)
        found = ratio(comparison, rounds)
        figures = (f"{found.median:.3f}", f"{found.fastest:.3f}", f"≤ {comparison.goal:.2f}")
        _print_line((comparison.what, comparison.floor, *figures))


def _print_line(cells: Sequence[str]) -> None:
    what, floor, median, fastest, goal = cells
    print(f"{what:<44} {floor:<44} {median:>7} {fastest:>7} {goal:>7}", flush=True)
