"""The terms of a unit of work are those of its profile, and of `strict`: bounds, isolation, whether it may write."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel

import dbctl
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine
from dbctl.errors import Contention, Duplicate, OutOfTime, WorkRefused
from dbctl.profiles import Profile
from dbctl.work.sessions import async_unit_of_work, unit_of_work
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of, profile_of
from tests.servers.pgbouncer import PgBouncer


class Scratch(SQLModel, registry=registry()):
    """Base of this file's table, away from every other's."""


class Row(Scratch, table=True):
    """A row of the table `t`."""

    __tablename__ = "t"

    x: int = Field(primary_key=True)


SETTINGS = {"statement_timeout": 7.5, "lock_timeout": 2.5, "isolation": "SERIALIZABLE"}
IN_EFFECT = {
    "postgresql": (
        "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
        " current_setting('transaction_isolation')",
        ("7500ms", "2500ms", "serializable"),
    ),
    "mysql": (
        "SELECT @@max_execution_time, @@innodb_lock_wait_timeout, @@lock_wait_timeout, @@transaction_isolation",
        (8500, 3, 3, "SERIALIZABLE"),
    ),
    "mariadb": (
        "SELECT @@max_statement_time, @@innodb_lock_wait_timeout, @@lock_wait_timeout, @@tx_isolation",
        (7.5, 3, 3, "SERIALIZABLE"),
    ),
}


@pytest.fixture
def database(shared_database: TestDatabase) -> Iterator[TestDatabase]:
    """The module's database with an empty table."""
    shared_database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    yield shared_database
    shared_database.execute("DROP TABLE t")
    dbctl.dispose()


def insert(session: Any, number: int) -> None:
    session.execute(text(f"INSERT INTO t VALUES ({number})"))


def rows(database: TestDatabase) -> list[int]:
    return [number for (number,) in database.execute("SELECT x FROM t ORDER BY x")]


def test_the_profile_s_bounds_and_isolation_are_in_effect(shared_server_database: TestDatabase) -> None:
    query, expected = IN_EFFECT[shared_server_database.kind]
    profile = profile_of(shared_server_database, SETTINGS)

    async def by_async_driver() -> Any:
        engine = build_async_engine(profile)
        async with async_unit_of_work(Connector(engine, backend_of(profile))) as unit:
            found = (await unit.session.execute(text(query))).one()
        await engine.dispose()
        return found

    with engine_of(profile) as engine, unit_of_work(Connector(engine, backend_of(profile))) as unit:
        assert unit.session.execute(text(query)).one() == expected
    assert asyncio.run(by_async_driver()) == expected


LEVEL = {
    "postgresql": "SELECT current_setting('transaction_isolation')",
    "mysql": "SELECT @@transaction_isolation",
    "mariadb": "SELECT @@tx_isolation",
}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_unit_has_an_isolation_level_of_its_own(shared_server_database: TestDatabase, asynchronous: bool) -> None:
    profile = profile_of(shared_server_database, {"pool.size": 1, "pool.max_overflow": 0})

    def level(session: Any) -> str:
        found = session.execute(text(LEVEL[shared_server_database.kind])).scalar_one()
        return str(found).replace("-", " ").lower()

    async def by_async_driver() -> list[str]:
        async with dbctl.async_session(profile, isolation="serializable") as session:
            first = await session.run_sync(level)
        second = await dbctl.async_run(dbctl.in_async(level), profile, isolation="read committed")
        third = await dbctl.async_run(dbctl.in_async(level), profile)
        await dbctl.async_dispose()
        return [first, second, third]

    def by_driver() -> list[str]:
        with dbctl.session(profile, isolation="serializable") as session:
            first = level(session)
        return [first, dbctl.run(level, profile, isolation="read committed"), dbctl.run(level, profile)]

    usual = {"postgresql": "read committed", "mysql": "repeatable read"}[shared_server_database.dialect]
    found = asyncio.run(by_async_driver()) if asynchronous else by_driver()
    assert found == ["serializable", "read committed", usual]
    dbctl.dispose()


def test_on_sqlite_a_level_of_its_own_changes_nothing(database: TestDatabase) -> None:
    profile = profile_of(database)

    def fail(session: Session) -> None:
        insert(session, 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dbctl.run(fail, profile, isolation="read uncommitted")
    assert rows(database) == []


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"retries": -1}, "retries is 0 or more, not -1"),
        ({"deadline": -0.5}, "deadline is 0 or more"),
        ({"isolation": "snapshot"}, "isolation is read uncommitted, .*, not 'snapshot'"),
    ],
)
def test_terms_that_are_none_are_refused(terms: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        dbctl.run(lambda session: None, "testing", **terms)
    with pytest.raises(ValueError, match=error):
        asyncio.run(dbctl.async_run(dbctl.in_async(lambda session: None), "testing", **terms))


@pytest.mark.parametrize("open_unit", [dbctl.session, dbctl.unit_of_work])
def test_a_level_that_is_none_is_refused_in_a_block(open_unit: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="not 'snapshot'"), open_unit("testing", isolation="snapshot"):
        pass


def test_an_async_function_is_refused_where_nobody_would_await_it() -> None:
    async def work(session: Session) -> None:
        raise AssertionError("it is run")

    with pytest.raises(TypeError, match=r"work is an async function: run it with dbctl\.async_run"):
        dbctl.run(work, "testing")  # type: ignore[unused-coroutine]


def commit_and_fail(session: Any) -> None:
    """Commit a row of one's own, and meet what another transaction got in the way of."""
    insert(session, session.scalar(text("SELECT count(*) FROM t")) + 1)
    session.commit()
    raise Contention("others got in the way")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_has_committed_by_itself_is_not_run_again(database: TestDatabase, asynchronous: bool) -> None:
    profile = profile_of(database)

    async def by_async_driver() -> None:
        try:
            await dbctl.async_run(dbctl.in_async(commit_and_fail), profile)
        finally:
            await dbctl.async_dispose()

    with pytest.raises(Contention, match="what the work has committed by itself stays"):
        asyncio.run(by_async_driver()) if asynchronous else dbctl.run(commit_and_fail, profile)
    assert rows(database) == [1]


def commit_in_a_block(session: Any) -> None:
    with session.begin():
        insert(session, 1)


@pytest.mark.parametrize("work", [commit_and_fail, commit_in_a_block])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_dry_run_refuses_to_commit(database: TestDatabase, asynchronous: bool, work: Callable[[Any], None]) -> None:
    profile = profile_of(database)

    async def by_async_driver() -> None:
        try:
            await dbctl.async_run(dbctl.in_async(work), profile, dry_run=True)
        finally:
            await dbctl.async_dispose()

    with pytest.raises(WorkRefused, match="commits by itself, which is refused in a dry run"):
        asyncio.run(by_async_driver()) if asynchronous else dbctl.run(work, profile, dry_run=True)
    assert rows(database) == []


def test_a_dry_run_has_its_savepoints(database: TestDatabase) -> None:
    def work(session: Session) -> int:
        with session.begin_nested():
            insert(session, 1)
        return int(session.execute(text("SELECT count(*) FROM t")).scalar_one())

    assert dbctl.run(work, profile_of(database), dry_run=True) == 1
    assert rows(database) == []


def test_an_engine_is_no_profile() -> None:
    with (
        pytest.raises(TypeError, match="a profile, its name or None, not Engine"),
        dbctl.session(
            dbctl.engine("testing")  # type: ignore[arg-type]
        ),
    ):
        pass


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_unit_that_only_reads_may_not_write(database: TestDatabase, asynchronous: bool) -> None:
    profile = profile_of(database, {"pool.size": 1, "pool.max_overflow": 0})

    async def by_async_driver() -> None:
        try:
            async with dbctl.async_session(profile, writes=False) as session:
                await session.run_sync(insert, 1)
        finally:
            async with dbctl.async_session(profile) as session:  # on the same connection
                await session.run_sync(insert, 2)
            await dbctl.async_dispose()

    def by_driver() -> None:
        try:
            with dbctl.session(profile, writes=False) as session:
                insert(session, 1)
        finally:
            with dbctl.engine(profile).connect() as connection:  # by no unit of work: nobody said that it only reads
                insert(connection, 2)
                connection.commit()

    with pytest.raises(WorkRefused, match=r"(?i)read.?only"):
        asyncio.run(by_async_driver()) if asynchronous else by_driver()
    assert rows(database) == [2]


def test_postgresql_looks_after_its_client_for_the_time_of_the_transaction(postgres_database: TestDatabase) -> None:
    """And no longer, or the next client of a pooler would have it so."""
    assert postgres_database.server
    interval = text("SELECT current_setting('client_connection_check_interval')")
    with PgBouncer(postgres_database.server) as pooler:
        through = {"port": pooler.port, "ssl.mode": "disable"}
        profile = profile_of(postgres_database, through)
        with dbctl.session(profile) as session:
            assert session.execute(interval).scalar() == "500ms"
        with engine_of(profile) as engine, engine.connect() as connection:
            assert connection.execute(interval).scalar() == "0"
        dbctl.dispose()


def test_what_was_done_before_an_error_that_was_passed_over_is_never_half_committed(database: TestDatabase) -> None:
    """PostgreSQL ends the whole transaction at the first error, and answers COMMIT as if nothing were wrong."""
    insert_all(profile_of(database), [1])

    def pass_over() -> None:
        with dbctl.session(profile_of(database)) as session:
            insert(session, 2)
            with pytest.raises(DBAPIError):
                insert(session, 1)

    if database.kind == "postgresql":
        with pytest.raises(Duplicate):
            pass_over()
        assert rows(database) == [1]
    else:
        pass_over()
        assert rows(database) == [1, 2]


def test_what_it_led_to_does_not_hide_an_error_that_was_passed_over(postgres_database: TestDatabase) -> None:
    """PostgreSQL refuses all that follows, and says only that."""
    postgres_database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    insert_all(profile_of(postgres_database), [1])

    def pass_over() -> None:
        with dbctl.session(profile_of(postgres_database)) as session:
            with pytest.raises(DBAPIError):
                insert(session, 1)
            insert(session, 2)

    with pytest.raises(Duplicate):
        pass_over()
    dbctl.dispose()


def test_an_error_caught_around_a_savepoint_is_over(database: TestDatabase) -> None:
    insert_all(profile_of(database), [1])
    with dbctl.session(profile_of(database)) as session:
        insert(session, 2)
        with pytest.raises(DBAPIError), session.begin_nested():
            insert(session, 1)
    assert rows(database) == [1, 2]


def test_a_failed_flush_that_was_passed_over_is_told_as_such(database: TestDatabase) -> None:
    insert_all(profile_of(database), [1])

    def pass_over() -> None:
        with dbctl.session(profile_of(database)) as session:
            session.add(Row(x=1))
            with pytest.raises(DBAPIError):
                session.flush()

    with pytest.raises(WorkRefused):
        pass_over()
    assert rows(database) == [1]


def test_after_a_lock_timeout_nothing_is_committed_though_it_was_passed_over(
    shared_server_database: TestDatabase,
) -> None:
    """MySQL rolls back only the statement then, and would commit what stood before it."""
    database = shared_server_database
    database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    profile = profile_of(database, {"lock_timeout": 0.2})
    engine = create_engine(database.url)

    def pass_over() -> None:
        with dbctl.session(profile) as session:
            insert(session, 2)
            with pytest.raises(DBAPIError):
                insert(session, 1)

    try:
        with engine.connect() as other:
            insert(other, 1)
            with pytest.raises(OutOfTime):
                pass_over()
        assert rows(database) == []
    finally:
        dbctl.dispose()
        engine.dispose()
        database.execute("DROP TABLE t")


def insert_all(profile: Profile, numbers: list[int]) -> None:
    with dbctl.session(profile) as session:
        for number in numbers:
            insert(session, number)


def changing(database: TestDatabase, runs: list[int], disturbed: int) -> Any:
    """Return a unit of work that another transaction gets in the way of, the first so many times."""
    other = create_engine(database.url)

    def change(session: Session) -> int:
        session.execute(text("SELECT x FROM t WHERE x = 1")).one()
        runs.append(len(runs) + 1)
        if len(runs) <= disturbed:
            with other.begin() as connection:
                connection.execute(text("UPDATE t SET y = y + 10 WHERE x = 1"))
        session.execute(text("UPDATE t SET y = y + 1 WHERE x = 1"))
        return len(runs)

    return change


@pytest.fixture
def contended(postgres_database: TestDatabase) -> Iterator[TestDatabase]:
    postgres_database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y INTEGER)")
    postgres_database.execute("INSERT INTO t VALUES (1, 0)")
    yield postgres_database
    dbctl.dispose()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_others_got_in_the_way_of_is_run_again_whole(contended: TestDatabase, asynchronous: bool) -> None:
    profile, runs = profile_of(contended, {"isolation": "serializable"}), list[int]()
    change = changing(contended, runs, disturbed=2)

    async def by_async_driver() -> int:
        found: int = await dbctl.async_run(dbctl.in_async(change), profile)
        await dbctl.async_dispose()
        return found

    assert (asyncio.run(by_async_driver()) if asynchronous else dbctl.run(change, profile)) == 3
    assert contended.execute("SELECT y FROM t") == [(21,)]


def test_it_is_run_again_no_more_often_than_was_said(contended: TestDatabase) -> None:
    runs = list[int]()
    change = changing(contended, runs, disturbed=9)
    with pytest.raises(dbctl.DbctlError, match=r"could not serialize .*, 3 times in a row"):
        dbctl.run(change, profile_of(contended, {"isolation": "serializable"}), retries=2)
    assert runs == [1, 2, 3]
    assert contended.execute("SELECT y FROM t") == [(30,)]
