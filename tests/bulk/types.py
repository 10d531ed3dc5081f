"""A table with a column of each type, and the texts that its values have in files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.harness.database import Kind, TestDatabase


@dataclass(frozen=True)
class Case:
    """A column.

    Attributes:
        type: its type.
        values: what is inserted, as SQL; as many as any other has.
        texts: what files have of it, None for NULL.
    """

    type: str
    values: tuple[str, str, str]
    texts: tuple[str | None, str | None, str | None]


_POSTGRESQL = [
    Case("smallint", ("-1", "NULL", "32767"), ("-1", None, "32767")),
    Case("numeric(38, 10)", ("1.5", "'NaN'", "1234567890123456789012345678.5"),
         ("1.5000000000", "NaN", "1234567890123456789012345678.5000000000")),
    Case("real", ("0.1", "'Infinity'", "3e38"), ("0.1", "Infinity", "3e+38")),
    Case("float8", ("0.1", "'-Infinity'", "1e-300"), ("0.1", "-Infinity", "1e-300")),
    Case("boolean", ("true", "NULL", "false"), ("true", None, "false")),
    Case("text", ("''", "E'l1\\nl2\\t,\"q\"\\r\\\\N'", "'\\.'"), ("", 'l1\nl2\t,"q"\r\\N', "\\.")),
    Case("char(3)", ("'a'", "'😀'", "NULL"), ("a  ", "😀  ", None)),
    Case("bytea", ("'\\x00ff'", "''", "NULL"), ("\\x00ff", "\\x", None)),
    Case("bit(3)", ("'101'", "'000'", "NULL"), ("101", "000", None)),
    Case("date", ("'0044-03-15 BC'", "'infinity'", "'10000-01-01'"), ("0044-03-15 BC", "infinity", "10000-01-01")),
    Case("time", ("'24:00'", "'00:00:01.5'", "NULL"), ("24:00:00", "00:00:01.5", None)),
    Case("timestamp", ("'2026-01-31 12:00:00.25'", "'-infinity'", "NULL"),
         ("2026-01-31 12:00:00.25", "-infinity", None)),
    Case("timestamptz", ("'2026-01-31 12:00+05:30'", "'0001-01-01 BC UTC'", "NULL"),
         ("2026-01-31 06:30:00+00", "0001-01-01 00:00:00+00 BC", None)),
    Case("interval", ("'1 year 2 months -3 days'", "'-04:05:06.7'", "'0'"),
         ("1 year 2 mons -3 days", "-04:05:06.7", "00:00:00")),
    Case("json", ("'null'", "NULL", "'{\"a\": [\"b\"]}'"), ("null", None, '{"a": ["b"]}')),
    Case("jsonb", ("'\"text\"'", "'true'", "'[\"x\"]'"), ('"text"', "true", '["x"]')),
    Case("int[]", ("'{1,NULL}'", "'[0:1]={1,2}'", "'{}'"), ("{1,NULL}", "[0:1]={1,2}", "{}")),
    Case("text[]", ("ARRAY['a\"b', '\\', '']", "NULL", "ARRAY['NULL']"), ('{"a\\"b","\\\\",""}', None, '{"NULL"}')),
    Case("uuid", ("'550E8400-E29B-41D4-A716-446655440000'", "NULL", "NULL"),
         ("550e8400-e29b-41d4-a716-446655440000", None, None)),
    Case("int4range", ("'[1,5]'", "'empty'", "NULL"), ("[1,6)", "empty", None)),
]  # fmt: skip
_MYSQL = [
    Case("bigint unsigned", ("18446744073709551615", "NULL", "0"), ("18446744073709551615", None, "0")),
    Case("tinyint(1)", ("1", "0", "-5"), ("1", "0", "-5")),
    Case("decimal(65, 30)", ("1.5", "-0.001", "NULL"), ("1.5" + "0" * 29, "-0.001" + "0" * 27, None)),
    Case("float", ("0.1", "3e38", "NULL"), ("0.1", "3e+38", None)),
    Case("double", ("0.1", "1e300", "-1e-300"), ("0.1", "1e300", "-1e-300")),
    Case("varchar(40)", ("''", "'l1\\nl2\\t,\"q\"\\r\\\\N'", "'😀\\0x'"), ("", 'l1\nl2\t,"q"\r\\N', "😀\0x")),
    Case("varbinary(9)", ("x'00ff'", "''", "NULL"), ("\\x00ff", "\\x", None)),
    Case("bit(64)", ("b'101'", "18446744073709551615", "NULL"), ("0" * 61 + "101", "1" * 64, None)),
    Case("date", ("'9999-12-31'", "'0000-00-00'", "NULL"), ("9999-12-31", "0000-00-00", None)),
    Case("time(1)", ("'-838:59:59'", "'00:00:01.5'", "NULL"), ("-838:59:59.0", "00:00:01.5", None)),
    Case("datetime(2)", ("'2026-01-31 12:00:00.25'", "'0000-00-00 00:00:00'", "NULL"),
         ("2026-01-31 12:00:00.25", "0000-00-00 00:00:00.00", None)),
    Case("timestamp NULL", ("'2026-01-31 12:00:00'", "'0000-00-00 00:00:00'", "NULL"),
         ("2026-01-31 07:00:00+00", "0000-00-00 00:00:00", None)),
    Case("year", ("2026", "0", "NULL"), ("2026", "0", None)),
    Case("enum('a', 'b,c')", ("'b,c'", "NULL", "'a'"), ("b,c", None, "a")),
    Case("json", ("'{\"a\": [\"b\"]}'", "'null'", "NULL"), ('{"a": ["b"]}', "null", None)),
]  # fmt: skip
_SQLITE = [
    Case("INTEGER", ("-1", "NULL", "9223372036854775807"), ("-1", None, "9223372036854775807")),
    Case("REAL", ("0.1", "9e999", "-1e-300"), ("0.1", "Infinity", "-1e-300")),
    Case("BOOLEAN", ("1", "NULL", "0"), ("true", None, "false")),
    Case("TEXT", ("''", "'l1' || char(10) || 'l2' || char(9) || ',\"q\"' || char(13) || '\\N'", "'\\.'"),
         ("", 'l1\nl2\t,"q"\r\\N', "\\.")),
    Case("BLOB", ("x'00ff'", "x''", "NULL"), ("\\x00ff", "\\x", None)),
    Case("JSON", ("'{\"a\": [\"b\"]}'", "'null'", "NULL"), ('{"a": ["b"]}', "null", None)),
    Case("DATETIME", ("'2026-01-31 12:00:00'", "NULL", "NULL"), ("2026-01-31 12:00:00", None, None)),
]  # fmt: skip

TYPES: Mapping[Kind, Sequence[Case]] = {
    "postgresql": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _SQLITE,
}


def made(database: TestDatabase, name: str = "thing") -> None:
    """Create the table, with a key `id`, and its three rows."""
    cases = TYPES[database.kind]
    columns = ", ".join(f"c{number} {case.type}" for number, case in enumerate(cases))
    rows = [", ".join(case.values[row] for case in cases) for row in range(3)]
    values = ", ".join(f"({number}, {row})" for number, row in enumerate(rows, 1))
    database.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, {columns})")
    if database.dialect == "mysql":
        with_zone = database.connect()
        cursor = with_zone.cursor()
        cursor.execute("SET sql_mode = '', time_zone = '+05:00'")
        cursor.execute(f"INSERT INTO {name} VALUES {values}")
        with_zone.close()
        return
    database.execute(f"INSERT INTO {name} VALUES {values}")
