"""What SQLite has stored, of whatever type: the same in another SQLite, and in JSON where that has a form for it."""

from pathlib import Path

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

VALUES = ["1", "'1'", "-0.0", "3.0", "9223372036854775807", "x'00ff'", "x''", "''", "'NaN'", "NULL", "'\N{SNOWMAN}'"]
TOLD = "SELECT typeof({0}), quote({0}) FROM {1} ORDER BY id"


def told(database: TestDatabase, table: str, column: str) -> object:
    return database.execute(TOLD.format(column, table))


def test_each_value_is_copied_as_it_is_stored(dbctl: Forked, sqlite_database: TestDatabase, tmp_path: Path) -> None:
    columns = {"bare": "", "t": "TEXT", "i": "INTEGER", "b": "BLOB", "truth": "BOOLEAN", "de": "DECIMAL(38,10)"}
    made = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    sqlite_database.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {made}, at DATETIME)")
    sqlite_database.execute("CREATE TABLE s (id INTEGER PRIMARY KEY, v ANY, n REAL) STRICT")
    sqlite_database.execute("CREATE TABLE w (k PRIMARY KEY, id INTEGER) WITHOUT ROWID")
    odd = [*VALUES, "9e999", "'\\x00ff'", "'true'", "'12345678901234567890123'"]
    for value in odd:
        sqlite_database.execute(f"INSERT INTO t VALUES (NULL, {', '.join([value] * 7)})")
        sqlite_database.execute(f"INSERT INTO s VALUES (NULL, {value}, 9e999)")
    for place, value in enumerate(filter("NULL".__ne__, odd)):
        sqlite_database.execute(f"INSERT INTO w VALUES ({value}, {place})")
    other = TestDatabase.on_file(tmp_path / "other.db")
    on = with_profiles(dbctl, one=sqlite_database, two=other)
    for more in (["--create"], ["--truncate"], ["--truncate", "--where", "1"]):
        on.ok("copy", "t", "s", "w", "--from", "one", "--to", "two", "--verify", *more)
        for table, column in [*(("t", name) for name in [*columns, "at"]), ("s", "v"), ("s", "n"), ("w", "k")]:
            assert told(other, table, column) == told(sqlite_database, table, column), (table, column)
    other.execute("CREATE TRIGGER bend AFTER INSERT ON s BEGIN UPDATE s SET v = '1' WHERE id = new.id AND v = 1; END")
    result = on("copy", "s", "--from", "one", "--to", "two", "--truncate", "--verify")
    assert (result.code, "they differ in 1" in result.err) == (1, True), str(result)
    other.execute("DROP TRIGGER bend")
    other.execute("DELETE FROM s")
    on.ok("copy", "s", "--from", "one", "--to", "two", "--resume", "--verify")
    assert told(other, "s", "v") == told(sqlite_database, "s", "v")


@pytest.mark.parametrize("format_", ["jsonl", "json"])
def test_json_tells_numbers_from_texts(dbctl: Forked, sqlite_database: TestDatabase, format_: str) -> None:
    sqlite_database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, bare, b BLOB)")
    sqlite_database.execute("CREATE TABLE s (id INTEGER PRIMARY KEY, v ANY) STRICT")
    for value in VALUES:
        number = value if value[0] not in "'" else "NULL"
        sqlite_database.execute(f"INSERT INTO t VALUES (NULL, {value}, {number})")
        sqlite_database.execute(f"INSERT INTO s VALUES (NULL, {value})")
    on = with_profiles(dbctl, it=sqlite_database)
    for table, columns in (("t", ("bare", "b")), ("s", ("v",))):
        before = [told(sqlite_database, table, column) for column in columns]
        on.ok("export", table, f"{table}.{format_}")
        on.ok("import", f"{table}.{format_}", table, "--truncate")
        assert [told(sqlite_database, table, column) for column in columns] == before
    (on.cwd / "n.jsonl").write_text('{"bare": 18446744073709551616}\n{"bare": NaN}\n')
    on.ok("import", "n.jsonl", "t", "--truncate")
    assert told(sqlite_database, "t", "bare") == [("text", "'18446744073709551616'"), ("text", "'NaN'")]
