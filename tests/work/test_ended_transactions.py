"""A transaction that SQLite has ended by itself, or a statement of the unit's, is noticed, and nothing is committed."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from dbctl.errors import WorkRefused
from tests.faults.units import Units, insert, units
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of

OR_ROLLBACK = "INSERT OR ROLLBACK INTO t VALUES (1)"


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def bench(request: pytest.FixtureRequest, sqlite_database: TestDatabase) -> Iterator[Units]:
    sqlite_database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    sqlite_database.execute("INSERT INTO t VALUES (1)")
    with units(profile_of(sqlite_database), request.param) as bench:
        yield bench


def by_session(session: Session) -> None:
    with contextlib.suppress(Exception):
        session.execute(text(OR_ROLLBACK))


def by_savepoint(session: Session) -> None:
    with contextlib.suppress(Exception), session.begin_nested():
        session.execute(text(OR_ROLLBACK))


def raw(session: Session) -> Any:
    return session.connection().connection.cursor()


def by_raw_cursor(session: Session) -> None:
    with contextlib.suppress(Exception):
        raw(session).execute(OR_ROLLBACK)


def by_own_statement(session: Session) -> None:
    session.execute(text("ROLLBACK"))


ENDS = pytest.mark.parametrize("end", [by_session, by_savepoint, by_raw_cursor, by_own_statement])


@ENDS
@pytest.mark.parametrize("follows", ["nothing", "insert", "raw insert", "swallowed insert"])
def test_nothing_is_committed_after_it(
    bench: Units, sqlite_database: TestDatabase, end: Callable[[Session], None], follows: str
) -> None:
    def work(session: Session) -> None:
        insert(session, 2)
        end(session)
        match follows:
            case "insert":
                insert(session, 3)
            case "raw insert":
                raw(session).execute("INSERT INTO t VALUES (3)")
            case "swallowed insert":
                with contextlib.suppress(Exception):
                    insert(session, 3)

    with pytest.raises(WorkRefused):
        bench.run(work)
    assert sqlite_database.execute("SELECT x FROM t") == [(1,)]
    bench.run(lambda session: insert(session, 9))
    assert sqlite_database.execute("SELECT x FROM t") == [(1,), (9,)]


def test_a_script_that_would_commit_the_half_is_refused(bench: Units, sqlite_database: TestDatabase) -> None:
    def work(session: Session) -> None:
        insert(session, 2)
        driver: Any = session.connection().connection.cursor()
        if hasattr(driver, "executescript"):
            driver.executescript("INSERT INTO t VALUES (3)")
        else:
            session.connection().connection.dbapi_connection.run_async(  # type: ignore[union-attr]
                lambda connection: connection.executescript("INSERT INTO t VALUES (3)")
            )

    with pytest.raises(WorkRefused, match="executescript would first commit"):
        bench.run(work)
    assert sqlite_database.execute("SELECT x FROM t") == [(1,)]


def test_what_was_undone_to_a_savepoint_goes_on(bench: Units, sqlite_database: TestDatabase) -> None:
    def work(session: Session) -> None:
        with contextlib.suppress(Exception), session.begin_nested():
            insert(session, 1)
        insert(session, 2)

    bench.run(work)
    assert sqlite_database.execute("SELECT x FROM t") == [(1,), (2,)]
