"""`dbctl drift`: what it shows, what it exits with, what it leaves alone."""

import sqlite3
import sys
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked

MODELS = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
class Ship(Base):
    __tablename__ = "ship"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String({length}), index=True)
    active: Mapped[bool] = mapped_column(server_default=sa.true(){more})
    kind: Mapped[str | None] = mapped_column(sa.Enum("old", "new", name="kind"))
"""


def write(directory: Path, length: int = 50, more: str = "") -> None:
    (directory / "fleet.py").write_text(MODELS.format(length=length, more=more))


@pytest.fixture
def created(quick: Dbctl) -> Dbctl:
    """Dbctl where the models' tables were created."""
    write(quick.cwd)
    quick.ok("init-tables", "--models", "fleet")
    return quick


def test_without_drift_nothing_is_shown_and_the_exit_code_is_0(created: Dbctl) -> None:
    result = created("drift", "--models", "fleet")
    assert (result.code, result.json if result.out.strip() else "") == (0, ""), str(result)
    assert "no drift in 1 table" in result.err
    assert created.ok("drift", "--models", "fleet", "--json").json == []


def test_drift_is_told_field_by_field_and_the_exit_code_is_6(created: Dbctl) -> None:
    write(created.cwd, length=600)  # of another size, by which Python sees that the file is another
    result = created("drift", "--models", "fleet", "--json")
    assert result.code == 6
    assert result.json == [
        {
            "table": "ship",
            "part": "column name, type",
            "drift": "differs",
            "models": "VARCHAR(600)",
            "database": "VARCHAR(50)",
        }
    ]
    assert result.talk.endswith(": 1 difference between models and database\n")


def test_a_default_of_pythons_is_no_drift(created: Dbctl) -> None:
    write(created.cwd, more=", default=False, onupdate=True")
    created.ok("drift", "--models", "fleet")


def test_others_tables_are_extra_unless_they_are_ignored(created: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE celery_task (id INTEGER)")
    database.execute("CREATE TABLE celery_result (id INTEGER)")
    database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    database.execute("CREATE TABLE dbctl_copy (source VARCHAR(9))")
    result = created("drift", "--models", "fleet", "--json")
    assert (result.code, {(row["table"], row["part"], row["drift"]) for row in result.json}) == (
        6,
        {("celery_task", "table", "extra"), ("celery_result", "table", "extra")},
    )
    assert created("drift", "--models", "fleet", "--ignore", "celery_task").code == 6
    created.ok("drift", "--models", "fleet", "--ignore", "celery_*")
    created.ok("drift", "--models", "fleet", "--ignore", "celery_task", "--ignore", "*_result")


def test_a_models_table_can_be_ignored_too(created: Dbctl) -> None:
    write(created.cwd, length=60)
    created.ok("drift", "--models", "fleet", "--ignore", "ship")


def test_a_view_in_a_tables_place_is_no_drift_and_is_told(created: Dbctl, database: TestDatabase) -> None:
    database.execute("ALTER TABLE ship RENAME TO vessel")
    database.execute("CREATE VIEW ship AS SELECT * FROM vessel")
    result = created("drift", "--models", "fleet", "--ignore", "vessel")
    assert result.code == 0, str(result)
    assert "ship: not compared, since it is a view" in result.err


def test_the_statements_are_shown_and_none_is_run(created: Dbctl) -> None:
    write(created.cwd, length=600)
    before = created("drift", "--models", "fleet", "--json")
    result = created("drift", "--models", "fleet", "--sql")
    assert result.code == 6
    assert "VARCHAR(600)" in result.out
    assert result.out.rstrip().endswith(";")
    assert created("drift", "--models", "fleet", "--json").json == before.json


def test_of_a_database_without_tables_all_are_missing(quick: Dbctl, database: TestDatabase) -> None:
    write(quick.cwd)
    if database.kind == "sqlite":
        sqlite3.connect(database.name).close()
    result = quick("drift", "--models", "fleet", "--json")
    assert result.code == 6, str(result)
    assert {"ship"} <= {row["table"] for row in result.json} <= {"ship", "kind"}
    assert {row["drift"] for row in result.json} == {"missing"}


def test_nothing_is_left_of_what_was_compared_with(created: Dbctl, database: TestDatabase) -> None:
    write(created.cwd, length=60)
    if database.kind != "postgresql":
        return
    created("drift", "--models", "fleet")
    assert database.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == [(0,)]


def test_where_no_temporary_table_can_be_made_words_are_compared(dbctl: Dbctl, postgres_database: TestDatabase) -> None:
    run = forked(dbctl, postgres_database)
    write(run.cwd)
    run.ok("init-tables", "--models", "fleet")
    assert postgres_database.server
    postgres_database.server.execute(
        f'ALTER DATABASE "{postgres_database.name}" SET default_transaction_read_only = on'
    )
    run.ok("drift", "--models", "fleet")
    write(run.cwd, length=60)
    result = run("drift", "--models", "fleet", "--json")
    assert (result.code, [row["part"] for row in result.json]) == (6, ["column name, type"]), str(result)
    assert result.err.count("not made as a temporary table") == 1


def test_partitions_are_not_told(dbctl: Dbctl, postgres_database: TestDatabase) -> None:
    run = forked(dbctl, postgres_database)
    write(run.cwd)
    run.ok("init-tables", "--models", "fleet")
    postgres_database.execute("CREATE TABLE log (day date) PARTITION BY RANGE (day)")
    postgres_database.execute("CREATE TABLE log_2024 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')")
    result = run("drift", "--models", "fleet", "--json")
    assert [row["table"] for row in result.json] == ["log"]


def test_one_default_written_in_two_ways_is_no_difference_nor_is_alembics_table_in_a_schema(
    dbctl: Dbctl, postgres_database: TestDatabase
) -> None:
    run = forked(dbctl, postgres_database)
    (run.cwd / "own.py").write_text(
        "from sqlalchemy import Column, DateTime, Integer, MetaData, Table, func\n"
        "born = Column('born', DateTime(timezone=True), server_default=func.now())\n"
        "t = Table('t', MetaData(), Column('id', Integer, primary_key=True), born, schema='acme')\n"
    )
    for statement in (
        "CREATE SCHEMA acme",
        "CREATE TABLE acme.t (id serial PRIMARY KEY, born timestamptz DEFAULT (CURRENT_TIMESTAMP))",
        "CREATE TABLE acme.alembic_version (version_num varchar(32) PRIMARY KEY)",
    ):
        postgres_database.execute(statement)
    run.ok("drift", "--models", "own")
    postgres_database.execute("ALTER TABLE acme.t ALTER born SET DEFAULT statement_timestamp()")
    result = run("drift", "--models", "own", "--json")
    assert (result.code, [row["part"] for row in result.json]) == (6, ["column born, default"]), str(result)


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_of_a_type_that_sqlalchemy_does_not_know_nothing_is_warned(on_database: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE thing (id integer PRIMARY KEY, place point NOT NULL)")
    result = on_database("drift")
    assert (result.code, "thing" in result.out, "SAWarning" in result.err) == (6, True, False), str(result)


def test_a_table_declared_twice_is_an_error_of_the_models(created: Dbctl) -> None:
    write(created.cwd)
    (created.cwd / "other.py").write_text((created.cwd / "fleet.py").read_text())
    result = created("drift", "--models", "fleet", "--models", "other")
    assert (result.code, result.talk.count("\n")) == (3, 1), str(result)
    assert "ship: declared by more than one MetaData" in result.err


def test_without_alembic_it_says_what_to_install(installed: Dbctl) -> None:
    write(installed.cwd)
    (installed.cwd / "alembic.py").write_text("raise ImportError('alembic')")
    (installed.cwd / "empty.db").touch()
    run = installed.with_env(PYTHONPATH=f"{installed.cwd}:{sys.path[0]}")
    result = run("--url", "sqlite:///empty.db", "drift", "--models", "fleet")
    assert result.code == 3, str(result)
    assert "alembic 1.18 or newer is not installed; pip install" in result.err
    assert "[migrate]" in result.err
