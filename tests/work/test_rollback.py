"""Whatever goes wrong in a unit of work, all of it is rolled back, and the error tells what it was."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.errors import Conflict, ConnectError, DbctlError, NotFound, OutcomeUnknown, WorkRefused
from dbctl.work.sessions import unit_of_work
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of, profile_of

Work = Callable[[Session], object]


class Bench:
    """A database with the table `t`, whose one row is 1, and units of work on it."""

    def __init__(self, database: TestDatabase, engine: Engine) -> None:
        self.database = database
        self.engine = engine
        self.backend = backend_of(profile_of(database))
        for table in ("later", "t"):
            database.execute(f"DROP TABLE IF EXISTS {table}")
        database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO t VALUES (1)")

    def run(self, work: Work) -> None:
        with unit_of_work(Connector(self.engine, self.backend)) as unit:
            work(unit.session)

    @property
    def rows(self) -> list[int]:
        return [x for (x,) in self.database.execute("SELECT x FROM t ORDER BY x")]

    def is_as_before(self) -> bool:
        """Tell whether nothing is left of a unit that failed, and the next one works."""
        assert self.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert self.rows == [1]
        self.run(lambda session: insert(session, 9))
        return self.rows == [1, 9]

    def kill(self, session: Session) -> None:
        """End the session's connection at the server."""
        assert self.database.server
        connection: Any = session.connection().connection.driver_connection
        if self.database.kind == "postgresql":
            self.database.server.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        else:
            self.database.server.execute(f"KILL {connection.thread_id():d}")


def insert(session: Session, value: int | None) -> None:
    session.execute(text("INSERT INTO t VALUES (:value)"), {"value": value})


@pytest.fixture
def bench(shared_database: TestDatabase) -> Iterator[Bench]:
    with engine_of(profile_of(shared_database)) as engine:
        yield Bench(shared_database, engine)


@pytest.fixture
def server_bench(shared_server_database: TestDatabase) -> Iterator[Bench]:
    with engine_of(profile_of(shared_server_database)) as engine:
        yield Bench(shared_server_database, engine)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), NotFound("nobody")])
def test_what_the_block_raises_rolls_back_and_passes_through(bench: Bench, error: BaseException) -> None:
    def work(session: Session) -> None:
        insert(session, 2)
        raise error

    with pytest.raises(type(error)) as caught:
        bench.run(work)
    assert caught.value is error
    assert bench.is_as_before()


def test_a_failing_statement_rolls_back_what_went_before_it(bench: Bench) -> None:
    def work(session: Session) -> None:
        insert(session, 2)
        insert(session, 1)

    with pytest.raises(Conflict):
        bench.run(work)
    assert bench.is_as_before()


@pytest.mark.parametrize("shared_database", ["sqlite", "postgresql"], indirect=True)  # MySQL goes on after an error
def test_a_raw_cursor_s_error_that_was_passed_over_rolls_back(bench: Bench) -> None:
    statement = {"sqlite": "INSERT OR ROLLBACK INTO t VALUES (1)"}.get(bench.database.kind, "INSERT INTO t VALUES (1)")

    def work(session: Session) -> None:
        insert(session, 2)
        with contextlib.suppress(Exception):
            session.connection().connection.cursor().execute(statement)

    with pytest.raises(WorkRefused):
        bench.run(work)
    assert bench.is_as_before()


def test_a_failing_flush_at_the_end_rolls_back(bench: Bench) -> None:
    class Row(SQLModel, registry=registry()):
        pass

    class One(Row, table=True):
        __tablename__ = "t"
        x: int = Field(primary_key=True)

    def work(session: Session) -> None:
        insert(session, 2)
        session.add(One(x=1))

    with pytest.raises(Conflict):
        bench.run(work)
    assert bench.is_as_before()


@pytest.mark.parametrize("shared_database", ["sqlite", "postgresql"], indirect=True)  # MariaDB's constraints don't wait
def test_a_failing_commit_rolls_back(bench: Bench) -> None:
    bench.database.execute(
        "CREATE TABLE later (x INTEGER PRIMARY KEY, t INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED)"
    )

    def work(session: Session) -> None:
        insert(session, 2)
        session.execute(text("INSERT INTO later VALUES (1, 7)"))

    with pytest.raises(Conflict):
        bench.run(work)
    assert bench.database.execute("SELECT * FROM later") == []
    assert bench.is_as_before()


def test_an_error_is_translated_once_and_keeps_its_cause(bench: Bench) -> None:
    with pytest.raises(Conflict) as caught:
        bench.run(lambda session: insert(session, 1))
    cause = caught.value.__cause__
    assert isinstance(cause, IntegrityError)
    assert str(cause.orig)
    assert not isinstance(caught.value.__context__, DbctlError)


def test_an_error_that_was_dealt_with_in_the_block_is_none(bench: Bench) -> None:
    def work(session: Session) -> None:
        with pytest.raises(IntegrityError), session.begin_nested():
            insert(session, 1)
        insert(session, 2)

    bench.run(work)
    assert bench.rows == [1, 2]


def test_a_connection_lost_in_the_block_is_no_connection_and_the_next_unit_has_another(server_bench: Bench) -> None:
    def work(session: Session) -> None:
        insert(session, 2)
        server_bench.kill(session)
        insert(session, 3)

    with pytest.raises(ConnectError) as caught:
        server_bench.run(work)
    assert "\n" not in str(caught.value)
    assert server_bench.is_as_before()


@pytest.mark.parametrize("error", [ValueError("first"), KeyboardInterrupt("first")])
def test_a_rollback_that_fails_hides_nothing_of_the_first_error(server_bench: Bench, error: BaseException) -> None:
    def work(session: Session) -> None:
        insert(session, 2)
        server_bench.kill(session)
        raise error

    with pytest.raises(type(error), match="first") as caught:
        server_bench.run(work)
    assert caught.value is error
    assert server_bench.is_as_before()


def test_a_rollback_that_fails_leaves_the_first_error_translated(server_bench: Bench) -> None:
    def work(session: Session) -> None:
        try:
            insert(session, 1)
        except IntegrityError:
            server_bench.kill(session)
            raise

    with pytest.raises(Conflict):
        server_bench.run(work)
    assert server_bench.is_as_before()


def test_a_connection_lost_before_the_commit_leaves_the_outcome_unknown(server_bench: Bench) -> None:
    def work(session: Session) -> None:
        insert(session, 2)
        server_bench.kill(session)

    with pytest.raises(OutcomeUnknown, match="lost during COMMIT"):
        server_bench.run(work)
    assert server_bench.is_as_before()
