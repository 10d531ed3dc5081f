"""`dbctl query`: each type of each database has a text of its own, which loses nothing, in every format."""

from typing import Any

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked

POSTGRESQL = {
    "B'101'": "101",
    "'infinity'::float8": "Infinity",
    "'-infinity'::float4": "-Infinity",
    "'NaN'::numeric": "NaN",
    "12345678901234567890.123456789::numeric": "12345678901234567890.123456789",
    "1e-10::numeric(20,15)": "0.000000000100000",
    "9223372036854775807": "9223372036854775807",
    "true": "true",
    "'192.168.0.1/24'::inet": "192.168.0.1/24",
    "'1 year 2 mons 3 days 04:05:06.7'::interval": "1 year 2 mons 3 days 04:05:06.7",
    "ARRAY['1 mon'::interval]": '["1 mon"]',
    "int4range(1, 10)": "[1,10)",
    "'{[1,2)}'::int4multirange": "{[1,2)}",
    "ARRAY[1, NULL, 3]": "[1, null, 3]",
    "'{\"a\": [1, null]}'::jsonb": '{"a": [1, null]}',
    "'infinity'::date": "infinity",
    "'0044-03-15 BC'::date": "0044-03-15 BC",
    "'12345-01-01'::date": "12345-01-01",
    "'-infinity'::timestamptz": "-infinity",
    "'2024-02-29 12:00:00.5'::timestamp": "2024-02-29T12:00:00.500000",
    "'24:00'::time": "24:00:00",
    "'\\xdead'::bytea": "\\xdead",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "ROW(1, 'x')": "(1,x)",
    "'(1,2)'::point": "(1,2)",
    "NULL": "",
}
MYSQL_COLUMNS = {
    "BIT(10)": ("5", "\\x0005"),
    "TINYINT(1)": ("1", "1"),
    "YEAR": ("2024", "2024"),
    "TIME": ("'-838:59:59'", "-838:59:59"),
    "DATE": ("'0000-00-00'", "0000-00-00"),
    "DATETIME(6)": ("'2024-02-29 12:00:00.5'", "2024-02-29T12:00:00.500000"),
    "ENUM('x','y')": ("'y'", "y"),
    "SET('a','b')": ("'a,b'", "a,b"),
    "JSON": ("'{\"a\": 1}'", '{"a": 1}'),
    "GEOMETRY": ("ST_GeomFromText('POINT(1 2)')", "\\x000000000101000000000000000000f03f0000000000000040"),
    "BLOB": ("x'00ff'", "\\x00ff"),
    "DECIMAL(40,10)": ("1234567890123456789012345.1", "1234567890123456789012345.1000000000"),
    "DOUBLE": ("1e300", "1e+300"),
    "BIGINT UNSIGNED": ("18446744073709551615", "18446744073709551615"),
    "BINARY(3)": ("'a'", "\\x610000"),
}
SQLITE = {
    "x'00ff'": "\\x00ff",
    "1e999": "Infinity",
    "0.1": "0.1",
    "9223372036854775807": "9223372036854775807",
    "'2024-13-45'": "2024-13-45",
    "NULL": "",
}


def cells(dbctl: Dbctl, query: str, *more: str) -> dict[str, list[Any]]:
    """Return the values of the one row, by the format."""
    tsv = dbctl.ok("query", query, "-o", "tsv", *more).out.splitlines()[1]
    [row] = dbctl.ok("query", query, "-o", "json", *more).json
    assert len(dbctl.ok("query", query, "-o", "csv", *more).out.splitlines()) == 2
    assert dbctl.ok("query", query, "-o", "table", *more).out
    return {"tsv": tsv.replace("\\\\", "\\").split("\t"), "json": list(row.values())}


def checked(found: dict[str, list[Any]], expected: list[str]) -> None:
    assert found["tsv"] == expected
    texts = [value for value in found["json"] if isinstance(value, str)]
    assert set(texts) <= set(expected)


def test_types_of_postgresql(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    query = "SELECT " + ", ".join(f"{value} AS c{number}" for number, value in enumerate(POSTGRESQL))
    found = cells(forked(dbctl, postgres_database), query)
    checked(found, list(POSTGRESQL.values()))
    by_value = dict(zip(POSTGRESQL, found["json"], strict=True))
    assert by_value["ARRAY[1, NULL, 3]"] == [1, None, 3]
    assert by_value["true"] is True
    assert by_value["NULL"] is None


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_types_of_mysql(kind: str, dbctl: Dbctl, request: pytest.FixtureRequest) -> None:
    database: TestDatabase = request.getfixturevalue(f"{kind}_database")
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(MYSQL_COLUMNS))
    values = ", ".join(value for value, _ in MYSQL_COLUMNS.values())
    dbctl = forked(dbctl, database)
    script = f"SET sql_mode = ''; CREATE TABLE t ({columns}); INSERT INTO t VALUES ({values})"
    dbctl.ok("query", "--write", script, "-o", "json")
    checked(cells(dbctl, "SELECT * FROM t"), [text for _, text in MYSQL_COLUMNS.values()])


def test_types_of_sqlite(sqlite_database: TestDatabase, dbctl: Dbctl) -> None:
    sqlite_database.execute("SELECT 1")
    query = "SELECT " + ", ".join(f"{value} AS c{number}" for number, value in enumerate(SQLITE))
    checked(cells(forked(dbctl, sqlite_database), query), list(SQLITE.values()))


def test_rows_without_columns(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    dbctl = forked(dbctl, postgres_database)
    assert dbctl.ok("query", "SELECT FROM generate_series(1, 2)", "--json").json == [{}, {}]
    assert dbctl("query", "SELECT FROM generate_series(1, 2)", "--expect-rows", "2").code == 0
    assert dbctl.ok("query", "SELECT FROM generate_series(1, 2)", "-o", "table").out == ""
