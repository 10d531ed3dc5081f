"""A recorder counts what a pool does, whichever the pool: each number has one meaning, and together they add up."""

import asyncio
import gc
import logging
import socket
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, pool, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import greenlet_spawn

import dbctl
from dbctl.pool import labelled, observe
from tests.faults.killing import kill
from tests.faults.units import backend_id
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.harness.soak import dose
from tests.pool.engines import adds_up, counted, run_on

TASKS = dose(200, 2000)

both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'pool.db'}"


def test_a_static_pool_hands_out_what_is_in_use(url: str) -> None:
    engine = create_engine(url, poolclass=pool.StaticPool)
    recorder = observe(engine)
    one, two = engine.connect(), engine.connect()
    counted(recorder, checkouts=2, in_use=None, in_use_most=None)
    two.close()
    one.close()
    counted(recorder, checkouts=2, requests_num=2, connections_opened=1)
    engine.dispose()


def ended_at_server(connection: Connection) -> int:
    backend = backend_id(connection)
    connection.rollback()
    return backend


# --- what happens to connections --------------------------------------------------------------------------------------


@both
def test_each_thing_that_happens_is_counted_once(server_database: TestDatabase, asynchronous: bool) -> None:
    options = {"pool_size": 2, "max_overflow": 1, "pool_timeout": 0.1, "pool_pre_ping": True}
    run_on(server_database, asynchronous, lambda engine: everything_once(engine, server_database), **options)


def everything_once(engine: Engine, database: TestDatabase) -> None:
    recorder = observe(engine, "orders")
    one, two, three = engine.connect(), engine.connect(), engine.connect()
    counted(recorder, connections_opened=3, in_use=3, overflow=1, pool_size=3, pool_available=0, requests_queued=0)
    with pytest.raises(PoolTimeout):
        engine.connect()
    counted(recorder, requests_num=4, requests_queued=1, requests_errors=1, timeouts=1, checkouts=3)
    for each in (three, one):
        each.close()
    counted(recorder, connections_closed=0, in_use=1, overflow=1, pool_size=3, pool_available=2)
    two.close()  # there is no place for it in the pool
    counted(recorder, connections_closed=1, in_use=0, overflow=0, overflow_most=1, in_use_most=3)

    one, two = engine.connect(), engine.connect()
    one.invalidate()
    one.close()
    counted(recorder, invalidated=1, returns_bad=1, connections_lost=0, connections_closed=2, connections_opened=3)
    one = engine.connect()
    counted(recorder, connections_opened=4, replaced=0, pre_ping_failures=0)
    for connection, backend in [(each, ended_at_server(each)) for each in (one, two)]:
        connection.close()
        kill(database, backend)
    one = engine.connect()  # the ping finds it lost, and so no other is trusted any more
    counted(recorder, pre_ping_failures=1, connections_lost=1, invalidated=2, connections_opened=5, replaced=0)
    two = engine.connect()
    counted(recorder, pre_ping_failures=1, replaced=1, connections_opened=6, connections_closed=4)

    kill(database, ended_at_server(one))
    with pytest.raises(DBAPIError):
        one.execute(text("SELECT 1"))
    one.close()
    counted(recorder, connections_lost=2, invalidated=3, returns_bad=2, pre_ping_failures=1)
    two.detach()
    counted(recorder, detached=1, in_use=0, connections_closed=5)
    two.close()
    if not engine.dialect.is_async:  # SQLAlchemy 2.0 leaves one that is detached open where its driver is async
        counted(recorder, connections_closed=6)
    counted(recorder, connections_opened=6, recycled=0, connections_errors=0, checkouts=8)
    adds_up(recorder)


def test_what_is_older_than_recycle_is_counted_as_that(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool, pool_recycle=0)
    recorder = observe(engine)
    for _ in range(3):
        with engine.connect() as connection:
            pass
    values = recorder.as_dict()
    assert values["recycled"] == values["connections_closed"] == values["connections_opened"] - 1 >= 2
    with engine.connect() as connection:
        connection.connection.invalidate(soft=True)
    engine.connect().close()
    counted(recorder, invalidated=1, replaced=0, pool_size=1)
    adds_up(recorder)
    engine.dispose()


@both
def test_who_can_not_connect_is_counted(asynchronous: bool, postgres_database: TestDatabase) -> None:
    def script(engine: Engine) -> None:
        recorder = observe(engine)
        for _ in range(2):
            with pytest.raises((OperationalError, OSError)):
                engine.connect()
        counted(recorder, requests_num=2, requests_errors=2, connections_num=2, connections_errors=2, timeouts=0)
        adds_up(recorder)

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = {"host": "127.0.0.1", "port": closed.getsockname()[1]}
        if asynchronous:
            engine = create_async_engine("postgresql+asyncpg://nobody@/nothing", connect_args=nowhere)
            asyncio.run(greenlet_spawn(script, engine.sync_engine))
        else:
            script(create_engine("postgresql+psycopg2://nobody@/nothing", connect_args=nowhere))


@pytest.mark.parametrize(
    ("pool_class", "opened", "known"),
    [
        (pool.QueuePool, 1, {"pool_min": 5, "pool_max": 15, "pool_size": 1, "pool_available": 1, "in_use": 0}),
        (pool.NullPool, 3, {"pool_min": None, "pool_max": None, "pool_size": 0, "pool_available": 0, "in_use": 0}),
        (pool.StaticPool, 1, {"pool_min": 1, "pool_max": 1, "pool_size": 1, "pool_available": None, "in_use": None}),
        (pool.AssertionPool, 1, {"pool_min": 1, "pool_max": 1, "pool_size": 1, "pool_available": 1, "in_use": 0}),
        (pool.SingletonThreadPool, 1, {"pool_max": None, "pool_size": 1, "pool_available": 1, "in_use": 0}),
    ],
)
def test_any_pool_can_be_observed(url: str, pool_class: type[pool.Pool], opened: int, known: dict[str, Any]) -> None:
    engine = create_engine(url, poolclass=pool_class)
    recorder = observe(engine)
    for _ in range(3):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    assert recorder.as_dict()["pool"] == pool_class.__name__
    counted(recorder, checkouts=3, connections_opened=opened, requests_num=3, requests_errors=0, **known)
    engine.dispose()


def test_a_pool_without_a_limit_has_no_number_for_it(url: str) -> None:
    for options in ({"pool_size": 0}, {"max_overflow": -1}):
        engine = create_engine(url, poolclass=pool.QueuePool, **options)
        recorder = observe(engine)
        with engine.connect():
            counted(recorder, pool_max=None, in_use=1, overflow=0, pool_size=1)
        engine.dispose()


# --- waiting ----------------------------------------------------------------------------------------------------------


@both
def test_the_wait_is_that_in_the_queue_alone(sqlite_database: TestDatabase, asynchronous: bool) -> None:
    def script(engine: Engine) -> None:
        recorder = observe(engine)
        engine.connect().close()
        with engine.connect():
            for _ in range(2):
                with pytest.raises(PoolTimeout):
                    engine.connect()
        engine.connect().close()
        wait = recorder.snapshot().histograms["wait"]
        assert (wait.count, wait.least, wait.quantile(0.5)) == (5, 0, 0)
        assert wait.most >= 0.19
        assert wait.total >= 0.39
        counted(recorder, requests_queued=2, timeouts=2)
        adds_up(recorder)

    options = {"poolclass": pool.AsyncAdaptedQueuePool if asynchronous else pool.QueuePool}
    run_on(sqlite_database, asynchronous, script, pool_size=1, max_overflow=0, pool_timeout=0.2, **options)


def test_a_leak_is_told_though_nobody_uses_the_pool(url: str, caplog: pytest.LogCaptureFixture) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool)
    with closing(observe(engine, "orders", leak_after=0.05)), caplog.at_level(logging.WARNING, "dbctl.pool"):
        connection = engine.connect()
        while not caplog.messages:
            threading.Event().wait(0.01)
        assert f"taken {__file__}:" in caplog.messages[0]
        assert caplog.records[0].name == "dbctl.pool"
        connection.close()
    engine.dispose()


def test_who_waits_is_shown_while_it_waits(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool, pool_size=1, max_overflow=0)
    recorder = observe(engine)
    with ThreadPoolExecutor(1) as threads:
        with engine.connect():
            waiting = threads.submit(engine.connect)
            while not recorder.as_dict()["requests_waiting"]:
                assert not waiting.done()
        waiting.result(30).close()
    counted(recorder, requests_waiting=0, requests_queued=1, checkouts=2)
    engine.dispose()


# --- many at a time ---------------------------------------------------------------------------------------------------


def test_of_hundreds_of_threads_each_is_counted(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool, pool_size=3, max_overflow=2, pool_timeout=0.02)
    recorder, outcomes = observe(engine), []

    def work(number: int) -> None:
        with labelled(f"job {number % 4}"):
            for turn in range(5):
                try:
                    with engine.connect() as connection:
                        if turn == number % 5:
                            connection.invalidate()
                        if turn == number % 3:
                            threading.Event().wait(0.001)
                except PoolTimeout:
                    outcomes.append(False)
                else:
                    outcomes.append(True)

    threads = [threading.Thread(target=work, args=[number]) for number in range(TASKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    late = outcomes.count(False)
    counted(recorder, requests_num=TASKS * 5, checkouts=TASKS * 5 - late, timeouts=late, requests_errors=late)
    values = recorder.as_dict()
    assert values["invalidated"] == values["returns_bad"]
    assert values["connections_opened"] - values["connections_closed"] == engine.pool.checkedin() - sum(  # type: ignore[attr-defined]
        each.dbapi_connection is None
        for each in engine.pool._pool.queue  # type: ignore[attr-defined]
    )
    assert values["in_use_most"] <= 5
    assert sum(use["checkouts"] for use in values["labels"].values()) == values["checkouts"]
    assert sum(use["in_use"] for use in values["labels"].values()) == 0
    adds_up(recorder)
    engine.dispose()


def test_no_count_is_lost_or_goes_back_whoever_reads_meanwhile(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool, pool_size=8)
    recorder, seen = observe(engine), [{"checkouts": 0, "usage": 0, "job": 0}]

    def work() -> None:
        with labelled("job"):
            for _ in range(1500):
                engine.connect().close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found = recorder.snapshot()
        job = found.labels["job"].checkouts if "job" in found.labels else 0
        seen.append({**found.counters, "usage": found.histograms["usage"].count, "job": job})
    for before, after in pairwise(seen):
        assert all(after[name] >= before[name] for name in before)
    counted(recorder, checkouts=12_000, in_use=0)
    assert recorder.as_dict()["labels"]["job"]["checkouts"] == 12_000
    adds_up(recorder)
    engine.dispose()


def test_of_hundreds_of_tasks_each_is_counted_also_those_that_are_cancelled(tmp_path: Path) -> None:
    async def run() -> None:
        url = f"sqlite+aiosqlite:///{tmp_path / 'pool.db'}"
        engine = create_async_engine(url, poolclass=pool.AsyncAdaptedQueuePool, pool_size=3, max_overflow=0)
        recorder = observe(engine)

        async def work() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
                await asyncio.sleep(0.001)

        async with engine.connect(), engine.connect(), engine.connect():
            tasks = [asyncio.ensure_future(work()) for _ in range(TASKS)]
            while recorder.as_dict()["requests_waiting"] < TASKS:
                await asyncio.sleep(0)
            for task in tasks[::4]:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ended = sum(task.cancelled() for task in tasks)
        assert ended == TASKS / 4
        counted(recorder, requests_num=TASKS + 3, requests_errors=ended, timeouts=0, requests_queued=TASKS)
        counted(recorder, in_use_most=3, connections_opened=3)
        adds_up(recorder)
        await engine.dispose()

    asyncio.run(run())


# --- who holds a connection -------------------------------------------------------------------------------------------


@both
def test_a_connection_that_is_held_too_long_is_told_with_where_it_was_taken(
    sqlite_database: TestDatabase, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def script(engine: Engine) -> None:
        recorder = observe(engine, "orders", leak_after=0.05)
        with labelled("GET /orders"), engine.connect():
            threading.Event().wait(0.06)
            engine.connect().close()  # the pool is used
            (holder,) = recorder.as_dict()["holders"]
            counted(recorder, leaked=1)
        assert holder["label"] == "GET /orders"
        assert holder["seconds"] >= 0.06
        assert f"{__file__}:{script.__code__.co_firstlineno + 2} in " in holder["place"][0]
        counted(recorder, leaked=1, in_use=0)

    classes = {"poolclass": pool.AsyncAdaptedQueuePool if asynchronous else pool.QueuePool}
    with caplog.at_level(logging.WARNING, "dbctl.pool"):
        run_on(sqlite_database, asynchronous, script, **classes)
        while not caplog.messages:  # by the thread that looks for them, or whoever asked
            threading.Event().wait(0.01)
    (message,) = caplog.messages
    assert message.startswith("orders: a connection is held for 0.")
    assert f", for GET /orders: taken {__file__}:" in message


def test_the_place_of_an_async_checkout_is_the_task_s(tmp_path: Path) -> None:
    async def handler() -> list[str]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
        recorder = observe(engine, leak_after=60)
        async with engine.connect():
            (holder,) = recorder.as_dict()["holders"]
        await engine.dispose()
        return holder["place"]  # type: ignore[no-any-return]

    assert asyncio.run(handler())[0].endswith("<locals>.handler")


def test_a_connection_that_nobody_has_any_more_is_back(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool)
    recorder = observe(engine)
    engine.connect()  # and let go without a word
    gc.collect()
    counted(recorder, checkouts=1, in_use=0)
    adds_up(recorder)
    engine.dispose()


def test_however_many_labels_there_are_few_are_kept(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool)
    recorder = observe(engine)
    for number in range(600):
        with labelled(f"/orders/{number}"), engine.connect():
            pass
    labels = recorder.as_dict()["labels"]
    assert len(labels) == 501
    assert labels["(others)"]["checkouts"] == 100
    engine.dispose()


def test_a_leak_is_after_some_time() -> None:
    engine = create_engine("sqlite://")
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="leak_after"):
            observe(engine, leak_after=wrong)


def test_what_is_of_another_kind_is_refused_in_words(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool)
    wrong: Any = 42
    with pytest.raises(TypeError, match="a label has to be a text, and not 42"), labelled(wrong):
        pass
    with pytest.raises(TypeError, match="name has to be a text, and not 42"):
        observe(engine, wrong)
    with pytest.raises(TypeError, match="has to be an Engine or an AsyncEngine, and not None"):
        observe(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="leak_after has to be a number of seconds, and not 'x'"):
        observe(engine, leak_after="x")  # type: ignore[arg-type]
    with engine.connect():
        assert 'pool="' in observe(engine).as_prometheus()
    engine.dispose()


# --- engines ----------------------------------------------------------------------------------------------------------


def test_an_engine_has_one_recorder_and_shares_it_with_those_made_of_it(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool)
    recorder = observe(engine)
    assert observe(engine, "orders", leak_after=9) is recorder
    assert observe(engine.execution_options(isolation_level="AUTOCOMMIT")) is recorder
    assert (recorder.name, recorder.leak_after) == ("orders", 9)
    observe(engine)
    assert (recorder.name, recorder.leak_after) == ("orders", 9)
    assert observe(create_engine(url)) is not recorder


def test_an_engine_that_is_disposed_of_goes_on_with_its_counts(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    recorder = observe(engine)
    for disposals in range(1, 4):
        held = engine.connect()
        engine.dispose()
        with engine.connect(), suppress(PoolTimeout):
            engine.connect()
        held.close()
        counted(recorder, checkouts=2 * disposals, timeouts=disposals, connections_opened=1 + disposals, in_use=0)
    adds_up(recorder)
    assert observe(engine) is recorder
    engine.dispose()


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_what_goes_without_an_event_is_counted_as_closed(sqlite_database: TestDatabase, asynchronous: bool) -> None:
    def script(engine: Engine) -> None:
        recorder, drivers = observe(engine), []
        for closed in range(1, 4):
            held = engine.connect()
            drivers.append(held.connection.dbapi_connection)
            engine.dispose()
            counted(recorder, connections_closed=closed - 1, in_use=1)
            held.close()
            counted(recorder, connections_closed=closed, connections_opened=closed, pool_size=0)
        for closed, leave in enumerate((Connection.invalidate, Connection.close, id), 4):
            held = engine.connect()
            drivers.append(held.connection.dbapi_connection)
            held.detach()
            leave(held)
            del held
            gc.collect()
            counted(recorder, connections_closed=closed, connections_opened=closed, in_use=0)
        for each in filter(None, drivers):
            each.close()
        recorder.close()
        assert vars(engine.pool).keys() == vars(engine.pool.recreate()).keys()

    classes = {"poolclass": pool.AsyncAdaptedQueuePool if asynchronous else pool.QueuePool}
    run_on(sqlite_database, asynchronous, script, **classes)


def test_a_recorder_that_is_closed_leaves_nothing_behind(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool)
    plain = create_engine(url, poolclass=pool.QueuePool)
    names = ("checkout", "checkin", "detach", "close", "close_detached", "invalidate", "soft_invalidate")
    recorder = observe(engine)
    engine.dispose()
    engine.connect().close()
    recorder.close()
    recorder.close()
    for each in (engine, plain):
        assert [list(getattr(each.pool.dispatch, name)) for name in names] == [[]] * len(names)
    assert vars(engine.pool).keys() == vars(plain.pool).keys()
    assert vars(engine.pool._pool).keys() == vars(plain.pool._pool).keys()  # type: ignore[attr-defined]
    engine.connect().close()
    counted(recorder, checkouts=1)
    assert observe(engine) is not recorder
    engine.dispose()


def test_a_recorder_that_is_closed_knows_nobody_who_has_a_connection(url: str) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool)
    recorder = observe(engine)
    with labelled("job"), engine.connect():
        recorder.close()
        before = recorder.as_dict()
        assert (before["in_use"], before["pool_size"], before["holders"]) == (None, None, [])
        assert before["labels"]["job"] == {"checkouts": 1, "in_use": 0, "usage_ms": 0}
    counted(recorder, in_use=None, in_use_most=1, checkouts=1, connections_opened=1)
    engine.dispose()


@pytest.mark.parametrize("leak_after", [None, 3600])
def test_an_engine_can_be_forgotten_with_its_recorder(url: str, leak_after: float | None) -> None:
    engine = create_engine(url, poolclass=pool.QueuePool)
    gone = weakref.ref(observe(engine, leak_after=leak_after))
    engine.connect().close()
    engine.dispose()
    del engine
    gc.collect()
    assert gone() is None


def test_dbctls_own_engines_can_be_observed(database: TestDatabase) -> None:
    engine = dbctl.build_engine(profile_of(database, {"pool.size": 1, "pool.max_overflow": 0, "pool.timeout": 0.05}))
    with closing(observe(engine)) as recorder:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            with pytest.raises(PoolTimeout):
                engine.connect()
        counted(recorder, checkouts=1, timeouts=1, connections_opened=1, returns_bad=0)
        adds_up(recorder)
    engine.dispose()
