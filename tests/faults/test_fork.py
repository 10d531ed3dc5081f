"""A child that is forked when engines have been used connects by itself, and its end takes nothing from the parent."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

import dbctl
from dbctl.profiles import Profile
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.profile import profile_of
from tests.harness.soak import dose

QUERIES = dose(200, 5000)
CONNECTIONS = 3
"""Idle ones that the parent has in its pool."""
PATIENCE = 60.0  # seconds for a child
ROOT = str(Path(__file__).parents[2])
# What tells one connection from all others; on SQLite a table that no other connection sees, with its number.
WHO = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()", "sqlite": "SELECT n FROM temp.me"}


@pytest.fixture
def profile(database: TestDatabase) -> Iterator[Profile]:
    """A profile, in whose pool there are some idle connections."""
    made = profile_of(database, {"pool.size": CONNECTIONS, "pool.max_overflow": 0})
    with contextlib.ExitStack() as stack:
        for number in range(CONNECTIONS):
            connection = stack.enter_context(dbctl.engine(made).connect())
            if database.kind == "sqlite":
                connection.execute(text("CREATE TEMP TABLE me (n INTEGER)"))
                connection.execute(text(f"INSERT INTO temp.me VALUES ({number})"))
                connection.commit()
    yield made
    dbctl.dispose()


def who(kind: str, profile: Profile) -> list[int | None]:
    """Return who the connections are that the pool gives out when all are asked for; None is a new one of SQLite's."""
    found: list[int | None] = []
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(dbctl.engine(profile).connect())
            try:
                found.append(connection.execute(text(WHO[kind])).scalar_one())
            except OperationalError:
                if kind != "sqlite":
                    raise
                found.append(None)
    return sorted(found, key=lambda number: number or 0)


def query(profile: Profile, tag: str) -> int:
    """Return how many of many answers were another's, or none at all."""
    wrong = 0
    for number in range(QUERIES):
        asked = f"{tag} {number}"
        with dbctl.session(profile, writes=False) as session:
            wrong += session.execute(text("SELECT :asked"), {"asked": asked}).scalar() != asked
    return wrong


async def async_query(profile: Profile, tag: str) -> int:
    """Do the same by the async driver."""
    wrong = 0
    for number in range(QUERIES):
        asked = f"{tag} {number}"
        async with dbctl.async_session(profile, writes=False) as session:
            answer = await (await session.connection()).execute(text("SELECT :asked"), {"asked": asked})
            wrong += answer.scalar() != asked
    return wrong


class Child:
    """A fork that calls a function and hands back what it returns, or the error."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(writing)
            return
        try:
            answer: Any = call()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        with os.fdopen(writing, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)

    def has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def result(self) -> Any:
        """Wait for the child's end."""
        in_time = within(PATIENCE, self.has_ended)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        with os.fdopen(self._reading) as pipe:
            assert in_time, "the child hangs"
            return json.load(pipe)


def test_parent_and_child_each_get_their_own_answers(database: TestDatabase, profile: Profile) -> None:
    child = Child(lambda: query(profile, "child"))
    wrong = query(profile, "parent")
    assert (wrong, child.result()) == (0, 0)


def test_a_child_connects_by_itself_and_the_parent_keeps_its_connections(
    database: TestDatabase, profile: Profile
) -> None:
    before = who(database.dialect, profile)
    assert len(set(before)) == CONNECTIONS
    of_child = Child(lambda: who(database.dialect, profile)).result()
    assert isinstance(of_child, list), of_child
    assert len(of_child) == CONNECTIONS
    assert not set(before) & set(of_child)
    assert who(database.dialect, profile) == before


def test_a_child_has_nothing_to_do_with_a_transaction_that_the_parent_is_in(
    database: TestDatabase, profile: Profile
) -> None:
    database.execute("CREATE TABLE t (x INTEGER)")

    def count() -> int:
        with dbctl.session(profile, writes=False) as session:
            return int(session.execute(text("SELECT count(*) FROM t")).scalar_one())

    with dbctl.session(profile) as session:
        session.execute(text("INSERT INTO t VALUES (1)"))
        assert Child(count).result() == 0
        session.execute(text("INSERT INTO t VALUES (2)"))
    assert database.execute("SELECT x FROM t ORDER BY x") == [(1,), (2,)]


def _work(database: TestDatabase, tag: str) -> int:
    return query(profile_of(database, {"pool.size": CONNECTIONS, "pool.max_overflow": 0}), tag)


def test_multiprocessing_s_forks_have_their_own_connections(database: TestDatabase, profile: Profile) -> None:
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    before = who(database.dialect, profile)
    child = context.Process(target=lambda: results.put(query(profile, "child")))
    child.start()
    wrong = query(profile, "parent")
    child.join(PATIENCE)
    child.kill()
    assert child.exitcode == 0
    assert (wrong, results.get()) == (0, 0)
    assert who(database.dialect, profile) == before


def test_a_pool_of_forks_has_its_own_connections(database: TestDatabase, profile: Profile) -> None:
    known = replace(database, server=None)
    before = who(database.dialect, profile)
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as executor:
        runs = [executor.submit(_work, known, f"child {number}") for number in range(2)]
        wrong = [query(profile, "parent"), *(run.result(PATIENCE) for run in runs)]
    assert wrong == [0, 0, 0]
    assert who(database.dialect, profile) == before


def in_a_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run it in an event loop of its own, with the loop's engines."""

    async def run() -> Any:
        try:
            return await work()
        finally:
            await dbctl.async_dispose()

    return asyncio.run(run())


async def async_who(kind: str, profile: Profile) -> Any:
    async def ask(connection: AsyncConnection) -> Any:
        return (await connection.execute(text(WHO[kind]))).scalar_one()

    async with dbctl.async_engine(profile).connect() as one, dbctl.async_engine(profile).connect() as other:
        return sorted([await ask(one), await ask(other)])


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_fork_from_an_event_loop_has_loop_and_connections_of_its_own(
    database: TestDatabase, profile: Profile
) -> None:
    async def parent() -> Any:
        before = await async_who(database.dialect, profile)
        child = Child(lambda: in_a_loop(lambda: async_query(profile, "child")))
        wrong = await async_query(profile, "parent")
        of_child = await asyncio.to_thread(child.result)
        ids = Child(lambda: in_a_loop(lambda: async_who(database.dialect, profile)))
        return before, wrong, of_child, await asyncio.to_thread(ids.result), await async_who(database.dialect, profile)

    before, wrong, of_child, ids, after = in_a_loop(parent)
    assert (wrong, of_child) == (0, 0)
    assert not set(before) & set(ids)
    assert after == before


PROGRAM = """
import contextlib, os, sys
import dbctl
from sqlalchemy import text

def who():
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(dbctl.engine("p").connect()) for _ in range(3)]
        return sorted(connection.execute(text({who!r})).scalar() for connection in taken)

before = who()
if not os.fork():
    with dbctl.session("p") as session:
        session.execute(text("SELECT 1"))
    {end}
assert os.wait()[1] == 0
assert who() == before
"""


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
def test_however_a_child_ends_the_parent_keeps_its_connections(database: TestDatabase, dbctl: Dbctl, end: str) -> None:
    profiles = database.toml.replace(f"[profiles.{database.profile}", "[profiles.p")
    (dbctl.cwd / "profiles.toml").write_text(profiles, encoding="utf-8")
    program = PROGRAM.format(who=WHO[database.dialect], end=end)
    run = replace(dbctl, program=(sys.executable, "-c", program)).with_env(
        **database.env, PYTHONPATH=ROOT, PYTHONWARNINGS="ignore"
    )
    result = run(timeout=PATIENCE)
    assert (result.code, result.out, result.err) == (0, "", "")


IN_A_UNIT = """
import os, sys
import dbctl
from dbctl.errors import LockHeld, WorkRefused
from sqlalchemy import text

def unit():
    with dbctl.session("p") as session:
        session.execute(text("INSERT INTO t VALUES (1)"))
        if not os.fork():
            {leave}
        assert os.wait()[1] == 0
        session.execute(text("INSERT INTO t VALUES (2)"))

parent = os.getpid()
try:
    with dbctl.advisory_lock("alone", "p") as lock:
        unit()
        lock.check()
        try:
            with dbctl.advisory_lock("alone", "p"):
                print("two have the lock")
        except LockHeld:
            pass
    with dbctl.advisory_lock("alone", "p"):
        pass
except WorkRefused as error:
    assert os.getpid() != parent and "is a fork of" in str(error), error
"""


@pytest.mark.parametrize("leave", ["return", "sys.exit(0)"])
def test_a_child_that_leaves_a_unit_ends_nothing_of_the_parent_s(
    database: TestDatabase, dbctl: Dbctl, leave: str
) -> None:
    database.execute("CREATE TABLE t (x INTEGER)")
    profiles = database.toml.replace(f"[profiles.{database.profile}", "[profiles.p")
    (dbctl.cwd / "profiles.toml").write_text(profiles, encoding="utf-8")
    run = replace(dbctl, program=(sys.executable, "-c", IN_A_UNIT.format(leave=leave))).with_env(
        **database.env, PYTHONPATH=ROOT, PYTHONWARNINGS="ignore"
    )
    result = run(timeout=PATIENCE)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert database.execute("SELECT x FROM t ORDER BY x") == [(1,), (2,)]
