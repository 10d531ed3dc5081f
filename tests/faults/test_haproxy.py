"""Behind HAProxy each new connection may lead to another server, and one on which nothing is sent is cut."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from dbctl import probe
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector, async_opened
from dbctl.errors import ConnectError, LockHeld
from dbctl.profiles import Profile
from dbctl.work import session_locks
from dbctl.work.locks import advisory_lock
from dbctl.work.sessions import unit_of_work
from tests.faults.galera import GaleraNode
from tests.faults.pairs import Pair, server_of
from tests.faults.units import backend_id, insert
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.harness.profile import engine_of, profile_of
from tests.migrations.service import Service
from tests.servers.client import rows
from tests.servers.haproxy import HAProxy
from tests.servers.system import ServerMissing

SLEEP = {"postgresql": "SELECT pg_sleep(60)", "mysql": "SELECT SLEEP(60)"}


@pytest.fixture(autouse=True)
def _haproxy() -> None:
    """Skip where it is not installed, except in CI, where each test fails by what is missing."""
    try:
        HAProxy()
    except ServerMissing as missing:
        if os.environ.get("CI") != "true":
            pytest.skip(str(missing))


def through(balancer: HAProxy, database: TestDatabase, more: str = "") -> TestDatabase:
    """Return a database as a profile names it that leads to the balancer, with more keys."""
    place = f"port = {server_of(database).port}\n"
    assert place in database.toml
    return replace(database, toml=database.toml.replace(place, f"port = {balancer.port}\n{more}\n"))


# --- who answers ------------------------------------------------------------------------------------------------------


def test_the_wrong_server_is_refused_by_its_name_and_the_next_connection_is_taken(pair: Pair, dbctl: Dbctl) -> None:
    standby, primary = server_of(pair.standby), server_of(pair.primary)
    with HAProxy(standby, primary) as balancer:
        run = forked(dbctl, through(balancer, pair.primary, 'target = "primary"'))
        for command in (["ping"], ["query", "SELECT 1"], ["doctor", "--level", "error"]):
            refused = run(*command)
            assert refused.code == 4, str(refused)
            assert f":{standby.port} answers: it is a standby" in refused.err
            run.ok(*command)
    with HAProxy(standby, primary) as balancer:
        run = forked(dbctl, through(balancer, pair.primary, 'target = "primary"'))
        waited = run.ok("ping", "--wait", "20", "--json")
        assert (waited.json["role"], waited.json["port"]) == ("primary", balancer.port)
        assert f":{standby.port} answers: it is a standby; waiting" in waited.err
        profile = profile_of(pair.primary, {"port": balancer.port, "target": "standby"})
        asyncio.run(probe.async_ping(profile))
        with pytest.raises(ConnectError, match=f":{primary.port} answers: it is a primary") as caught:
            asyncio.run(probe.async_ping(profile))
        assert caught.value.transient


def test_a_node_that_takes_no_part_is_in_rotation_and_refused_by_its_name(
    galera: Sequence[GaleraNode], dbctl: Dbctl
) -> None:
    apart, other = galera[:2]
    apart.create_database("balanced")
    apart.execute("CREATE USER checks@'%'")
    other.execute("SET STATEMENT wsrep_sync_wait = 15 FOR SHOW DATABASES")
    database = TestDatabase.on_server(apart, "balanced")
    with HAProxy(apart, other, check="mysql-check user checks") as balancer:
        apart.take_no_part()
        try:
            assert within(20, lambda: balancer.checks() == [("UP", "L7OK")] * 2)
            for more, told in (
                ("", "takes no part in its Galera cluster: wsrep_reject_queries = ALL"),
                ('target = "primary"', f":{apart.port} answers: it takes no part in its cluster now"),
            ):
                run = forked(dbctl, through(balancer, database, more))
                for command in (["ping"], ["doctor", "--level", "error"]):
                    refused = run(*command)
                    assert (refused.code, told in refused.err) == (4, True), str(refused)
                    run.ok(*command)
            assert "; waiting" in run.ok("ping", "--wait", "20").err
        finally:
            apart.take_part()
            apart.execute("DROP USER checks@'%'")
            apart.drop_database("balanced")


def test_rows_are_not_copied_into_the_table_that_they_come_from(galera: Sequence[GaleraNode], dbctl: Dbctl) -> None:
    galera[0].create_database("balanced")
    try:
        database = TestDatabase.on_server(galera[0], "balanced")
        database.execute("CREATE TABLE t (x INTEGER)")
        database.execute("INSERT INTO t VALUES (1)")
        with HAProxy(*galera) as balancer:
            result = forked(dbctl, through(balancer, database))("copy", "t", "--from", "my", "--to", "my")
        assert (result.code, "lead to the same database" in result.err) == (2, True), str(result)
        assert database.execute("SELECT x FROM t") == [(1,)]
    finally:
        galera[0].drop_database("balanced")


# --- a second connection ----------------------------------------------------------------------------------------------


@contextmanager
def sleeping_twin(pair: Pair, number: int) -> Iterator[Future[Any]]:
    """Have the standby run something, in the same account's session of the same number, of whose end is told."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        while True:
            session = stack.enter_context(closing(pair.standby.connect()))
            if (own := rows(session, "SELECT connection_id()")[0][0]) == number:
                break
            assert own < number
        sleep = pool.submit(rows, session, SLEEP["mysql"])
        assert within(20, lambda: is_busy(pair.standby, number))
        yield sleep
        server_of(pair.standby).execute(f"KILL {number}")


def is_busy(database: TestDatabase, number: int) -> bool:
    query = "SELECT count(*) FROM information_schema.processlist WHERE id = %s AND command = 'Query'"
    return server_of(database).execute(query, [number]) == [(1,)]


def go_ahead(pair: Pair) -> None:
    """Have the primary's next session a higher number than any of the standby's."""
    [(most,)] = server_of(pair.standby).execute("SELECT connection_id()")
    while server_of(pair.primary).execute("SELECT connection_id()")[0][0] <= most:
        pass


@pytest.mark.parametrize("pair", ["mariadb"], indirect=True)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_nothing_is_ended_on_another_server_but_what_was_meant(pair: Pair, asynchronous: bool) -> None:
    """PostgreSQL's request has a secret beside the number, and needs no such test."""
    go_ahead(pair)
    with HAProxy(server_of(pair.primary), server_of(pair.standby)) as balancer:
        profile = profile_of(pair.primary, {"port": balancer.port})
        (asyncio.run(ended_async(profile, pair)) if asynchronous else ended(profile, pair))


def ended(profile: Profile, pair: Pair) -> None:
    with engine_of(profile) as engine, engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        driver_connection = connection.connection.driver_connection
        number = backend_id(connection)
        with sleeping_twin(pair, number) as twin:
            asked = pool.submit(connection.exec_driver_sql, SLEEP["mysql"])
            assert within(20, lambda: is_busy(pair.primary, number))
            backend_of(profile).canceller(driver_connection)()
            with pytest.raises(OperationalError, match="interrupted"):
                asked.result()
            assert not twin.done()


async def ended_async(profile: Profile, pair: Pair) -> None:
    async with async_opened(profile) as connector, connector.engine.connect() as connection:
        number = await connection.run_sync(backend_id)
        driver_connection = (await connection.get_raw_connection()).driver_connection
        with sleeping_twin(pair, number) as twin:
            asked = asyncio.create_task(connection.exec_driver_sql(SLEEP["mysql"]))
            assert await asyncio.to_thread(within, 20, lambda: is_busy(pair.primary, number))
            cancel = backend_of(profile).task_canceller(driver_connection)
            assert cancel
            await asyncio.to_thread(cancel)
            with pytest.raises(OperationalError, match="interrupted"):
                await asked
            assert not twin.done()


def test_what_no_cancel_reaches_ends_in_time_all_the_same(pair: Pair, dbctl: Dbctl) -> None:
    standby, primary = server_of(pair.standby), server_of(pair.primary)
    with HAProxy(primary, *[standby] * 9) as balancer:
        run = forked(dbctl, through(balancer, pair.primary))
        result = run("query", SLEEP[pair.primary.dialect], "--deadline", "1", timeout=15)
        assert result.code == 5, str(result)
        assert "not done within the deadline of 1 s" in result.err


def test_what_a_standby_refuses_names_it_and_the_primary_though_another_server_is_next(
    pair: Pair, dbctl: Dbctl
) -> None:
    with HAProxy(server_of(pair.standby), server_of(pair.primary)) as balancer:
        result = forked(dbctl, through(balancer, pair.primary))("query", "--write", "CREATE TABLE x (i INT)")
        assert result.code == 1, str(result)
        told = f":{server_of(pair.standby).port} is a standby; its primary is 127.0.0.1:{server_of(pair.primary).port}"
        assert told in result.err


def test_the_server_s_own_port_is_no_sign_of_another_database(pair: Pair, dbctl: Dbctl) -> None:
    """An env.py's own connection is held against the profile's, by what no balancer changes."""
    Service.make(dbctl.cwd, "own", "shop")
    standby, primary = server_of(pair.standby), server_of(pair.primary)
    database = pair.primary
    with HAProxy(primary) as balancer:
        run = forked(dbctl, through(balancer, database))
        url = {"SERVICE_URL": database.url.replace(f":{primary.port}/", f":{balancer.port}/")}
        assert len(run.ok("migrate", "upgrade", "--json", env=url).json) == 3
        with HAProxy(standby) as other:
            url = {"SERVICE_URL": database.url.replace(f":{primary.port}/", f":{other.port}/")}
            refused = run("migrate", "downgrade", "base", env=url)
            assert (refused.code, "nothing was run" in refused.err) == (3, True), str(refused)
        run.ok("migrate", "downgrade", "base", env={"SERVICE_URL": database.url})


# --- idle connections -------------------------------------------------------------------------------------------------


@pytest.fixture
def idle(pair: Pair) -> Iterator[Profile]:
    """A profile that leads to a balancer which cuts connections on which nothing is sent for a second."""
    pair.primary.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    with HAProxy(server_of(pair.primary), idle=1) as balancer:
        yield profile_of(pair.primary, {"port": balancer.port})
    pair.primary.execute("DROP TABLE t")


def work(profile: Profile, pause: float) -> None:
    """Insert rows for two seconds under a lock, so many seconds between two."""
    with engine_of(profile) as engine, advisory_lock("nightly", profile) as lock:
        with pytest.raises(LockHeld, match=r"session [0-9]+"), advisory_lock("nightly", profile):
            pass
        with unit_of_work(Connector(engine, backend_of(profile)), before_commit=lock.check) as unit:
            for number in range(round(2 / pause) + 1):
                insert(unit.session, number)
                time.sleep(pause)


def test_a_lock_that_is_cut_is_told_and_nothing_is_committed_after_it(idle: Profile, pair: Pair) -> None:
    with pytest.raises(ConnectError, match=r'the lock "nightly" was lost, and nothing more is committed') as caught:
        work(idle, 0.2)
    assert "has to leave a lock's for longer than 10 s" in caught.value.hint
    assert pair.primary.execute("SELECT x FROM t") == []


def test_a_lock_is_kept_where_it_is_used_more_often_than_that(
    idle: Profile, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_locks, "_BEAT", 0.2)
    work(idle, 0.2)
    assert len(pair.primary.execute("SELECT x FROM t")) == 11
    pair.primary.execute("DELETE FROM t")
    with pytest.raises(ConnectError, match="the connection was lost"):  # the work's own, between two statements
        work(idle, 2)
    assert pair.primary.execute("SELECT x FROM t") == []


@pytest.mark.parametrize("pair", ["postgresql"], indirect=True)
def test_a_migration_whose_lock_is_cut_is_not_committed(pair: Pair, dbctl: Dbctl) -> None:
    service = Service.make(dbctl.cwd, "generic", "shop")
    service.add("a4", "a3", "for _ in range(10):\n    op.execute('SELECT pg_sleep(0.2)')")
    with HAProxy(server_of(pair.primary), idle=1) as balancer:
        run = forked(dbctl, through(balancer, pair.primary))
        run.ok("migrate", "upgrade", "a3")
        result = run("migrate", "upgrade")
        assert result.code == 4, str(result)
        assert "was lost, and nothing more is committed" in result.err
        assert run.ok("migrate", "current", "--json").json[0]["revision"] == "a3"
        run.ok("migrate", "downgrade", "base")
