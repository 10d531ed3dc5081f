"""`dbctl init-tables` where databases differ: schemas, types, and what is left when DDL fails halfway."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked

HEAD = """
from enum import Enum
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
class Color(Enum):
    red = "red"
    blue = "blue"
"""
TABLE = """
class {name}(Base):
    __tablename__ = "{lower}"
    id: Mapped[int] = mapped_column(primary_key=True)
    {more}
"""


def models(directory: Path, **columns: str) -> None:
    """Write a module with a table for each name, with these columns beside the id."""
    tables = [TABLE.format(name=name.title(), lower=name, more=more) for name, more in columns.items()]
    (directory / "models.py").write_text(HEAD + "".join(tables))


def tables(database: TestDatabase, schema: str | None = None) -> set[str]:
    engine = create_engine(database.url)
    try:
        return set(inspect(engine).get_table_names(schema))
    finally:
        engine.dispose()


BROKEN = '__table_args__ = (sa.CheckConstraint("id >"),)'


def test_ddl_that_fails_halfway_leaves_nothing_or_says_what_stayed(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, alpha="", beta=BROKEN, gamma="")
    result = quick("init-tables", "--models", "models")
    assert (result.code, result.out) == (1, ""), str(result)
    assert result.talk.startswith("dbctl: error: ")
    assert result.talk.count("\n") == 1
    if database.dialect != "mysql":
        assert tables(database) == set()
        return
    title = {"mariadb": "MariaDB", "mysql": "MySQL"}[database.kind]
    assert f"{title} commits DDL by itself, so what was created stays: alpha; when it is mended" in result.err
    assert result.err.endswith("a further run creates the rest\n")
    assert tables(database) == {"alpha"}


def test_a_further_run_creates_the_rest(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, alpha="", beta=BROKEN, gamma="")
    quick("init-tables", "--models", "models")
    models(quick.cwd, alpha="", beta="", gamma="")
    rows = quick.ok("init-tables", "--models", "models", "--json").json
    assert {row["table"]: row["state"] for row in rows} == {
        "alpha": "exists" if database.dialect == "mysql" else "created",
        "beta": "created",
        "gamma": "created",
    }
    assert tables(database) == {"alpha", "beta", "gamma"}


def test_a_dry_run_of_ddl_that_fails_says_so_where_it_can_be_tried(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, alpha="", beta=BROKEN)
    result = quick("init-tables", "--models", "models", "--dry-run")
    assert result.code == (0 if database.dialect == "mysql" else 1)
    assert tables(database) == set()


def test_a_model_that_the_dialect_can_not_express_is_an_error_of_the_model(
    quick: Dbctl, database: TestDatabase
) -> None:
    """The commonest case is a text without a length, which MySQL needs and the others do not."""
    models(quick.cwd, alpha="", beta="word: Mapped[str]")
    for args in (("--dry-run",), ()):
        result = quick("init-tables", "--models", "models", *args)
        if database.dialect != "mysql":
            assert result.code == 0
            continue
        assert result.code in {1, 3}, str(result)
        assert "VARCHAR requires a length" in result.err
        assert result.talk.count("\n") == 1
        assert all(stayed in result.err for stayed in tables(database))


def test_an_enum_is_created_on_every_database(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, alpha="color: Mapped[Color]", beta="color: Mapped[Color]")
    for state in ("created", "exists"):
        rows = quick.ok("init-tables", "--models", "models", "--json").json
        assert [row["state"] for row in rows] == [state, state]
    database.execute("INSERT INTO alpha (id, color) VALUES (1, 'red')")


def test_a_table_of_a_type_that_is_there_already_is_created(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, alpha="color: Mapped[Color]")
    quick.ok("init-tables", "--models", "models")
    models(quick.cwd, alpha="color: Mapped[Color]", beta="color: Mapped[Color]")
    dry = quick.ok("init-tables", "--models", "models", "--dry-run")
    for statement in filter(str.strip, dry.out.split(";\n")):
        database.execute(statement)
    assert tables(database) == {"alpha", "beta"}
    database.execute("DROP TABLE beta")
    rows = quick.ok("init-tables", "--models", "models", "--json").json
    assert [row["state"] for row in rows] == ["exists", "created"]


SCHEMA = '__table_args__ = {"schema": "fleet"}'


@pytest.fixture
def with_schema(dbctl: Dbctl, postgres_database: TestDatabase) -> Dbctl:
    models(
        dbctl.cwd, ship=SCHEMA, crew="", harbour="ship_id: Mapped[int] = mapped_column(sa.ForeignKey('fleet.ship.id'))"
    )
    return forked(dbctl, postgres_database)


def test_tables_of_a_schema_are_created_in_it(with_schema: Dbctl, postgres_database: TestDatabase) -> None:
    postgres_database.execute("CREATE SCHEMA fleet")
    result = with_schema("init-tables", "--models", "models", "--check")
    assert (result.code, "missing tables: " in result.err, "fleet.ship" in result.err) == (6, True, True)
    for state in ("created", "exists"):
        rows = with_schema.ok("init-tables", "--models", "models", "--json").json
        assert {row["table"]: row["state"] for row in rows} == dict.fromkeys(("fleet.ship", "crew", "harbour"), state)
    assert tables(postgres_database, "fleet") == {"ship"}
    assert tables(postgres_database) == {"crew", "harbour"}


def test_a_table_of_the_same_name_in_another_schema_is_not_the_one(
    with_schema: Dbctl, postgres_database: TestDatabase
) -> None:
    postgres_database.execute("CREATE SCHEMA fleet")
    postgres_database.execute("CREATE TABLE ship (id INTEGER)")
    rows = with_schema.ok("init-tables", "--models", "models", "--json").json
    assert {"table": "fleet.ship", "state": "created"} in rows


def test_a_schema_that_is_not_there_is_refused_and_leaves_nothing(
    with_schema: Dbctl, postgres_database: TestDatabase
) -> None:
    result = with_schema("init-tables", "--models", "models")
    assert (result.code, result.out) == (1, "")
    assert "table fleet.ship names schema fleet, which is not there" in result.err
    assert result.talk.count("\n") == 1
    assert tables(postgres_database) == set()
