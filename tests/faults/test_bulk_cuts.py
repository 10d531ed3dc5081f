"""The wire is cut at random bytes of a run that moves rows in bulk: all are there or none, and what it says is true."""

import random
from collections.abc import Iterator

import pytest

from tests.bulk.profiles import with_profiles
from tests.faults.behind import behind
from tests.faults.bulk import LOADS, RANGE, Depot, depot
from tests.faults.cuts import CommitLost, Cut, CutAfter, ReplyLost
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.shared import make_shared
from tests.harness.soak import SOAK, dose
from tests.servers.proxy import End, Proxy, Way

HARD = (End.RESET, End.CLOSE)
INTO = [name for name, load in LOADS.items() if load.into == "home"]
SURE = ("postgresql",)
"""What tells afterwards whether a COMMIT was done."""


@pytest.fixture(scope="module", params=SERVER_KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    directory = tmp_path_factory.mktemp("cuts")
    (directory / "work").mkdir()
    dbctl = Dbctl(cwd=directory / "work", home=directory)
    for database in make_shared(request.param, request):
        yield depot(database, TestDatabase.on_file(directory / "away.db"), dbctl)


@pytest.fixture
def proxy(place: Depot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr("dbctl.bulk.resuming.RANGE", RANGE)
    assert place.home.server
    with Proxy(place.home.server.port) as proxy:
        place.dbctl = with_profiles(place.dbctl, home=behind(proxy, place.home), away=place.away)
        yield proxy


def cut(place: Depot, proxy: Proxy, load: str, fault: Cut, code: int) -> bool:
    """Run a command with a cut, hold what it says against what there is, and run it again; tell whether it was done."""
    whole = place.whole(load)
    place.reset()
    proxy.expect(fault)
    result = place.dbctl(*LOADS[load].line)
    proxy.expect()
    if not place.fault(load, result, code=code) and not (result.code == 9 and place.look() == whole):
        again = place.dbctl(*LOADS[load].line)
        assert (again.code, place.look() == whole) == (0, True), f"{fault}: {result}\n{again}"
    return result.code == 0


@pytest.mark.timeout(dose(120, 7200))
def test_a_run_whose_wire_is_cut_at_any_byte_leaves_all_or_nothing(
    place: Depot, proxy: Proxy, dice: random.Random
) -> None:
    for load in LOADS if SOAK else dice.sample(list(LOADS), 2):
        place.whole(load)
        proxy.expect()
        place.reset()
        place.dbctl.ok(*LOADS[load].line)
        passed = proxy.conversations[0].passed
        for way in list(Way) * dose(1, 60):
            cut(place, proxy, load, CutAfter(dice.choice(HARD), way, dice.randrange(passed[way])), 4)


@pytest.mark.parametrize("fault", [CommitLost, ReplyLost])
def test_what_is_said_of_a_commit_without_an_answer_is_true(
    place: Depot, proxy: Proxy, fault: type[CommitLost | ReplyLost], dice: random.Random
) -> None:
    for load in INTO if SOAK else dice.sample(INTO, 1):
        done = cut(place, proxy, load, fault(dice.choice(HARD)), 4 if place.home.kind in SURE else 9)
        assert done == (place.home.kind in SURE and fault is ReplyLost)
