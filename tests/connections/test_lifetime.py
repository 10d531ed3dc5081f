"""An engine is there once a process, and when it is disposed of nothing of it is left at the server."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

import dbctl
from dbctl.connections.engines import build_engine
from dbctl.profiles.layers import Layer, build
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of

CONNECTIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = %s",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = %s",
}


def connections_to(database: TestDatabase) -> int:
    assert database.server
    [(count,)] = database.server.execute(CONNECTIONS[database.dialect], [database.name])
    return int(count)


def all_gone(database: TestDatabase) -> bool:
    """Wait for the server to notice that its clients have left."""
    deadline = time.monotonic() + 5
    while connections_to(database) and time.monotonic() < deadline:
        time.sleep(0.01)
    return connections_to(database) == 0


def fill(engine: Engine, count: int) -> None:
    """Leave so many idle connections in the pool."""
    for connection in [engine.connect() for _ in range(count)]:
        connection.close()


def test_disposing_closes_the_connections_at_the_server(server_database: TestDatabase) -> None:
    engine = build_engine(profile_of(server_database))
    fill(engine, 3)
    assert connections_to(server_database) == 3
    engine.dispose()
    assert all_gone(server_database)


def test_what_an_event_loop_has_ends_with_it(server_database: TestDatabase) -> None:
    profile = profile_of(server_database)

    async def work() -> None:
        async with dbctl.async_session(profile) as session:
            assert await session.scalar(select(1)) == 1
        assert await asyncio.to_thread(connections_to, server_database) >= 1

    for _ in range(5):
        asyncio.run(work())
    assert all_gone(server_database)


def test_a_loop_that_is_closed_by_hand_is_forgotten(server_database: TestDatabase) -> None:
    profile = profile_of(server_database)

    async def work() -> None:
        await dbctl.async_engine(profile).dispose()

    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(work())
        loop.close()
    gone = weakref.ref(loop)
    del loop
    asyncio.run(work())
    gc.collect()
    assert gone() is None


@pytest.fixture
def configured(
    server_database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestDatabase]:
    """A database whose profile this process itself finds, and whose engines are gone after the test."""
    (tmp_path / "profiles.toml").write_text(server_database.toml, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, value in server_database.env.items():
        monkeypatch.setenv(name, value)
    yield server_database
    dbctl.dispose()


def test_a_process_has_one_engine_for_a_profile(configured: TestDatabase) -> None:
    name = configured.profile
    engines: list[Engine] = []
    threads = [threading.Thread(target=lambda: engines.append(dbctl.engine(name))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engines) == 8
    assert set(engines) == {dbctl.engine(name)} == {dbctl.engine(dbctl.profile(name))}


def test_dispose_closes_all_engines_and_forgets_them(configured: TestDatabase) -> None:
    engine = dbctl.engine(configured.profile)
    fill(engine, 2)
    assert connections_to(configured) == 2
    dbctl.dispose()
    assert all_gone(configured)
    assert dbctl.engine(configured.profile) is not engine


def test_profiles_that_differ_in_one_setting_have_engines_of_their_own() -> None:
    def sized(size: int) -> Engine:
        return dbctl.engine(build("test", [Layer({"driver": "sqlite", "pool.size": size}, "the test")]))

    try:
        assert sized(1) is sized(1)
        assert sized(1) is not sized(2)
    finally:
        dbctl.dispose()
