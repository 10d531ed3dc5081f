"""No engine waits for ever: not for a connect, not for a pre-ping, not for a server that has frozen."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from dbctl.backends import backend_of
from dbctl.connections.engines import build_async_engine
from dbctl.connections.response_timeouts import answering
from dbctl.errors import ConnectError
from dbctl.profiles import Profile
from dbctl.runtime.deadlines import shut_down_after, shut_down_used_after
from dbctl.runtime.waits import result_of, started
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of, profile_of

T = 2.0
"""The profiles' `connect_timeout`."""
LONG = {"postgresql": "SELECT pg_sleep(60)", "mysql": "SELECT SLEEP(60)"}


def hurried(database: TestDatabase) -> Profile:
    return profile_of(database, {"connect_timeout": T})


def use(engine: Engine, profile: Profile) -> object:
    with backend_of(profile).translating(), engine.connect() as connection:
        return connection.exec_driver_sql("SELECT 1").scalar()


# --- pre-ping ---------------------------------------------------------------------------------------------------------


def test_a_pre_ping_of_a_frozen_server_ends_in_time(server_database: TestDatabase) -> None:
    profile = hurried(server_database)
    assert server_database.server
    with engine_of(profile) as engine:
        use(engine, profile)
        with server_database.server.frozen():
            start = time.monotonic()
            with pytest.raises(ConnectError):
                use(engine, profile)
            assert time.monotonic() - start < 2 * T + 2
        assert use(engine, profile) == 1


def test_so_does_that_of_an_async_driver(server_database: TestDatabase) -> None:
    profile = hurried(server_database)

    async def pinged_while_frozen() -> None:
        assert server_database.server
        engine = build_async_engine(profile)
        try:
            async with engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
            with server_database.server.frozen():
                start = time.monotonic()
                with pytest.raises(ConnectError):
                    await engine.connect()
                assert time.monotonic() - start < 2 * T + 2
            async with engine.connect() as connection:
                assert (await connection.exec_driver_sql("SELECT 1")).scalar() == 1
        finally:
            await engine.dispose()

    asyncio.run(pinged_while_frozen())


def test_where_only_the_pools_connections_are_dead_new_ones_take_their_place(postgres_database: TestDatabase) -> None:
    profile = hurried(postgres_database)
    with engine_of(profile) as engine, contextlib.ExitStack() as frozen:
        with engine.connect() as one, engine.connect() as other:
            pids = [connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for connection in (one, other)]
        for pid in pids:
            frozen.callback(os.kill, pid, signal.SIGCONT)
            os.kill(pid, signal.SIGSTOP)
        assert use(engine, profile) == 1
        start = time.monotonic()
        assert use(engine, profile) == 1
        assert time.monotonic() - start < T / 2, "the other dead connection was tried too"


# --- statements -------------------------------------------------------------------------------------------------------


def test_a_statement_without_an_answer_is_cut(server_database: TestDatabase) -> None:
    profile = hurried(server_database)
    with engine_of(profile) as engine, engine.connect() as connection:
        driver_connection = connection.connection.driver_connection
        start = time.monotonic()
        with (
            pytest.raises(ConnectError, match=r"SELECT 1 failed: no answer within 0\.5 s"),
            answering(backend_of(profile), driver_connection, 0.5),
        ):
            connection.exec_driver_sql(LONG[server_database.dialect])
        assert time.monotonic() - start < 20


def test_a_connection_that_is_given_back_to_its_pool_in_a_transaction_is_cut(server_database: TestDatabase) -> None:
    assert server_database.server
    profile = hurried(server_database)
    with engine_of(profile) as engine:
        for used_before in (False, True):
            connection = engine.raw_connection()
            connection.cursor().execute("SELECT 1")
            if used_before:  # a ROLLBACK of the user's own lets no other than itself go unbounded
                connection.rollback()
                with contextlib.closing(engine.connect()) as other:
                    other.exec_driver_sql("SELECT 1")
                connection.cursor().execute("SELECT 1")
            with server_database.server.frozen():
                connection.close()
            assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert use(engine, profile) == 1


# --- the pieces -------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_who_waits_at_a_socket_is_woken_at_the_time(pair: tuple[socket.socket, socket.socket]) -> None:
    with shut_down_after(60, pair[0].fileno()), shut_down_after(0.2, pair[0].fileno()):
        assert pair[0].recv(1) == b""


def test_what_is_in_time_keeps_its_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    with shut_down_after(0.2, pair[0].fileno()):
        pass
    time.sleep(0.5)
    pair[1].sendall(b"x")
    assert pair[0].recv(1) == b"x"


def test_it_holds_in_a_fork_too(pair: tuple[socket.socket, socket.socket]) -> None:
    with shut_down_after(60, pair[1].fileno()):  # the thread runs, and a fork does not take it with it
        child = os.fork()
        if not child:
            signal.alarm(20)
            with shut_down_after(0.2, pair[0].fileno()):
                os._exit(len(pair[0].recv(1)))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_sockets_need_one_thread(pair: tuple[socket.socket, socket.socket]) -> None:
    for _ in range(100):
        with shut_down_after(60, pair[0].fileno()):
            pass
    assert sum(thread.name == "dbctl-watch" for thread in threading.enumerate()) == 1


def test_a_result_that_comes_too_late_is_discarded() -> None:
    go_on, discarded = threading.Event(), threading.Event()

    def work() -> str:
        go_on.wait(30)
        return "late"

    with pytest.raises(TimeoutError):
        result_of(started(work, lambda result: discarded.set() if result == "late" else None), 0.05)
    go_on.set()
    assert discarded.wait(30)


def test_what_the_work_raises_passes_through() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        result_of(started(fail))
    assert result_of(started(lambda: 5), 30) == 5


def test_what_is_closed_meanwhile_is_nobody_s_to_shut_down(pair: tuple[socket.socket, socket.socket]) -> None:
    asked = []

    def descriptor() -> int:
        asked.append(1)
        return pair[0].fileno() if len(asked) < 2 else -1  # closed between two looks: its number may be another's

    with shut_down_used_after(0.05, descriptor):
        while len(asked) < 2:
            time.sleep(0.01)
    pair[1].sendall(b"x")
    assert pair[0].recv(1) == b"x"
    with shut_down_used_after(0.05, pair[0].fileno):
        assert pair[0].recv(1) == b""
