"""Numbers and times that databases write, or keep, each in its own way, and that are the same for all that."""

import struct
from pathlib import Path

import pytest

from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.bulk.checking import check_of
from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

NUMBERS = [
    *(2**63 - 1, -(2**63), 123456789012345678, 0, -5, 2.0**63, 0.30000000000000004, -0.1, 5e-324),
    *(1.7485919214226948e-301, 1.7976931348623157e308, 1e-05, 1e19, 1e300, 1234567.0000000002),
]


def stored(database: TestDatabase, table: str, column: str = "v") -> list[object]:
    """Return each value as its type and its very bits."""
    found = database.execute(f"SELECT {column} FROM {table} ORDER BY id")
    return [struct.pack("d", value) if isinstance(value, float) else value for (value,) in found]


def test_sqlite_has_each_number_again_that_it_had(dbctl: Forked, sqlite_database: TestDatabase) -> None:
    sqlite_database.execute("CREATE TABLE t (id integer PRIMARY KEY, v NUMERIC, d DECIMAL(38, 10), m MONEY, p PHONE)")
    for number in NUMBERS:
        same = number if isinstance(number, int) else 0.5
        sqlite_database.execute("INSERT INTO t VALUES (NULL, ?, ?, ?, ?)", number, same, number, same)
    before = [stored(sqlite_database, "t", column) for column in "vdmp"]
    on = with_profiles(dbctl, it=sqlite_database)
    endings = ["csv", "tsv", "jsonl", "json"]
    for ending in endings:
        on.ok("export", "t", f"t.{ending}")
        on.ok("import", f"t.{ending}", "t", "--truncate")
        assert [stored(sqlite_database, "t", column) for column in "vdmp"] == before, ending
    assert ",0.00001," in (on.cwd / "t.csv").read_text()


@pytest.mark.parametrize(
    ("type_", "untyped", "fit", "odd"),
    [
        ("NUMERIC", True, ["9223372036854775807.00", "1e18", "0e99999999999999999999", "0.30000000000000004", "1e300"],
         ["9223372036854775808", "9007199254740993.5", "1e400", "1e-400", "0.1234567890123456789", "1e99999999999999"]),
        ("numeric(3,5)", False, ["0", "0.00999", "-0.00001", "9.99e-3", "0.0"], ["0.01", "0.000001", "1e-6"]),
        ("numeric(5,-2)", False, ["0", "100", "9999900", "1e2", "1200.00"], ["10000000", "150", "99", "0.5"]),
        ("numeric(5,2)", False, ["999.99", "100", "1e2", "0.10000"], ["1000", "0.001", "1e3"]),
    ],
)  # fmt: skip
def test_a_number_is_refused_that_would_be_another(type_: str, untyped: bool, fit: list[str], odd: list[str]) -> None:
    check = check_of(BulkColumn("v", Kind.DECIMAL, type_, wide=untyped), untyped=untyped)
    assert check is not None
    for value in fit + odd:
        assert [fault.column for fault in check.faults("v", [value])] == ["v"] * (value in odd), value


def test_numbers_and_times_are_compared_as_what_they_are(
    dbctl: Forked,
    postgres_database: TestDatabase,
    mariadb_database: TestDatabase,
    mysql_database: TestDatabase,
    sqlite_database: TestDatabase,
    tmp_path: Path,
) -> None:
    numbers = "n numeric(3, 5), h numeric(5, -2), s numeric(15, 5), f float8"
    postgres_database.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {numbers})")
    postgres_database.execute("INSERT INTO t VALUES (1, 0.00999, 1200, 0.00001, '-0'), (2, 0, NULL, -0.1, 1e-7)")
    sqlite_database.execute("CREATE TABLE of_file (id integer PRIMARY KEY, v NUMERIC(15, 5), w NUMERIC)")
    sqlite_database.execute("INSERT INTO of_file VALUES (1, 0.00001, 9223372036854775807), (2, 1.5, 0.0625)")
    for one in (mariadb_database, mysql_database):
        one.execute("CREATE TABLE span (id integer PRIMARY KEY, a time(2), b time(6), c time)")
        one.execute("INSERT INTO span VALUES (1, '24:07:31.7', '-0:0:1.5', '1:2:3'), (2, '0:0:1', '24:10:2.17', 0)")
    back = TestDatabase.on_file(tmp_path / "back.db")
    databases = {"pg": postgres_database, "ma": mariadb_database, "my": mysql_database, "lite": sqlite_database}
    on = with_profiles(dbctl, **databases, back=back)
    for other in ("ma", "my", "lite"):
        on.ok("copy", "t", "--from", "pg", "--to", other, "--create", "--verify")
    assert sqlite_database.execute("SELECT n, h, s, f FROM t ORDER BY id") == [(0.00999, 1200, 1e-5, 0.0),
                                                                               (0, None, -0.1, 1e-7)]  # fmt: skip
    for other in ("pg", "ma"):
        on.ok("copy", "of_file", "--from", "lite", "--to", other, "--create", "--verify")
        on.ok("copy", "of_file", "--from", other, "--to", "back", "--create", "--verify", "--lossy")
        back.execute("DROP TABLE of_file")
    for server in ("ma", "my"):
        for other in ("pg", "lite"):
            on.ok("copy", "span", "--from", server, "--to", other, "--create", "--verify")
            databases[other].execute("DROP TABLE span")


def test_a_type_that_one_of_a_family_has_becomes_what_holds_it(
    dbctl: Forked, mariadb_database: TestDatabase, mysql_database: TestDatabase
) -> None:
    mariadb_database.execute("CREATE TABLE t (id integer PRIMARY KEY, a inet6, b inet4, UNIQUE (a))")
    mariadb_database.execute("INSERT INTO t VALUES (1, '2001:db8::1', '192.0.2.1'), (2, NULL, NULL)")
    mysql_database.execute("CREATE TABLE g (id integer PRIMARY KEY, v geometrycollection)")
    mysql_database.execute("INSERT INTO g VALUES (1, ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2))'))")
    on = with_profiles(dbctl, ma=mariadb_database, my=mysql_database)
    said = on.ok("copy", "t", "--from", "ma", "--to", "my", "--create", "--verify").err
    assert "t.a is created as varchar(39): the target has no type inet6" in said
    assert mysql_database.execute("SELECT a, b FROM t WHERE id = 1") == [("2001:db8::1", "192.0.2.1")]
    on.ok("copy", "g", "--from", "my", "--to", "ma", "--create", "--verify")
    assert mariadb_database.execute("SELECT ST_AsText(v) FROM g") == [("GEOMETRYCOLLECTION(POINT(1 2))",)]
    mysql_database.execute("DROP TABLE t")


def test_documents_and_bits_are_what_they_were(
    dbctl: Forked, postgres_database: TestDatabase, mysql_database: TestDatabase, sqlite_database: TestDatabase
) -> None:
    documents = ["1e300", "12345678901234567", "[1e20, -0.0, 1.50]", '{"a": 1E2}', '"1e2"', "1.0e5", "0.25"]
    sqlite_database.execute("CREATE TABLE d (id integer PRIMARY KEY, v JSON)")
    mysql_database.execute("CREATE TABLE d (id integer PRIMARY KEY, v json)")
    for document in documents:
        sqlite_database.execute("INSERT INTO d (v) VALUES (?)", document)
    postgres_database.execute("CREATE TABLE b (id integer PRIMARY KEY, v varbit(2), p jsonpath, t timetz(5), j json)")
    postgres_database.execute(
        "INSERT INTO b VALUES (1, '', '$.a', '00:00:00.04357+01', '1.0e5'), (2, '1', '$', NULL, '2')"
    )
    on = with_profiles(dbctl, lite=sqlite_database, pg=postgres_database, my=mysql_database)
    for other in ("pg", "my"):
        on.ok("copy", "d", "--from", "lite", "--to", other, "--create", "--verify")
        on.ok("copy", "b", "--from", "pg", "--to", "my" if other == "my" else "lite", "--create", "--verify")
    mysql_database.execute("DELETE FROM d")
    on.ok("copy", "d", "--from", "pg", "--to", "my", "--verify")
    on.ok("copy", "d", "--from", "my", "--to", "lite", "--truncate", "--verify")
    assert sqlite_database.execute("SELECT v FROM d WHERE id < 3 ORDER BY id") == [(1e300,), (12345678901234567,)]
    mysql_database.execute("CREATE TABLE bits (id integer PRIMARY KEY, v bit(8))")
    postgres_database.execute("CREATE TABLE bits (id integer PRIMARY KEY, v bit varying)")
    result = on("copy", "bits", "--from", "pg", "--to", "my")
    assert (result.code, "bits.v loses how many bits a value has" in result.err) == (1, True), str(result)
    mysql_database.execute("INSERT INTO d VALUES (99, '12345678901234567890')")
    result = on("copy", "d", "--from", "my", "--to", "lite", "--truncate")
    assert "it would be kept as 1.2345678901234567e+19" in result.err, str(result)
    assert result.code == 1
