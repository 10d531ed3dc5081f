"""A task that is cancelled leaves no connection checked out, no transaction open and no lock held."""

import asyncio
import contextlib
import random
import re
import time

import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select, update

from dbctl import sample
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine
from dbctl.profiles import Profile
from dbctl.sample import Hero, Team
from dbctl.work.sessions import async_unit_of_work
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.harness.sample import create_tables

TASKS = 100

# Transactions that are open, in this database, on connections other than the one that asks.
_OPEN = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND state LIKE 'idle in transaction%'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx",
}
_LOCKS = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND pid <> pg_backend_pid()"
    " AND database IS NOT DISTINCT FROM (SELECT oid FROM pg_database WHERE datname = current_database())",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_lock_waits",
    "mysql": "SELECT count(*) FROM performance_schema.data_lock_waits",
}
_CONNECTIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}


@pytest.fixture
def server_profile(server_database: TestDatabase) -> Profile:
    create_tables(server_database)
    return profile_of(server_database, {"pool.size": 10, "pool.max_overflow": 10})


LEAVES_CONNECTIONS = tuple(map(int, re.findall(r"\d+", sqlalchemy.__version__)[:3])) < (2, 0, 55)
WHY = "SQLAlchemy leaves connections: it is told"


@pytest.mark.skipif(LEAVES_CONNECTIONS, reason=WHY)
def test_100_tasks_cancelled_at_random_points(
    server_profile: Profile, server_database: TestDatabase, dice: random.Random
) -> None:
    for name in ("Preventers", "Z-Force"):
        server_database.execute("INSERT INTO team (name) VALUES (?)", name)
    for number in range(20):
        server_database.execute("INSERT INTO hero (name, secret_name, team_id) VALUES (?, 'x', 1)", f"hero {number}")

    async def move(engine: AsyncEngine, hero: int) -> None:
        async with async_unit_of_work(Connector(engine, backend_of(server_profile))) as opened:
            await opened.session.exec(update(Hero).where(col(Hero.id) == hero).values(age=hero))
            await asyncio.sleep(dice.random() * 0.06)
            await opened.session.exec(select(Team))
            await opened.run(lambda given: sample.add_hero(given.session, "new", "x", team="Z-Force"))

    async def cancelled_in(engine: AsyncEngine, number: int) -> bool:
        await asyncio.sleep(dice.random())
        task = asyncio.create_task(move(engine, number % 20 + 1))
        await asyncio.sleep(dice.random() * 0.06)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
        return task.cancelled()

    async def work() -> None:
        engine = build_async_engine(server_profile)
        cancelled = await asyncio.gather(*(cancelled_in(engine, number) for number in range(TASKS)))
        assert sum(cancelled) > TASKS / 4, "too few were still running to prove anything"
        for _ in range(50):  # a second: a connection that was cut off in the middle is thrown away in the background
            if not engine.pool.checkedout():  # type: ignore[attr-defined]
                break
            await asyncio.sleep(0.02)
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert await asyncio.to_thread(_after_a_second, server_database, _OPEN) == 0
        assert await asyncio.to_thread(_after_a_second, server_database, _LOCKS) == 0
        assert await asyncio.to_thread(_after_a_second, server_database, _CONNECTIONS, at_most=20) <= 20
        await move(engine, 1)
        await engine.dispose()

    asyncio.run(work())
    assert _after_a_second(server_database, _CONNECTIONS) == 0


def test_a_query_that_is_cancelled_ends_its_transaction(server_profile: Profile, server_database: TestDatabase) -> None:
    sleep = {"postgresql": "SELECT pg_sleep(3)", "mysql": "SELECT SLEEP(3)"}[server_database.dialect]

    async def work() -> None:
        engine = build_async_engine(server_profile)

        async def slow() -> None:
            async with async_unit_of_work(Connector(engine, backend_of(server_profile))) as opened:
                opened.session.add(Team(name="Preventers"))
                await opened.session.flush()
                await (await opened.session.connection()).exec_driver_sql(sleep)

        task = asyncio.create_task(slow())
        await asyncio.sleep(0.3)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        await engine.dispose()

    asyncio.run(work())
    assert server_database.execute("SELECT count(*) FROM team") == [(0,)]


def test_a_query_that_is_cancelled_is_ended_at_the_server(
    server_profile: Profile, server_database: TestDatabase
) -> None:
    if LEAVES_CONNECTIONS and server_database.dialect == "postgresql":
        pytest.skip(WHY)
    server_database.execute("INSERT INTO team (name) VALUES ('Preventers')")
    sleep = {"postgresql": "SELECT pg_sleep(20)", "mysql": "SELECT SLEEP(20)"}[server_database.dialect]

    async def work() -> None:
        engine = build_async_engine(server_profile)
        connector = Connector(engine, backend_of(server_profile))

        async def slow() -> None:
            async with async_unit_of_work(connector) as opened:
                connection = await opened.session.connection()
                await connection.exec_driver_sql("UPDATE team SET name = 'Z-Force'")
                await connection.exec_driver_sql(sleep)

        task = asyncio.create_task(slow())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        async with asyncio.timeout(10), async_unit_of_work(connector) as opened:  # which waits for no lock
            connection = await opened.session.connection()
            assert (await connection.exec_driver_sql("UPDATE team SET name = 'Avengers'")).rowcount == 1
        await engine.dispose()

    asyncio.run(work())
    assert server_database.execute("SELECT name FROM team") == [("Avengers",)]


def test_a_query_that_is_cancelled_frees_a_files_lock(sqlite_database: TestDatabase) -> None:
    create_tables(sqlite_database)
    profile = profile_of(sqlite_database, {"lock_timeout": 0.2})
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"

    async def work() -> None:
        engine = build_async_engine(profile)
        connector = Connector(engine, backend_of(profile))
        running = asyncio.Event()

        async def slow() -> None:
            async with async_unit_of_work(connector) as opened:
                opened.session.add(Team(name="Preventers"))
                await opened.session.flush()
                running.set()
                await (await opened.session.connection()).exec_driver_sql(endless)

        task = asyncio.create_task(slow())
        await running.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])  # whose traceback is still there, and in it the cursor
        assert task.cancelled()
        async with async_unit_of_work(connector) as opened:
            opened.session.add(Team(name="Z-Force"))
        await engine.dispose()

    asyncio.run(work())
    assert sqlite_database.execute("SELECT name FROM team") == [("Z-Force",)]


def _after_a_second(database: TestDatabase, queries: dict[str, str], at_most: int = 0) -> int:
    """Return the count, as soon as it is small enough, or as it is after one second."""
    assert database.server
    deadline = time.monotonic() + 1
    while True:
        # As the superuser: an ordinary one does not see every transaction.
        query = queries.get(database.kind) or queries[database.dialect]
        ((count,),) = database.server.execute(query, database=database.name)
        if count <= at_most or time.monotonic() > deadline:
            return int(count)
        time.sleep(0.02)
