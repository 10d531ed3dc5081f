"""`--deadline` bounds all of a command, whatever it waits for, and ends it at the server too."""

import re
import time

from dbctl.work.locks import advisory_lock
from tests.faults.watching import Watch, make_writes_slow, within
from tests.harness.forked import Forked
from tests.harness.profile import profile_of

ADD = ("heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp", "--deadline", "1")


def ends_in_time(quick: Forked, *args: str, talk: str = "") -> None:
    start = time.monotonic()
    result = quick(*args)
    assert time.monotonic() - start < 4
    assert (result.code, result.out) == (5, ""), str(result)
    said = "not done within the deadline of 1 s; what was not committed is rolled back"
    assert re.fullmatch(f"{talk}dbctl: error: {said}\n", result.talk), str(result)


def test_a_statement_that_takes_longer_is_ended_and_nothing_is_written(quick: Forked, watch: Watch) -> None:
    make_writes_slow(watch.database)
    ends_in_time(quick, *ADD)
    assert within(2, lambda: watch.is_free() and not watch.sessions())
    assert len(watch.heroes()) == 1


def test_the_wait_for_the_lock_of_another_run_is_a_part_of_it(quick: Forked, watch: Watch) -> None:
    with advisory_lock("nightly", profile_of(watch.database)):
        waiting = 'dbctl: waiting up to 30 s for the lock "nightly", which .+ holds\n'
        ends_in_time(quick, *ADD, "--lock", "nightly", "--lock-wait", "30", talk=waiting)
    assert len(watch.heroes()) == 1


def test_what_is_done_in_time_is_done(quick: Forked, watch: Watch) -> None:
    quick.ok(*ADD[:-1], "30")
    assert len(watch.heroes()) == 2
