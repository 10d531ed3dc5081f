"""Rows in bulk, whatever befalls a run in its midst: all of them are there or none, or as many as its place tells."""

import random
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.faults.bulk import LOADS, RANGE, Depot, depot
from tests.faults.steps import Act, after_step, crash, die, interrupt, lose
from tests.harness.cli import Dbctl
from tests.harness.database import KINDS, SERVER_KINDS, TestDatabase
from tests.harness.shared import make_shared
from tests.harness.soak import SOAK, dose

ACTS: dict[str, tuple[Callable[[TestDatabase], Act], int]] = {
    "killed": (lambda _: die, -signal.SIGKILL),
    "interrupted": (lambda _: interrupt, 130),
    "lost": (lose, 4),
    "crashed": (crash, 4),
}
"""What befalls a run, and what it ends with then."""


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    directory = tmp_path_factory.mktemp("bulk")
    (directory / "work").mkdir()
    dbctl = Dbctl(cwd=directory / "work", home=directory)
    for database in make_shared(request.param, request):
        yield depot(database, TestDatabase.on_file(directory / "away.db"), dbctl)


@pytest.fixture(autouse=True)
def short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbctl.bulk.resuming.RANGE", RANGE)


def befall(place: Depot, load: str, what: str, dice: random.Random) -> bool:
    """Have something befall a run at any of its steps, hold what it leaves against what it says, and run it again."""
    make, code = ACTS[what]
    whole = place.whole(load)
    place.reset()
    with after_step(dice.choice(place.middles[load]), make(place.home)):
        result = place.dbctl(*LOADS[load].line)
    if server := place.home.server:
        if what == "crashed":
            server.stop("immediate")  # until it has ended it can't be started
        server.revive()
    done = place.fault(load, result, code=code)
    if not done and (LOADS[load].resumed or not (code < 0 and place.look() == whole)):
        again = place.dbctl(*LOADS[load].line)
        assert (again.code, place.look() == whole) == (0, True), f"{result}\n{again}"
    return done


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("load", ["copy back", "create", "resume back", "all"])
def test_what_is_ended_before_its_last_commit_does_not_commit(place: Depot, load: str) -> None:
    whole = place.whole(load)
    for last in reversed(place.middles[load]):  # a run that is handed more at a time has fewer steps
        place.reset()
        with after_step(last, interrupt) as steps:
            result = place.dbctl(*LOADS[load].line)
        if steps.count >= last:
            break
    assert not place.fault(load, result, code=130)
    assert place.look() != whole


def some(dice: random.Random) -> list[str]:
    """Return some of the commands; all of them many times in a soak."""
    return list(LOADS) * 40 if SOAK else dice.sample(list(LOADS), 3)


@pytest.mark.timeout(dose(120, 7200))
def test_a_run_that_is_ended_leaves_all_or_nothing(place: Depot, dice: random.Random) -> None:
    for load in some(dice):
        befall(place, load, dice.choice(["killed", "interrupted"]), dice)


@pytest.mark.timeout(dose(120, 7200))
@pytest.mark.parametrize("place", SERVER_KINDS, indirect=True)
def test_a_run_that_loses_its_sessions_leaves_all_or_nothing(place: Depot, dice: random.Random) -> None:
    for load in some(dice):
        befall(place, load, "lost", dice)


@pytest.mark.timeout(dose(120, 7200))
@pytest.mark.parametrize("place", SERVER_KINDS, indirect=True)
def test_a_server_that_crashes_has_all_or_nothing(place: Depot, dice: random.Random) -> None:
    for load in list(LOADS) * 5 if SOAK else dice.sample(list(LOADS), 1):
        befall(place, load, "crashed", dice)
