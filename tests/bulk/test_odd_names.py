"""Rows into and out of tables whose names, and whose columns' names, mean something to a driver or to SQLAlchemy."""

from pathlib import Path

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

COLUMNS = ["x%(y)s", "c:d {e}", "%s"]


TABLE = 'it\'s a%b :x %s "{}"'


@pytest.fixture
def table(database: TestDatabase) -> str:
    """Return the name of a table with such columns, the first of which is its key, and counts in PostgreSQL."""
    counts = "serial" if database.kind == "postgresql" else "integer"
    key, number, text = (quoted(database, name) for name in COLUMNS)
    database.execute(
        f"CREATE TABLE {quoted(database, TABLE)} ({key} {counts} PRIMARY KEY, {number} integer, {text} varchar(20))"
    )
    return TABLE


def quoted(database: TestDatabase, name: str) -> str:
    mark = "`" if database.dialect == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def rows(database: TestDatabase, table: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in database.execute(f"SELECT * FROM {quoted(database, table)}"))


def test_rows_are_loaded_all_ways_and_written(dbctl: Forked, database: TestDatabase, table: str) -> None:
    on = with_profiles(dbctl, own=database)
    (on.cwd / "a.csv").write_text(f"{','.join(COLUMNS)}\n1,10,one\n2,20,two\n")
    (on.cwd / "b.csv").write_text(f"{','.join(COLUMNS)}\n2,21,TWO\n3,31,three\n")
    on.ok("import", "a.csv", table)
    on.ok("import", "b.csv", table, "--on-conflict", "skip")
    assert rows(database, table) == [(1, 10, "one"), (2, 20, "two"), (3, 31, "three")]
    on.ok("import", "b.csv", table, "--on-conflict", "update", "--max-errors", "1")
    assert rows(database, table) == [(1, 10, "one"), (2, 21, "TWO"), (3, 31, "three")]
    on.ok("import", "a.csv", table, "--truncate", "--defer-keys")
    on.ok("export", table, "out.csv")
    assert (on.cwd / "out.csv").read_text() == (on.cwd / "a.csv").read_text()
    if database.kind == "postgresql":
        place, number = quoted(database, table), quoted(database, COLUMNS[1])
        assert database.execute(f"INSERT INTO {place} ({number}) VALUES (5) RETURNING *")[0][0] > 3


def test_they_are_copied(dbctl: Forked, database: TestDatabase, table: str, tmp_path: Path) -> None:
    other = TestDatabase.on_file(tmp_path / "other.db")
    other.execute("CREATE TABLE something (id integer)")
    on = with_profiles(dbctl, own=database, other=other)
    (on.cwd / "a.csv").write_text(f"{','.join(COLUMNS)}\n1,10,one\n2,20,two\n")
    on.ok("import", "a.csv", table)
    on.ok("copy", table, "--from", "own", "--to", "other", "--create", "--verify")
    where = f"{quoted(other, table)}: {quoted(other, '%s')} = 'one'"
    on.ok("copy", table, "--from", "other", "--to", "own", "--truncate", "--verify", "--where", where)
    assert rows(database, table) == [(1, 10, "one")]


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_a_backslash_that_escapes_nothing_is_loaded_as_it_stands(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, c char(9), v varchar(20))")
    on = with_profiles(dbctl, own=database)
    config = on.cwd / "profiles.toml"
    config.write_text(
        config.read_text().replace(
            "[profiles.own]", '[profiles.own]\nquery.sql_mode = "NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH"'
        )
    )
    text = 'id,c,v\n1,a,b\\\\nc\\\n2,"d ""e""",\n3,f,""\n'
    (on.cwd / "t.csv").write_text(text)
    (on.cwd / "more.jsonl").write_text('{"id": 4, "c": "\\\\\\t", "v": "\\n"}\n')
    on.ok("import", "t.csv", "t")
    on.ok("import", "more.jsonl", "t", "--on-conflict", "skip")
    assert database.execute("SELECT v FROM t ORDER BY id") == [("b\\\\nc\\",), (None,), ("",), ("\n",)]
    on.ok("export", "t", "out.csv")
    assert (on.cwd / "out.csv").read_text() == text + '4,\\\t,"\n"\n'
