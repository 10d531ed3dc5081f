"""The six rules of a session's life hold by construction, on every database.

Always in a context manager; one session a unit of work; an explicit commit; complete after it; short transactions;
rolled back on an error. The last one has a file of its own beside this one.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import DateTime, Engine, FetchedValue, create_engine, event, func, text
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, select

import dbctl
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.work.sessions import unit_of_work
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of, profile_of


class Scratch(SQLModel, registry=registry()):
    """Base of this file's table, away from every other's."""


class Gadget(Scratch, table=True):
    """A row of which the database makes half: id, state, time of birth and of change."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=40)
    state: str | None = Field(default=None, max_length=40, sa_column_kwargs={"server_default": "new"})
    born: datetime | None = Field(default=None, sa_type=DateTime, sa_column_kwargs={"server_default": func.now()})
    changes: int | None = Field(default=0, sa_column_kwargs={"onupdate": text("changes + 1")})
    doubled: int | None = Field(default=None, sa_column_kwargs={"server_onupdate": FetchedValue()})


def test_a_profile_will_do_for_a_connector(database: TestDatabase) -> None:
    try:
        with dbctl.unit_of_work(profile_of(database)) as unit:
            unit.session.add(Gadget(name="by profile"))
        assert database.execute("SELECT name FROM gadget") == [("by profile",)]
    finally:
        dbctl.dispose()


@pytest.fixture
def database(shared_database: TestDatabase) -> TestDatabase:
    """The module's database with the table, which is empty."""
    engine = create_engine(shared_database.url)
    Scratch.metadata.drop_all(engine)
    Scratch.metadata.create_all(engine)
    engine.dispose()
    return shared_database


@pytest.fixture
def engine(database: TestDatabase) -> Iterator[Engine]:
    with engine_of(profile_of(database, {"pool.size": 2})) as engine:
        yield engine


@pytest.fixture
def unit(engine: Engine, database: TestDatabase) -> Any:
    """Begin a unit of work on the test's engine."""
    backend = backend_of(profile_of(database))
    return lambda **options: unit_of_work(Connector(engine, backend), **options)


def names(database: TestDatabase) -> list[str]:
    return [name for (name,) in database.execute("SELECT name FROM gadget ORDER BY id")]


def open_transactions(database: TestDatabase) -> int:
    """Ask the server how many transactions are open in the database."""
    assert database.server
    sql = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state <> 'idle'",
        "mysql": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
        " ON p.id = t.trx_mysql_thread_id WHERE p.db = %s",
    }
    # InnoDB shows what it knew a tenth of a second ago to whoever asks more often.
    time.sleep(0.11 if database.dialect == "mysql" else 0)
    [(count,)] = database.server.execute(sql[database.dialect], [database.name])
    return int(count)


# --- 1. always in a context manager -----------------------------------------------------------------------------------


def test_no_connection_is_out_after_a_unit(unit: Any, engine: Engine) -> None:
    pool: Any = engine.pool
    with unit() as opened:
        opened.session.add(Gadget(name="compass"))
        opened.session.flush()
        assert pool.checkedout() == 1
    assert pool.checkedout() == 0


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_no_connection_is_out_after_a_unit_that_raised(unit: Any, engine: Engine, error: type[BaseException]) -> None:
    def fail() -> None:
        with unit() as opened:
            opened.session.add(Gadget(name="compass"))
            opened.session.flush()
            raise error

    with pytest.raises(error):
        fail()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_session_that_outlives_its_unit_holds_nothing(unit: Any, engine: Engine) -> None:
    with unit() as opened:
        gadget = Gadget(name="compass")
        opened.session.add(gadget)
    assert gadget not in opened.session
    assert not opened.session.in_transaction()


# --- 2. one session a unit of work ------------------------------------------------------------------------------------


def test_each_unit_has_a_session_of_its_own(unit: Any) -> None:
    with unit() as one, unit(writes=False) as other:
        assert one.session is not other.session
    with unit() as third:
        assert third.session is not one.session
        assert list(third.session.identity_map) == []


def test_a_unit_works_in_one_transaction_on_one_connection(unit: Any, engine: Engine) -> None:
    begun: list[object] = []
    event.listen(engine, "begin", begun.append)
    with unit() as opened:
        for name in ("compass", "sextant"):
            opened.session.add(Gadget(name=name))
            opened.session.flush()
            opened.session.exec(select(Gadget)).all()
    assert len(begun) == 1


# --- 3. an explicit commit --------------------------------------------------------------------------------------------


def test_nothing_is_seen_before_the_unit_ends_and_all_of_it_after(unit: Any, database: TestDatabase) -> None:
    with unit() as opened:
        opened.session.add_all([Gadget(name="compass"), Gadget(name="sextant")])
        opened.session.flush()
        assert names(database) == []
    assert names(database) == ["compass", "sextant"]


def test_what_was_not_flushed_is_committed_too(unit: Any, database: TestDatabase) -> None:
    with unit() as opened:
        opened.session.add(Gadget(name="compass"))
    assert names(database) == ["compass"]


def test_a_dry_run_does_all_and_leaves_nothing(unit: Any, database: TestDatabase) -> None:
    gadget = Gadget(name="compass")
    with unit(dry_run=True) as opened:
        assert opened.dry_run
        opened.session.add(gadget)
    assert gadget.id is not None
    assert names(database) == []


# --- 4. complete after it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_the_database_made_is_there_after_the_unit_without_a_query(
    unit: Any, engine: Engine, dry_run: bool
) -> None:
    new, old = Gadget(name="compass"), Gadget(name="sextant")
    with unit() as opened:
        opened.session.add(old)
    with unit(dry_run=dry_run) as opened:
        opened.session.add(new)
        changed = opened.session.get(Gadget, old.id)
        changed.name = "quadrant"
    statements: list[object] = []
    event.listen(engine, "before_cursor_execute", statements.append)
    assert (new.id, new.name, new.state, new.changes) == (2, "compass", "new", 0)
    assert isinstance(new.born, datetime)
    assert (changed.name, changed.changes, changed.doubled) == ("quadrant", 1, None)
    assert statements == []


def test_a_row_that_the_unit_itself_removed_is_no_obstacle(unit: Any, database: TestDatabase) -> None:
    with unit() as opened:
        gadget = Gadget(name="compass")
        opened.session.add(gadget)
        opened.session.flush()
        opened.session.execute(text("DELETE FROM gadget"))
        opened.session.expire(gadget)
    assert names(database) == []


def test_no_statement_follows_the_commit(unit: Any, engine: Engine) -> None:
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, statement, *_rest: said.append(statement))
    event.listen(engine, "commit", lambda _c: said.append("COMMIT"))
    with unit() as opened:
        opened.session.add(Gadget(name="compass"))
    assert said[-1] == "COMMIT"


# --- 5. short transactions --------------------------------------------------------------------------------------------


def test_nothing_is_begun_before_the_first_statement(unit: Any, engine: Engine) -> None:
    with unit():
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("dry_run", [False, True])
def test_no_transaction_is_open_at_the_server_after_a_unit(unit: Any, database: TestDatabase, dry_run: bool) -> None:
    with unit(dry_run=dry_run) as opened:
        opened.session.add(Gadget(name="compass"))
        opened.session.flush()
        assert database.kind == "sqlite" or open_transactions(database) == 1
    if database.kind == "sqlite":
        database.execute("BEGIN IMMEDIATE")  # takes the one write lock there is
    else:
        assert open_transactions(database) == 0


# --- the library's own door -------------------------------------------------------------------------------------------


def test_the_librarys_session_commits_and_rolls_back_as_the_commands_do(
    database: TestDatabase, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profiles.toml").write_text(database.toml, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, value in database.env.items():
        monkeypatch.setenv(name, value)

    def add(name: str, error: Exception | None = None) -> None:
        with dbctl.session(database.profile) as session:
            assert isinstance(session, Session)
            session.add(Gadget(name=name))
            if error:
                raise error

    try:
        add("compass")
        with pytest.raises(ValueError, match="no such luck"):
            add("sextant", ValueError("no such luck"))
    finally:
        dbctl.dispose()
    assert names(database) == ["compass"]
