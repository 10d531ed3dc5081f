"""A server that was restarted between two uses of an engine: the second use finds it, and the pool is filled anew."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from dbctl.errors import ConnectError, DbctlError
from tests.faults.units import Units, insert, units
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of

SIZE = 3
BOTH = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@pytest.fixture
def table(server_database: TestDatabase) -> TestDatabase:
    server_database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    return server_database


@contextlib.contextmanager
def restarted(database: TestDatabase, asynchronous: bool, *, pre_ping: bool = True) -> Iterator[Units]:
    """Fill an engine's pool, crash the server, and start it again: none of the connections is any good then."""
    pool = {"pool.size": SIZE, "pool.max_overflow": 0, "pool.timeout": 5, "pool.pre_ping": pre_ping}
    with units(profile_of(database, pool), asynchronous) as opened:
        opened.run(lambda session: insert(session, 1))
        assert len(set(opened.fill_pool(SIZE))) == SIZE
        assert database.server
        database.server.restart("immediate")
        yield opened


def is_whole(opened: Units) -> bool:
    """Tell whether the pool has as many connections as it may, and all of them work."""
    pool: Any = opened.engine.pool
    assert len(set(opened.fill_pool(SIZE))) == SIZE
    return (pool.checkedout(), pool.checkedin(), pool.overflow()) == (0, SIZE, 0)


@BOTH
def test_the_next_use_of_an_engine_succeeds_and_the_pool_is_refilled(table: TestDatabase, asynchronous: bool) -> None:
    with restarted(table, asynchronous) as opened:
        for number in range(2, 2 + SIZE + 1):
            opened.run(lambda session, number=number: insert(session, number))  # type: ignore[misc]
        assert table.execute("SELECT count(*) FROM t") == [(SIZE + 2,)]
        assert is_whole(opened)


@BOTH
def test_without_a_pre_ping_the_first_use_fails_and_the_next_succeeds(table: TestDatabase, asynchronous: bool) -> None:
    with restarted(table, asynchronous, pre_ping=False) as opened:
        with pytest.raises(ConnectError) as caught:
            opened.run(lambda session: insert(session, 2))
        assert "\n" not in str(caught.value)
        assert opened.checked_out == 0
        opened.run(lambda session: insert(session, 3))
        assert table.execute("SELECT x FROM t ORDER BY x") == [(1,), (3,)]
        assert is_whole(opened)


@BOTH
def test_a_restart_within_a_unit_of_work_rolls_it_back(table: TestDatabase, asynchronous: bool) -> None:
    """What was written before the crash is gone, and no part of the unit goes on on a new connection."""
    server = table.server
    assert server

    def work(session: Session) -> None:
        insert(session, 1)
        server.restart("immediate")
        with pytest.raises(DBAPIError):
            session.execute(text("SELECT 1"))
        insert(session, 2)

    with units(profile_of(table), asynchronous) as opened:
        with pytest.raises(DbctlError):
            opened.run(work)
        assert opened.checked_out == 0
        assert table.execute("SELECT x FROM t") == []
        opened.run(lambda session: insert(session, 3))
    assert table.execute("SELECT x FROM t") == [(3,)]
