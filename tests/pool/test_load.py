"""The load on a pool: what comes at a rate waits from when it came, and nothing that came is left out."""

import asyncio
import math
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

import dbctl
from dbctl.errors import CheckFailed
from dbctl.pool import load, serverside
from dbctl.pool.arrivals import Arrivals
from dbctl.pool.figures import Measured, Plan
from dbctl.pool.measuring import Measurement, async_measure_pool, measure_pool
from dbctl.pool.sweeping import sweep
from dbctl.profiles import Profile
from dbctl.work.supervision import Supervisor
from tests.faults.watching import watching, within
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.pool.test_queueing import waits
from tests.servers.pgbouncer import PgBouncer

HOLD = 0.025
SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60)",
}
SEED = random.randrange(2**32)


def of_size(profile: Profile, size: int, **pool: float) -> Profile:
    update = {"size": size, "max_overflow": 0, **pool}
    return profile.model_copy(update={"pool": profile.pool.model_copy(update=update)})


@pytest.fixture
def lite(sqlite_database: TestDatabase) -> Profile:
    profile = profile_of(sqlite_database)
    with dbctl.build_engine(profile).connect():
        pass
    return profile


def test_waits_at_a_rate_are_those_of_a_queue(lite: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of M/D/c: each waits at least as long as in a queue without a machine below it, and not out of all proportion."""
    print(f"seed {SEED}")
    rate, size, seconds = 60.0, 2, 2.0
    monkeypatch.setattr(load, "Arrivals", partial(Arrivals, seed=SEED))
    measured = measure_pool(of_size(lite, size), Plan(rate=rate, hold=HOLD, duration=seconds))
    arrivals, came = Arrivals(rate, 0.0, SEED), []
    while (at := arrivals.take()) < seconds:
        came.append(at)
    assert measured.waits.count == len(came)
    mean = measured.waits.mean
    least, slow = waits(came, HOLD, size), waits(came, measured.usages.histogram.most + 0.01, size)
    assert 0.8 * sum(least) / len(came) <= mean + 0.001
    assert mean <= 0.1 + 2 * sum(slow) / len(came)


def test_what_can_not_be_served_is_not_left_out(lite: Profile) -> None:
    """One connection serves 20 a second at most, and 100 come: most wait still at the end, and are counted."""
    measured = measure_pool(of_size(lite, 1), Plan(rate=100, hold=0.05, concurrency=4))
    run = measured.stats.run
    assert run.checkouts <= 25
    assert run.unserved > run.checkouts
    assert measured.waits.count == run.checkouts + run.unserved
    assert run.checkout is not None
    assert run.checkout.median_ms > 200
    assert "raise pool.size to " in measured.stats.verdict


@pytest.mark.parametrize("is_async", [False, True], ids=["threads", "tasks"])
def test_a_hundred_at_a_time_are_counted_exactly(lite: Profile, is_async: bool) -> None:
    plan = Plan(concurrency=100, hold=0.001, duration=2)
    profile = of_size(lite, 5)
    measured = asyncio.run(async_measure_pool(profile, plan)) if is_async else measure_pool(profile, plan)
    run = measured.stats.run
    assert run.checkouts == measured.waits.count == measured.usages.count > 100
    assert sum(count for _, count in bars(measured)) == run.checkouts
    assert (run.most_in_use, run.connections_opened, run.connections_closed) == (5, 5, 5)
    assert (run.timeouts, run.unserved) == (0, 0)


def bars(measured: Measured) -> list[tuple[str, float]]:
    from dbctl.charts.model import Bars
    from dbctl.pool.drawing import charts_of

    [found] = [each for each in charts_of(measured) if isinstance(each, Bars)]
    return list(found.bars)


def test_what_stays_open_at_the_server_is_told(postgres_database: TestDatabase) -> None:
    assert postgres_database.server
    left: list[Any] = []

    def leak(_: Measurement) -> None:
        if not left:
            left.append(postgres_database.connect())

    measured = measure_pool(of_size(profile_of(postgres_database), 2), Plan(duration=0.7), leak)
    stats = measured.stats
    left[0].close()
    assert stats.server
    assert stats.peak
    assert stats.after
    assert stats.peak.in_use_by_user >= stats.after.in_use_by_user > stats.server.in_use_by_user
    assert "more than before" in stats.verdict
    assert measured.moments[-1].server


def test_it_ends_before_it_does_harm(server_database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serverside, "SPARE", 10_000)
    profile = of_size(profile_of(server_database), 2)
    with pytest.raises(CheckFailed, match=r"may open 2 connections, and the server has room for 0 .*--force"):
        measure_pool(profile, Plan(duration=60))
    began = time.monotonic()
    measured = measure_pool(profile, Plan(duration=60, force=True))
    assert time.monotonic() - began < 30
    assert measured.stopped.startswith("the server had ")
    assert measured.stats.run.checkouts > 0


def test_it_ends_before_its_user_can_connect_no_more(postgres_database: TestDatabase) -> None:
    server = postgres_database.server
    assert server
    server.create_role("narrow", "secret", connections=9)
    profile = of_size(profile_of(postgres_database, {"user": "narrow", "password": "secret"}), 2)
    taken: list[Any] = []

    def take(_: Measurement) -> None:
        if not taken:
            taken.extend(server.connect(user="narrow", password="secret") for _ in range(3))

    measured = measure_pool(profile, Plan(duration=60), take)
    for each in taken:
        each.close()
    server.drop_role("narrow")
    assert re.fullmatch(r"role narrow's CONNECTION LIMIT \(9\) had [34] connections left", measured.stopped)


def test_an_endless_load_ends_when_it_is_left(lite: Profile) -> None:
    def leave(measurement: Measurement) -> None:
        if len(measurement.moments) == 3:
            measurement.load.stop()

    measured = measure_pool(of_size(lite, 2), Plan(rate=50, hold=0, duration=math.inf, every=0.1), leave)
    assert len(measured.moments) >= 3
    assert 0 < measured.stats.run.duration_s < 30


def test_more_than_can_be_counted_one_by_one_are_counted_all_the_same(
    lite: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_MOST_LEFT", 500)
    measured = measure_pool(of_size(lite, 1), Plan(rate=50_000, hold=0.05, duration=0.4))
    run = measured.stats.run
    assert measured.waits.count == run.checkouts + run.unserved == pytest.approx(20_000, rel=0.1)
    assert measured.waits.histogram.quantile(0.5) == pytest.approx(0.2, rel=0.2)


@pytest.mark.parametrize("plan", [Plan(concurrency=5), Plan(concurrency=5, rate=50)], ids=["in turn", "at a rate"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["threads", "tasks"])
def test_what_is_held_is_let_go_when_the_time_is_over(lite: Profile, plan: Plan, asynchronous: bool) -> None:
    plan = replace(plan, hold=3600, duration=0.3)
    measured = of_plan(of_size(lite, 2), plan, asynchronous)
    run = measured.stats.run
    assert 0.3 <= run.duration_s < 30
    assert (run.checkouts, run.cut, run.timeouts) == (5, 5, 0)
    assert measured.waits.count == run.checkouts + run.unserved
    assert measured.usages.count == run.checkouts
    assert "5 had not done their work when the time was over" in measured.stats.verdict


@pytest.mark.parametrize("asynchronous", [False, True], ids=["threads", "tasks"])
def test_what_runs_at_the_server_is_ended_there_when_the_time_is_over(
    database: TestDatabase, asynchronous: bool
) -> None:
    plan = Plan(concurrency=3, sql=SLOW[database.dialect], duration=0.3)
    profile = of_size(profile_of(database), 2)
    if database.dialect == "sqlite":
        with dbctl.build_engine(profile).connect():  # so that there is a file
            pass
    run = of_plan(profile, plan, asynchronous).stats.run
    assert 0.3 <= run.duration_s < 30
    assert (run.checkouts, run.cut, run.timeouts) == (3, 3, 0)
    if database.server:
        with watching(database) as watch:
            assert within(5, lambda: watch.sessions() == 0)


def test_a_statement_that_was_cut_does_not_count_as_one_that_took_so_long(postgres_database: TestDatabase) -> None:
    plan = Plan(concurrency=1, sql="SELECT pg_sleep(1.5)", duration=2.1)
    run = measure_pool(profile_of(postgres_database), plan).stats.run
    assert (run.checkouts, run.cut) == (2, 1)
    assert run.usage
    assert run.usage.count == 1
    assert run.usage.min_ms >= 1500


@pytest.mark.parametrize("asynchronous", [False, True], ids=["threads", "tasks"])
def test_a_statement_may_outlast_the_load_and_what_a_server_is_waited_for(
    server_database: TestDatabase, asynchronous: bool
) -> None:
    profile = of_size(profile_of(server_database, {"connect_timeout": 2}), 3)
    plan = Plan(concurrency=3, sql=SLOW[server_database.dialect], duration=3.2)
    measured = Supervisor().run(partial(of_plan, profile, plan, asynchronous))
    run = measured.stats.run
    assert (run.checkouts, run.cut, run.connections_opened) == (3, 3, 3)
    # The load's three, and dbctl's own: whether a statement waits for a lock is not asked by further ones.
    seen = [each.server.in_use_by_user for each in measured.moments if each.server and 2 < each.at < plan.duration]
    assert max(seen) == 4


def test_a_load_ends_in_time_that_has_all_the_places_of_a_pooler(postgres_database: TestDatabase) -> None:
    assert postgres_database.server
    with PgBouncer(postgres_database.server) as pooler:
        there = {"host": pooler.host, "port": pooler.port, "ssl.mode": "disable"}
        profile = profile_of(postgres_database, there)
        run = measure_pool(profile, Plan(concurrency=pooler.places + 2, sql=SLOW["postgresql"], duration=0.5)).stats.run
    assert (run.checkouts, run.cut) == (pooler.places + 2, pooler.places + 2)


def of_plan(profile: Profile, plan: Plan, asynchronous: bool) -> Measured:
    return asyncio.run(async_measure_pool(profile, plan)) if asynchronous else measure_pool(profile, plan)


def test_a_rate_lasts_as_long_as_it_is_to(lite: Profile) -> None:
    run = measure_pool(of_size(lite, 1), Plan(rate=2, hold=0, duration=1)).stats.run
    assert run.duration_s >= 1
    assert run.per_second == pytest.approx(run.checkouts / run.duration_s, abs=0.06)


def test_threads_that_the_system_does_not_start_are_told(lite: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    class Few(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            if len(self._threads) >= 2:
                raise RuntimeError("can't start new thread")
            return super().submit(*args, **kwargs)

    monkeypatch.setattr(load, "ThreadPoolExecutor", Few)
    with pytest.raises(CheckFailed, match="start 2 of 5 threads"):
        measure_pool(of_size(lite, 1), Plan(concurrency=5, duration=60, hold=0.5))


def test_the_knee_is_not_where_the_pool_is_used_up(lite: Profile) -> None:
    found = sweep(lite, [1, 2], Plan(concurrency=8, hold=0.02, duration=0.3), measure_pool)
    assert "no knee yet" in found.verdict
    assert [each.knee for each in found.sizes] == [False, False]


def test_no_greater_size_is_proposed_than_ask_at_a_time(lite: Profile) -> None:
    found = sweep(lite, [1, 2], Plan(concurrency=2, hold=0.02, duration=0.3), measure_pool)
    assert "no more than 2 at a time ask for one: a greater size needs a greater --concurrency" in found.verdict
    assert [each.knee for each in found.sizes] == [False, True]
