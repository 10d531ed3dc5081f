"""A run is the same for the library as for the command line: its lock, its deadline, its retries, its progress."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlmodel import Session

import dbctl
from dbctl.connections.connector import connector, dispose
from dbctl.errors import ConnectError, LockHeld, OutOfTime
from dbctl.profiles import Profile
from dbctl.work.locks import advisory_lock
from tests.harness.database import KINDS, TestDatabase
from tests.harness.profile import profile_of
from tests.harness.shared import make_shared

SLEEP = {
    "postgresql": "SELECT pg_sleep(20)",
    "mysql": "SELECT SLEEP(20) FROM (SELECT 1) x, (SELECT 2) y",
    # Half a minute of work or more.
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 300000000) SELECT max(x) FROM c",
}
ENDED = "not done within the deadline of 0.5 s; what was not committed is rolled back"

FORMS = pytest.mark.parametrize("form", ["run", "session", "async_run", "async_session"])


@pytest.fixture(scope="module", params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each kind in turn, for all tests of the module."""
    for each in make_shared(request.param, request):
        each.execute("CREATE TABLE t (x INTEGER)")
        yield each


@pytest.fixture
def profile(database: TestDatabase) -> Iterator[Profile]:
    gc.collect()  # with SQLAlchemy before 2.0.55 it alone closes what a cancelled task has left
    database.execute("DELETE FROM t")
    yield profile_of(database)
    dispose()


def rows(database: TestDatabase) -> list[Any]:
    return [x for (x,) in database.execute("SELECT x FROM t ORDER BY x")]


def work(form: str, profile: Profile, function: Callable[[Session], Any], **terms: Any) -> None:
    """Run a function in one unit of work, in one of the forms that the library has for it."""

    async def in_async(session: Any) -> None:
        await session.run_sync(function)

    async def in_async_session() -> None:
        async with dbctl.async_session(profile, **terms) as session:
            await in_async(session)

    async def in_loop() -> None:
        try:
            await (dbctl.async_run(in_async, profile, **terms) if form == "async_run" else in_async_session())
        finally:
            await dbctl.async_dispose()

    match form:
        case "run":
            dbctl.run(function, profile, **terms)
        case "session":
            with dbctl.session(profile, **terms) as session:
                function(session)
        case _:
            asyncio.run(in_loop())


def insert(session: Session) -> None:
    session.execute(text("INSERT INTO t VALUES (1)"))


@FORMS
def test_it_is_refused_while_another_run_holds_its_lock(form: str, profile: Profile, database: TestDatabase) -> None:
    with advisory_lock("nightly", profile), pytest.raises(LockHeld, match='the lock "nightly"'):
        work(form, profile, insert, lock="nightly")
    assert rows(database) == []
    work(form, profile, insert, lock="nightly")
    assert rows(database) == [1]


@FORMS
def test_the_profile_s_own_lock_holds_for_the_library_too(form: str, profile: Profile) -> None:
    locked = profile.model_copy(update={"lock": "nightly"})
    with advisory_lock("nightly", profile), pytest.raises(LockHeld):
        work(form, locked, insert)
    work(form, locked, insert)


@FORMS
def test_the_lock_is_waited_for(form: str, profile: Profile, database: TestDatabase) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with advisory_lock("nightly", profile):
            held.set()
            go_on.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    threading.Timer(0.3, go_on.set).start()
    work(form, profile, insert, lock="nightly", lock_wait=20)
    holder.join()
    assert rows(database) == [1]


@FORMS
def test_a_deadline_ends_what_the_server_runs(form: str, profile: Profile, database: TestDatabase) -> None:
    def sleep(session: Session) -> None:
        insert(session)
        session.execute(text(SLEEP[database.dialect]))

    start = time.monotonic()
    with pytest.raises(OutOfTime, match=ENDED):
        work(form, profile, sleep, deadline=0.5)
    assert time.monotonic() - start < 5
    assert rows(database) == []


@pytest.mark.parametrize("streamed", [False, True], ids=["at once", "streamed"])
def test_a_task_that_is_cancelled_ends_what_the_server_runs(
    profile: Profile, database: TestDatabase, streamed: bool
) -> None:
    async def sleep() -> None:
        async with dbctl.async_session(profile) as session:
            await session.run_sync(lambda unit: insert(cast("Session", unit)))
            query = text(SLEEP[database.dialect])
            if streamed:
                async for _ in await session.stream(query):
                    pass
            else:
                await session.run_sync(lambda unit: unit.execute(query))

    async def cancel() -> float:
        task = asyncio.create_task(sleep())
        await asyncio.sleep(0.5)
        start = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        took = time.monotonic() - start
        await dbctl.async_dispose()
        return took

    assert asyncio.run(cancel()) < 3
    assert rows(database) == []


@FORMS
def test_what_is_done_after_the_deadline_is_not_committed(form: str, profile: Profile, database: TestDatabase) -> None:
    def slow(session: Session) -> None:
        insert(session)
        time.sleep(0.8)

    with pytest.raises(OutOfTime, match=ENDED):
        work(form, profile, slow, deadline=0.5)
    assert rows(database) == []


@FORMS
def test_the_wait_for_the_lock_is_a_part_of_the_deadline(form: str, profile: Profile) -> None:
    with advisory_lock("nightly", profile):
        start = time.monotonic()
        with pytest.raises(OutOfTime, match=ENDED):
            work(form, profile, insert, lock="nightly", lock_wait=20, deadline=0.5)
        assert time.monotonic() - start < 10
    with advisory_lock("nightly", profile):
        pass  # nobody was left to hold it


@FORMS
def test_nothing_is_committed_after_the_lock_was_lost(
    form: str, profile: Profile, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = ConnectError("the lock was lost", "lock")

    def check(_lock: object) -> None:
        raise lost

    for kind in ("session_locks.SessionLock", "file_locks.FileLock"):
        monkeypatch.setattr(f"dbctl.work.{kind}.check", check)
    with pytest.raises(ConnectError, match="the lock was lost"):
        work(form, profile, insert, lock="nightly")
    assert rows(database) == []


def test_a_pooled_connection_is_nobody_s_to_end_once_it_was_given_back(
    profile: Profile, database: TestDatabase
) -> None:
    """The next to have it from the pool is not ended by the deadline of the one before."""
    with dbctl.session(profile, deadline=0.3) as session:
        insert(session)
    with connector(profile).engine.connect() as connection:
        time.sleep(0.5)
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 1


def test_a_dry_run_rolls_back(profile: Profile, database: TestDatabase) -> None:
    work("run", profile, insert, dry_run=True)
    assert rows(database) == []


REQUEST: ContextVar[str] = ContextVar("request", default="none")


def test_it_sees_the_context_variables_of_its_caller_and_tells_of_its_progress(profile: Profile) -> None:
    told: list[tuple[float, float | None, str, str]] = []

    def counting(_session: Session) -> str:
        for done in (1, 2):
            dbctl.report_progress(done, 2, "rows", "counting")
        return REQUEST.get()

    REQUEST.set("of the caller")
    assert dbctl.run(counting, profile, progress=lambda *report: told.append(report)) == "of the caller"
    assert told == [(1, 2, "rows", "counting"), (2, 2, "rows", "counting")]
    dbctl.report_progress(3)  # nobody listens
    assert len(told) == 2
