"""`init-tables` cut off between two tables: nothing is left, or what MariaDB keeps, and a further run completes.

What the database itself refuses halfway is tested with the command.
"""

import os
import signal
from collections.abc import Mapping

import pytest
import sqlalchemy as sa

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.errors import DbctlError
from dbctl.tables.changes import create_missing
from dbctl.work.sessions import unit_of_work
from tests.faults.killing import PATIENCE, after_statement, killed_after, until
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked, of_tests
from tests.harness.profile import engine_of, profile_of
from tests.harness.soak import SOAK

TABLES = [f"part_{number}" for number in range(10)]
METADATA = sa.MetaData()
for name in TABLES:
    sa.Table(name, METADATA, sa.Column("id", sa.Integer, primary_key=True))
MODULE = """
import sqlalchemy as sa
metadata = sa.MetaData()
for number in range(10):
    sa.Table(f"part_{number}", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""
INIT_TABLES = ["init-tables", "--models", "models"]
CREATE = "CREATE TABLE"
CUTS = range(1, 11) if SOAK else (1, 5, 10)
LOCKS = {
    "postgresql": "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    " WHERE l.locktype = 'advisory' AND d.datname = %s",
    "mysql": "SELECT IS_USED_LOCK(CONCAT('dbctl:ddl:', %s)) IS NOT NULL",
}


def found(database: TestDatabase) -> list[str]:
    engine = sa.create_engine(database.url)
    try:
        return sorted(sa.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def kept(database: TestDatabase, created: int) -> list[str]:
    """Return what is to be found after so many tables were created and the run was cut off."""
    return TABLES[:created] if database.dialect == "mysql" else []


@pytest.fixture
def quick(dbctl: Dbctl, database: TestDatabase) -> Dbctl:
    return with_models(dbctl, database)


def with_models(dbctl: Dbctl, database: TestDatabase) -> Dbctl:
    (dbctl.cwd / "models.py").write_text(MODULE)
    return forked(dbctl, database)


def a_further_run_completes(quick: Dbctl, database: TestDatabase) -> bool:
    there = found(database)
    states: Mapping[str, str] = {
        row["table"]: row["state"] for row in quick.ok(*INIT_TABLES, "--json", timeout=20).json
    }
    return found(database) == TABLES and all(
        states[name] == ("exists" if name in there else "created") for name in TABLES
    )


def lock_is_free(database: TestDatabase) -> bool:
    if not database.server:
        return database.execute("BEGIN IMMEDIATE") == []
    return database.server.execute(LOCKS[database.dialect], [database.name]) == [(0,)]


@pytest.mark.parametrize("created", CUTS)
def test_a_kill_dash_9_between_two_tables_leaves_no_lock_and_a_further_run_completes(
    quick: Forked, database: TestDatabase, created: int
) -> None:
    with after_statement(created, lambda _: os.kill(os.getpid(), signal.SIGKILL), CREATE):
        result = of_tests(quick)(*INIT_TABLES)
    assert (result.code, result.out) == (-signal.SIGKILL, ""), str(result)
    until(lambda: lock_is_free(database), "the lock stays")
    assert found(database) == kept(database, created)
    assert a_further_run_completes(quick, database)


@pytest.mark.parametrize("created", CUTS)
def test_a_backend_killed_between_two_tables_is_told_in_a_line_and_a_further_run_completes(
    dbctl: Dbctl, server_database: TestDatabase, created: int
) -> None:
    quick = with_models(dbctl, server_database)
    with killed_after(server_database, created, CREATE):
        result = of_tests(quick)(*INIT_TABLES)
    assert (result.code, result.out, result.talk.count("\n")) == (4, "", 1), str(result)
    assert result.talk.startswith("dbctl: error: ")
    assert "the connection was lost" in result.talk
    assert lock_is_free(server_database)
    assert found(server_database) == kept(server_database, created)
    assert a_further_run_completes(quick, server_database)


def test_a_server_that_crashes_between_two_tables_keeps_none_or_those_that_it_had_made(
    dbctl: Dbctl, server_database: TestDatabase
) -> None:
    server = server_database.server
    assert server
    profile = profile_of(server_database)
    with engine_of(profile) as engine, after_statement(5, lambda _: server.restart("immediate"), CREATE):
        with (
            pytest.raises(DbctlError) as caught,
            unit_of_work(Connector(engine, backend_of(profile)), strict=True) as unit,
        ):
            create_missing(unit, [METADATA])
        assert "\n" not in str(caught.value)
    assert found(server_database) == kept(server_database, 5)
    assert a_further_run_completes(with_models(dbctl, server_database), server_database)


ASLEEP = """
from pathlib import Path
@sa.event.listens_for(metadata.tables["part_2"], "after_create")
def sleep(_table, connection, **_):
    Path("asleep").touch()
    connection.exec_driver_sql("SELECT pg_sleep(60)" if connection.dialect.name == "postgresql" else "SELECT SLEEP(60)")
"""


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_what_stays_is_named_too_of_a_run_that_does_not_answer(dbctl: Dbctl, database: TestDatabase) -> None:
    quick = with_models(dbctl, database)
    with (dbctl.cwd / "models.py").open("a") as file:
        file.write(
            '@sa.event.listens_for(metadata.tables["part_2"], "after_create")\n'
            "def sleep(_table, _connection, **_):\n    import time\n    time.sleep(30)\n"
        )
    result = quick(*INIT_TABLES, "--deadline", "3")
    assert (result.code, result.talk.count("\n")) == (5, 1), str(result)
    assert result.talk.endswith("commits DDL by itself, so what was created stays: part_0, part_1, part_2\n")
    assert found(database) == kept(database, 3)


@pytest.mark.parametrize("ended_by", ["signal", "deadline"])
def test_what_stays_of_a_run_that_is_ended_is_named(dbctl: Dbctl, server_database: TestDatabase, ended_by: str) -> None:
    quick = with_models(dbctl, server_database)
    with (dbctl.cwd / "models.py").open("a") as file:
        file.write(ASLEEP)
    if ended_by == "signal":
        with quick.popen(*INIT_TABLES) as run:
            until((dbctl.cwd / "asleep").exists, "it never slept")
            run.send_signal(signal.SIGINT)
            _, err = run.communicate(timeout=PATIENCE)
        code = run.returncode
    else:
        result = quick(*INIT_TABLES, "--deadline", "3")
        code, err = result.code, result.err
    assert code == (130 if ended_by == "signal" else 5), err
    assert found(server_database) == kept(server_database, 3)
    if server_database.dialect == "mysql":
        assert "commits DDL by itself, so what was created stays: part_0, part_1, part_2\n" in err
    else:
        assert "stays" not in err
    (dbctl.cwd / "models.py").write_text(MODULE)
    assert a_further_run_completes(quick, server_database)
