"""What of SQLAlchemy's pools is private and used all the same is where it was, or this says what has moved."""

import asyncio
import inspect

import pytest
from sqlalchemy import Engine, create_engine, pool
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import greenlet_spawn, queue

from dbctl.pool import observe
from tests.pool.engines import counted


@pytest.fixture(params=["sync", "async"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "async":
        return create_async_engine("sqlite+aiosqlite://", poolclass=pool.AsyncAdaptedQueuePool).sync_engine
    return create_engine("sqlite://", poolclass=pool.QueuePool, pool_recycle=7, max_overflow=3)


def test_a_pool_has_what_the_recorder_hooks_into(engine: Engine) -> None:
    assert callable(vars(engine.pool)["_invoke_creator"]), "where a pool calls the driver's connect"
    assert list(inspect.signature(engine.pool._return_conn).parameters) == ["record"], "where it takes a record back"
    assert isinstance(vars(engine.pool)["_pool"], queue.QueueCommon if hasattr(queue, "QueueCommon") else queue.Queue)
    assert isinstance(vars(engine.pool)["_max_overflow"], int)
    assert isinstance(vars(engine.pool)["_recycle"], int)
    assert not {"connect", "recreate"} & vars(engine.pool).keys()


def test_a_queue_is_asked_for_a_connection_as_before(engine: Engine) -> None:
    get = vars(engine.pool)["_pool"].get
    assert list(inspect.signature(get).parameters) == ["block", "timeout"]
    with pytest.raises(queue.Empty):
        get(False)


def test_an_engine_asks_its_pool_by_the_method_that_is_listened_to(engine: Engine) -> None:
    asked = []
    engine.pool.connect = lambda: asked.append(1)  # type: ignore[method-assign, assignment, return-value]
    engine.raw_connection()
    assert asked


def test_a_proxy_tells_its_record_which_comes_back() -> None:
    engine = create_engine("sqlite://")  # a SingletonThreadPool's proxy is for all checkouts of its thread
    returned: list[object] = []
    engine.pool._return_conn = returned.append  # type: ignore[assignment, method-assign]
    proxy, again = engine.raw_connection(), engine.raw_connection()
    assert proxy is again
    assert (proxy._counter, proxy._connection_record.dbapi_connection) == (2, proxy.dbapi_connection)
    record = proxy._connection_record
    again.close()
    assert returned == []
    proxy.close()
    assert returned == [record]


def test_a_record_tells_when_its_connection_was_opened() -> None:
    engine = create_engine("sqlite://", poolclass=pool.QueuePool)
    with engine.connect() as connection:
        record = connection.connection._connection_record
        assert record.last_connect_time == record.starttime > 0
        assert {record.record_info is record.record_info, record.info is record.info} == {True}
    engine.dispose()


def test_a_record_without_a_connection_is_none_that_is_open() -> None:
    engine = create_engine("sqlite://", poolclass=pool.QueuePool)
    without_connections(engine)
    engine.dispose()

    async def run() -> None:
        made = create_async_engine("sqlite+aiosqlite://", poolclass=pool.AsyncAdaptedQueuePool)
        await greenlet_spawn(without_connections, made.sync_engine)
        await made.dispose()

    asyncio.run(run())


def without_connections(engine: Engine) -> None:
    recorder = observe(engine)
    one, two, three = (engine.raw_connection() for _ in range(3))
    one.invalidate()
    counted(recorder, pool_size=2, pool_available=0, in_use=2)
    two.detach()
    counted(recorder, pool_size=1, pool_available=0, in_use=1)
    three.close()
    counted(recorder, pool_size=1, pool_available=1, in_use=0)
    two.close()
