"""Deadlocks, failed serializations and lock timeouts: run again whole, or refused whole, and never half committed."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, func, select

import dbctl
from dbctl import sample
from dbctl.errors import OutOfTime
from dbctl.profiles import Profile
from dbctl.sample import Hero, TransferLog
from tests.faults.accounts import log_of
from tests.faults.bank import open_bank
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.client import rows

PATIENCE = 20.0
"""Seconds for which one waits for another."""
Meeting = Callable[[], None]


@pytest.fixture
def bank(server_database: TestDatabase) -> Iterator[TestDatabase]:
    assert server_database.server
    open_bank(server_database)
    if server_database.kind == "postgresql":  # which looks for a deadlock only after a second
        server_database.server.execute(f"ALTER DATABASE {server_database.name} SET deadlock_timeout = '100ms'")
    yield server_database
    dbctl.dispose()


def move(session: Session, hero: int) -> None:
    """Move a hero to the next team, from wherever the hero is."""
    team = session.exec(select(Hero.team_id).where(col(Hero.id) == hero).with_for_update()).one()
    assert team
    sample.transfer(session, hero, team, team + 1)


def run(profile: Profile, asynchronous: bool, work: Callable[[Session], Any], **terms: Any) -> Any:
    """Run a function by `dbctl.run`, or by `dbctl.async_run` in an event loop of its own."""

    async def by_async_driver() -> Any:
        try:
            return await dbctl.async_run(dbctl.in_async(work), profile, **terms)
        finally:
            await dbctl.async_dispose()

    return asyncio.run(by_async_driver()) if asynchronous else dbctl.run(work, profile, **terms)


def both(
    profile: Profile, asynchronous: bool, works: Sequence[Callable[[Session, Meeting], Any]], **terms: Any
) -> list[BaseException | None]:
    """Run two functions at the same time, and return what they raised.

    Each gets what waits for the other, the first time that it is called: what is run again waits no more.
    """
    barrier = threading.Barrier(2)

    def start(work: Callable[[Session, Meeting], Any]) -> Future[Any]:
        meetings = iter([partial(barrier.wait, PATIENCE)])

        def meet() -> None:
            for meeting in meetings:
                meeting()

        return executor.submit(run, profile, asynchronous, lambda session: work(session, meet), **terms)

    with ThreadPoolExecutor(2) as executor:
        return [future.exception(2 * PATIENCE) for future in list(map(start, works))]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def crossing(first: int, second: int, session: Session, meet: Meeting) -> None:
    """Move two heroes, the second when another unit of work holds it."""
    move(session, first)
    meet()
    move(session, second)


def test_of_two_opposite_transfers_one_is_run_again_and_both_are_done(
    bank: TestDatabase, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dbctl")
    works = [partial(crossing, 1, 2), partial(crossing, 2, 1)]
    assert both(profile_of(bank), asynchronous, works) == [None, None]
    assert log_of(bank) == [(1, 1, 2), (1, 2, 3), (2, 1, 2), (2, 2, 3)]
    [note] = [record.getMessage() for record in caplog.records if record.name == "dbctl"]
    assert "deadlock" in note.lower()
    assert "retry 1 of 3" in note


def counting(hero: int, session: Session, meet: Meeting) -> None:
    """Move a hero, and have the number of moves before this one for the hero's age."""
    before = session.exec(select(func.count()).select_from(TransferLog)).one()
    meet()
    sample.update_hero(session, hero, age=before)
    move(session, hero)


@pytest.mark.parametrize(("isolation", "ages"), [(None, [0, 0]), ("serializable", [0, 1])])
def test_transfers_that_read_what_the_other_writes_are_done_one_after_the_other_where_they_are_serializable(
    bank: TestDatabase, asynchronous: bool, caplog: pytest.LogCaptureFixture, isolation: str | None, ages: list[int]
) -> None:
    caplog.set_level("INFO", "dbctl")
    profile = profile_of(bank, {"isolation": isolation})
    assert both(profile, asynchronous, [partial(counting, 1), partial(counting, 2)]) == [None, None]
    assert log_of(bank) == [(1, 1, 2), (2, 1, 2)]
    assert [age for (age,) in bank.execute("SELECT age FROM hero WHERE id < 3 ORDER BY age")] == ages
    assert [record.name for record in caplog.records].count("dbctl") == sum(ages)


def test_a_deadlock_that_was_passed_over_commits_nothing(bank: TestDatabase, asynchronous: bool) -> None:
    """Of MariaDB's transaction nothing is left then: what follows would be committed without what came before."""

    def passing_over(first: int, second: int, session: Session, meet: Meeting) -> None:
        move(session, first)
        meet()
        try:
            move(session, second)
        except DBAPIError:
            with contextlib.suppress(DBAPIError):  # PostgreSQL takes nothing more
                move(session, 3)

    works = [partial(passing_over, 1, 2), partial(passing_over, 2, 1)]
    raised = both(profile_of(bank), asynchronous, works, retries=0)
    assert sorted(type(error).__name__ for error in raised) == ["Contention", "NoneType"]
    assert log_of(bank) == [(1, 1, 2), (2, 1, 2)]


@pytest.mark.parametrize("passed_over", [False, True])
def test_after_a_lock_timeout_nothing_of_the_transaction_is_there(
    bank: TestDatabase, asynchronous: bool, passed_over: bool
) -> None:
    profile = profile_of(bank, {"lock_timeout": 0.2})  # MariaDB waits a whole second

    def work(session: Session) -> None:
        move(session, 1)
        for hero in (2, 3):  # after the first error PostgreSQL takes nothing more
            with contextlib.suppress(DBAPIError) if passed_over else contextlib.nullcontext():
                move(session, hero)

    with contextlib.closing(bank.connect(autocommit=False)) as other:
        rows(other, "SELECT id FROM hero WHERE id = 2 FOR UPDATE")
        with pytest.raises(OutOfTime):
            run(profile, asynchronous, work)
    assert log_of(bank) == []
    run(profile, asynchronous, work)
    assert log_of(bank) == [(1, 1, 2), (2, 1, 2), (3, 1, 2)]
