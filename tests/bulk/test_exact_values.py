"""Values that a server would make others of without a word are refused, and those that it keeps are taken."""

import json
from collections.abc import Sequence

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

POSTGRESQL = [
    ("date", ["2020-01-31", "0044-03-15 BC", "infinity", "January 8, 1999", "19990108"],
     ["2020-01-01 12:00:00", "2020-01-01T12", "2020-01-01 040506", "2020-01-01 1 PM"]),
    ("time", ["23:59:59.123456", "24:00:00", "04:05 AM", "04:05:06.1000000"],
     ["2020-01-01 12:00:00", "Jan 8 1999 12:00", "00:00:00.1234567", "12:00:00+01"]),
    ("time(0)", ["23:59:59", "23:59:59.0"], ["23:59:59.9"]),
    ("timetz", ["23:59:59.5+01", "23:59:59Z"], ["2020-01-01 12:00:00+01", "00:00:00.1234567+00"]),
    ("timestamp(0)", ["2020-01-01 23:59:59", "2020.01.08 12:00", "2020-01-01 12:00 PM", "2020-01-01 12:00:00 BC"],
     ["2020-01-01 23:59:59.6", "2020-01-01 12:00:00 UTC", "2020-01-01 12:00 Europe/Berlin"]),
    ("timestamptz", ["2020-01-01 12:00:00.123456+00", "infinity"], ["2020-01-01 12:00:00.1234567+00"]),
    ("timestamptz(2)", ["2020-01-01 12:00:00.12Z"], ["2020-01-01 12:00:00.123+00"]),
    ("interval", ["1 year 2 mons -3 days 04:05:06.7", "1.6 seconds"], ["0.1234567 seconds"]),
    ("interval(0)", ["-04:05:06", "2 seconds"], ["1.6 seconds"]),
    ("interval year", ["3 years", "-1 year", "5", "P2Y", "1 decade"],
     ["1 year 5 days", "1.5 years", "P1Y2M", "1-2", "11 mons"]),
    ("interval day", ["1 mon 3 days 00:00:00", "P1M2D", "1 week"], ["1 day 02:00", "P1DT5M", "10 millisecond"]),
    ("interval hour to minute", ["04:05", "P1MT2M"], ["04:05:06", "1 sec"]),
    ("name", ["x" * 63, "a,b"], ["x" * 64, "é" * 32]),
    ('"char"', ["a", ""], ["abc"]),
    ("varchar(2)", ["a ", "ab", "\u00e9\u00e9"], ["a    ", "ab "]),
    ("money", ["$1.05", "-2", "1.500"], ["1.005"]),
    ("real", ["16777216", "0.1", "1e+30", "3.4028234663852886e38", "-0", "NaN", "100000000", "0.33333334"],
     ["16777217", "0.12345678901"]),
]  # fmt: skip
MYSQL = [
    ("char(10)", ["a", " b", "", "a\u00a0"], ["a  ", " "]),
    ("binary(2)", ["\\x0100"], ["\\x01", "\\x"]),
    ("bit(3)", ["001"], ["1", "01"]),
    ("year", ["2005", "0", "0000"], ["5", "70", "05"]),
    ("enum('a','b,c','it''s','d\\\\e','1','')", ["a", "b,c", "it's", "d\\e", "1", ""], ["A", "a ", "2", "\u00e4"]),
    ("set('a','b','c d')", ["a,b", "b,a", "c d", ""], ["A", "a,a", "a, b", "3"]),
    ("datetime", ["2020-01-01 23:59:59", "2020-01-01 12:00:00.000", "0000-00-00 00:00:00"], ["2020-01-01 23:59:59.6"]),
    ("timestamp(2) NULL", ["2020-01-01 12:00:00.12+00", "2020-01-01T12:00:00Z"], ["2020-01-01 12:00:00.126+00"]),
    ("time", ["-838:59:59", "23:59:59.0"], ["23:59:59.9"]),
    ("float", ["16777216", "0.1", "1e30", "100000000"], ["16777217", "0.12345678901"]),
    ("double(10,2)", ["1.25", "-3.500"], ["1.255"]),
    ("date", ["2020-01-01"], ["2020-01-01 12:00:00"]),
]  # fmt: skip


Cases = Sequence[tuple[str, Sequence[str], Sequence[str]]]


def rows_of(values: Sequence[tuple[int, str]], columns: int) -> str:
    """Return a file in which each row has one value, in a column of its own."""
    head = ",".join(f"c{place}" for place in range(columns))
    rows = [
        [""] * place + ['"' + value.replace('"', '""') + '"'] + [""] * (columns - place - 1) for place, value in values
    ]
    return "\n".join([f"id,{head}", *(",".join([str(number), *row]) for number, row in enumerate(rows)), ""])


def refuses(on: Dbctl, database: TestDatabase, cases: Cases) -> None:
    """Take what each type keeps, give it back and take it again; tell each value that it does not keep."""
    columns = ", ".join(f"c{place} {type_}" for place, (type_, *_) in enumerate(cases))
    database.execute(f"CREATE TABLE thing (id integer PRIMARY KEY, {columns})")
    kept = [(place, value) for place, (_, values, _) in enumerate(cases) for value in values]
    bent = [(place, value) for place, (_, _, values) in enumerate(cases) for value in values]
    (on.cwd / "kept.csv").write_text(rows_of(kept, len(cases)))
    (on.cwd / "bent.csv").write_text(rows_of(bent, len(cases)))
    on.ok("import", "kept.csv", "thing")
    on.ok("export", "thing", "out.csv")
    on.ok("import", "out.csv", "thing", "--truncate")
    assert on.ok("export", "thing", "--format", "csv").out == (on.cwd / "out.csv").read_text()
    bad = on.ok("import", "bent.csv", "thing", "--truncate", "--max-errors", "99", "--rejects", "bad.jsonl", "--json")
    told = {int(row["_line"]): row for row in map(json.loads, (on.cwd / "bad.jsonl").read_text().splitlines())}
    names = [told.get(line, {}).get("_column") for line in range(2, len(bent) + 2)]
    missed = [case for case, name in zip(bent, names, strict=True) if name != f"c{case[0]}"]
    assert missed == [], str(bad)
    assert bad.json["rows"] == 0, str(bad)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_postgresql_drops_cuts_and_rounds_nothing(on_database: Dbctl, database: TestDatabase) -> None:
    refuses(on_database, database, POSTGRESQL)
    database.execute("CREATE TABLE few (at timestamptz, v varchar(2))")
    for row in ("2020-01-01 12:00:00.1234567,a", "2020-01-01,ab ", '2020-01-01,"ab "'):
        (on_database.cwd / "few.csv").write_text(f"at,v\n2020-01-01 12:00:00.123,a \n{row}\n")
        result = on_database("import", "few.csv", "few")
        assert (result.code, "few.csv, line 3, column " in result.err) == (1, True), str(result)
    on_database.ok("import", "few.csv", "few", "--no-strict")
    assert database.execute("SELECT v FROM few ORDER BY 1") == [("a ",), ("ab",)]


@pytest.mark.each
@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_mysql_fills_and_folds_nothing(on_database: Dbctl, database: TestDatabase) -> None:
    refuses(on_database, database, MYSQL)


@pytest.mark.slow
@pytest.mark.each
@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_a_copy_changes_nothing_unless_it_may(
    dbctl: Forked, database: TestDatabase, postgres_database: TestDatabase
) -> None:
    columns = {
        "ch": ("char(5)", "text", "a ", "a"),
        "bi": ("binary(2)", "bytea", "\\x01", "\\x0100"),
        "en": ("enum('a')", "text", "A", "a"),
        "y": ("year", "integer", "5", "2005"),
    }
    own = ", ".join(f"{name} {type_}" for name, (type_, *_) in columns.items())
    theirs = ", ".join(f"{name} {type_}" for name, (_, type_, *_) in columns.items())
    database.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {own}, fixed char(5), st set('a','b'))")
    postgres_database.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {theirs}, fixed char(5), st text)")
    on = with_profiles(dbctl, one=postgres_database, two=database)
    copy = ["copy", "t", "--from", "one", "--to", "two", "--truncate"]
    postgres_database.execute("INSERT INTO t (id, fixed, st) VALUES (0, 'a', 'b,a')")
    on.ok(*copy, "--verify")
    for name, (_, _, value, changed) in columns.items():
        postgres_database.execute(f"DELETE FROM t; INSERT INTO t (id, {name}) VALUES (1, '{value}')")
        refused = on(*copy)
        assert (refused.code, f't, row 1, column {name}: "{value}": ' in refused.err) == (1, True), str(refused)
        assert "say --lossy" in refused.err, str(refused)
        on.ok(*copy, "--lossy", *["--verify"] * (name in {"ch", "bi"}))
        assert f",{changed}," in on.ok("-p", "two", "export", "t", "--format", "csv").out
