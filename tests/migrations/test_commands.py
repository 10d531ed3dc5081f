"""`dbctl migrate upgrade`, `downgrade`, `current`, `check` and `stamp`, by env.py files as they are."""

import sqlite3
from contextlib import closing

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.migrations.conftest import MakeService

ENVS = ["generic", "async", "given"]
REVISIONS = ["a1", "a2", "a3"]


def tables(database: TestDatabase) -> set[str]:
    return {str(name) for (name,) in database.execute(_TABLES[database.dialect])}


_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = database()",
}


@pytest.mark.parametrize("env", ENVS)
def test_an_upgrade_runs_what_is_pending_and_then_nothing(
    env: str, on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service(env)
    first = on_database.ok("migrate", "upgrade", "--json")
    assert [row["revision"] for row in first.json] == REVISIONS
    assert first.json[0]["description"] == "create items"
    told = [line for line in first.err.splitlines() if line.startswith("dbctl: upgrade ")]
    assert [line.split()[2] for line in told] == REVISIONS
    assert all(line.endswith(" s") for line in told)
    assert database.execute("SELECT version_num FROM alembic_version") == [("a3",)]
    assert {"item", "runs", "alembic_version"} == tables(database)
    again = on_database.ok("migrate", "upgrade", "--json")
    assert again.json == []
    assert again.talk == "dbctl: nothing to do: the database is at a3\n"


@pytest.mark.parametrize("env", ENVS)
def test_a_downgrade_takes_back_what_an_upgrade_did(
    env: str, on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service(env)
    on_database.ok("migrate", "upgrade")
    back = on_database.ok("migrate", "downgrade", "a1", "--json").json
    assert [row["revision"] for row in back] == ["a3", "a2"]
    assert tables(database) == {"item", "alembic_version"}
    on_database.ok("migrate", "downgrade", "base")
    assert tables(database) == {"alembic_version"}
    assert database.execute("SELECT * FROM alembic_version") == []


def test_it_goes_as_far_as_it_is_told(on_database: Dbctl, service: MakeService) -> None:
    service()
    for target, expected in (("+1", ["a1"]), ("a2", ["a2"]), ("head", ["a3"])):
        rows = on_database.ok("migrate", "upgrade", target, "--json").json
        assert [row["revision"] for row in rows] == expected


def test_steps_are_numbers_with_a_sign(dbctl: Dbctl, service: MakeService) -> None:
    service()
    dbctl.ok("migrate", "upgrade")
    for words, expected in (
        (["downgrade", "-1"], ["a3"]),
        (["downgrade", "--no-color", "-2", "--json"], ["a2", "a1"]),
        (["upgrade", "+2"], ["a1", "a2"]),
    ):
        rows = dbctl.ok("migrate", *words, *([] if "--json" in words else ["--json"])).json
        assert [row["revision"] for row in rows] == expected
    for words in (["downgrade", "-1", "--resum"], ["downgrade", "-x1", "-y"], ["current", "-1"]):
        assert dbctl("migrate", *words).code == 2, words


def test_current_tells_where_the_database_is(on_database: Dbctl, database: TestDatabase, service: MakeService) -> None:
    service()
    if database.kind != "sqlite":  # whose file is not there yet
        none = {"revision": None, "description": "no revision is applied", "state": "behind"}
        assert on_database.ok("migrate", "current", "--json").json == [none]
        assert tables(database) == set()
    for target, state in (("a2", "behind"), ("a3", "head")):
        on_database.ok("migrate", "upgrade", target)
        (row,) = on_database.ok("migrate", "current", "--json").json
        assert (row["revision"], row["state"]) == (target, state)


def test_check_names_what_is_pending(on_database: Dbctl, service: MakeService) -> None:
    service()
    on_database.ok("migrate", "upgrade", "a1")
    result = on_database("migrate", "check", "--json")
    assert result.code == 6
    assert [row["pending"] for row in result.json] == ["a2", "a3"]
    assert result.talk == "dbctl: error: pending: a2 (count how often this is run), a3 (add a price)\n"
    on_database.ok("migrate", "upgrade")
    assert on_database.ok("migrate", "check", "--json").json == []


def test_a_stamp_says_where_the_database_is_and_runs_nothing(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service()
    on_database.ok("migrate", "stamp", "a2")
    assert tables(database) == {"alembic_version"}
    assert database.execute("SELECT version_num FROM alembic_version") == [("a2",)]
    on_database.ok("migrate", "stamp", "base")
    assert database.execute("SELECT version_num FROM alembic_version") == []


def test_a_stamp_shows_once_where_the_database_is(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service()
    made.add("c1", "a1", "pass", doc="another branch")

    def shown(*words: str) -> list[str]:
        result = on_database.ok("migrate", "stamp", *words, "--json")
        told = [line for line in result.err.splitlines() if line.startswith("dbctl: stamp ")]
        rows = [row["revision"] for row in result.json]
        assert len(told) == len(rows), result.err
        return rows

    assert sorted(shown("heads")) == ["a3", "c1"]
    assert shown("base") == ["base"]
    assert database.execute("SELECT version_num FROM alembic_version") == []
    shown("heads")
    assert shown("--purge", "base") == ["base"]
    assert database.execute("SELECT version_num FROM alembic_version") == []
    shown("a2")
    assert shown("a2") == ["a2"]


def test_a_revision_without_a_script_is_told_and_can_be_stamped_away(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service()
    on_database.ok("migrate", "upgrade")
    database.execute("UPDATE alembic_version SET version_num = 'zz'")
    result = on_database("migrate", "upgrade")
    assert result.code == 3
    assert "the database is at revision zz, of which there is no script in " in result.err
    assert on_database.ok("migrate", "current", "--json").json[0]["state"] == "no script"
    on_database.ok("migrate", "stamp", "--purge", "a3")
    assert on_database.ok("migrate", "upgrade", "--json").json == []


def test_a_revision_that_is_not_there_is_told(on_database: Dbctl, service: MakeService) -> None:
    service()
    result = on_database("migrate", "upgrade", "zz")
    assert result.code == 1
    assert result.talk == (
        "dbctl: error: alembic: Can't locate revision identified by 'zz'; "
        "list those that there are with: dbctl migrate history\n"
    )


def test_several_heads_are_told_and_taken_where_they_are_meant(on_database: Dbctl, service: MakeService) -> None:
    made = service()
    made.add("c1", "a1", "pass", doc="another branch")
    result = on_database("migrate", "upgrade")
    assert result.code == 3
    assert result.talk == (
        "dbctl: error: there are several heads: a3, c1; "
        "name one, or heads for all of them, or merge them with: dbctl migrate merge heads\n"
    )
    rows = on_database.ok("migrate", "upgrade", "heads", "--json").json
    assert sorted(row["revision"] for row in rows) == ["a1", "a2", "a3", "c1"]
    rows = on_database.ok("migrate", "current", "--json").json
    assert [(row["revision"], row["state"]) for row in rows] == [("a3", "head"), ("c1", "head")]


def test_check_also_names_what_autogenerate_would_add(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service()
    on_database.ok("migrate", "upgrade")
    database.execute("CREATE TABLE dbctl_copy (source VARCHAR(9))")  # dbctl's own, of which nothing is said
    nothing = on_database("migrate", "check", "--models")
    assert nothing.code == 3
    assert "the env.py has no target_metadata to compare, and the profile no models" in nothing.err
    models = "import sqlalchemy as sa\ntarget_metadata = sa.MetaData()\n"
    models += "sa.Table('item', target_metadata, sa.Column('id', sa.Integer, primary_key=True), "
    models += "sa.Column('name', sa.String(40), nullable=False, index=True), sa.Column('price', sa.Integer))\n"
    models += "sa.Table('runs', target_metadata, sa.Column('revision', sa.String(20), nullable=False))"
    made.edit("migrations/env.py", "target_metadata = None", models)
    assert on_database.ok("migrate", "check", "--models", "--json").json == []
    gone = "the database is said to be at a3, but none of the models' tables is there: if they were dropped, dbctl"
    for name, left in (("item", 1), ("runs", 0)):
        database.execute(f"ALTER TABLE {name} RENAME TO {name}_2")
        said = [on_database.ok("migrate", word).err for word in ("upgrade", "current", "check")]
        assert [f"dbctl: {gone} migrate stamp base says so" in one for one in said] == [not left] * 3, said
    for name in ("item", "runs"):
        database.execute(f"ALTER TABLE {name}_2 RENAME TO {name}")
    made.edit(
        "migrations/env.py",
        "sa.Table('runs'",
        "sa.Table('order', target_metadata, sa.Column('id', sa.Integer))\nsa.Table('runs'",
    )
    result = on_database("migrate", "check", "--models", "--json")
    assert result.code == 6
    assert result.json == [{"pending": "(models)", "description": "add table order"}]
    assert "dbctl: error: pending: add table order\n" in result.talk
    assert on_database.ok("migrate", "check", "--json").json == []


def test_every_other_word_is_alembics_own(dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    assert dbctl.ok("migrate", "heads").out == "a3 (head)\n"
    assert "usage: dbctl migrate history" in dbctl.ok("migrate", "history", "--help").out
    dbctl.ok("migrate", "upgrade")
    made.edit(
        "migrations/env.py", "target_metadata = None", "import sqlalchemy\ntarget_metadata = sqlalchemy.MetaData()"
    )
    dbctl.ok("migrate", "revision", "-m", "more of it", "--rev-id", "a4", "--autogenerate")
    assert (made.root / "migrations" / "versions" / "a4_more_of_it.py").exists()
    assert "a3 (current)" in dbctl.ok("migrate", "history", "-i").out
    wrong = dbctl("migrate", "histori")
    assert wrong.code == 2
    assert """invalid choice: 'histori'; did you mean "history"?""" in wrong.err
    own = dbctl("migrate", "alembic", "upgrade", "head")
    assert own.code == 2
    assert "upgrade is dbctl's own command here, for it is done under a lock" in own.err
    nowhere = dbctl("migrate", "edit", "a4", env={"EDITOR": "", "VISUAL": ""})
    assert (nowhere.code, "there is no terminal to edit on" in nowhere.err) == (2, True), str(nowhere)
    unwritten = dbctl("migrate", "revision", "-m", "x", "--rev-id", "x" * 300)
    assert (unwritten.code, "env.py" in unwritten.err) == (3, False), str(unwritten)
    assert unwritten.err.endswith("_x.py: File name too long\n")


def test_tables_that_are_there_already_are_stamped(dbctl: Dbctl, service: MakeService) -> None:
    service()
    with closing(sqlite3.connect(dbctl.cwd / "x.db")) as connection:
        connection.execute("CREATE TABLE item (id INTEGER)")
    failed = dbctl("--url", "sqlite:///x.db", "migrate", "upgrade")
    assert failed.code == 1
    hint = "where its tables are there already, say so with: dbctl --url sqlite:///x.db migrate stamp head\n"
    assert failed.err.endswith(hint)


def test_dropped_tables_are_still_alembics(dbctl: Dbctl, service: MakeService) -> None:
    service()
    assert "alembic, which is to be told of these tables: dbctl migrate stamp head" in dbctl.ok("init-tables").err
    assert "alembic" not in dbctl.ok("init-tables").err
    assert "alembic" not in dbctl.ok("drop-tables").err
    dbctl.ok("init-tables", "--quiet")
    dbctl.ok("migrate", "upgrade", "--quiet")
    assert "that nothing of it is there says dbctl migrate stamp base" in dbctl.ok("drop-tables").err
