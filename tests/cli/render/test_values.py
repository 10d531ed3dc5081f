"""Each kind of value has one text in each format, and JSON is JSON whatever comes."""

import csv
import io
from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extras import DateTimeTZRange, NumericRange
from sqlalchemy.dialects.postgresql import Range

from dbctl.cli.render.delimited import csv_text, tsv_text
from dbctl.cli.render.json_text import array, lines
from dbctl.cli.render.screen import Screen
from dbctl.cli.render.table import table
from dbctl.cli.render.values import jsonable, shown, text
from tests.cli.render.writing import data, strictly, written


class Colour(StrEnum):
    RED = "red"


class Size(Enum):
    LARGE = "L"
    NONE = None


class Rank(IntEnum):
    FIRST = 1


@dataclass(frozen=True)
class Point:
    x: int
    y: float


Pair = namedtuple("Pair", "left right")
NOON = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
WINTER = timezone(timedelta(hours=1))
LONG = timedelta(days=40, hours=3, minutes=2, seconds=1, microseconds=50)

# value: its text in CSV, in TSV before escapes and in the table of a query; in JSON; in the table of a declared row
VALUES: Sequence[tuple[Any, str, Any, str]] = [
    (None, "", None, ""),
    (True, "true", True, "yes"),
    (False, "false", False, "no"),
    (0, "0", 0, "0"),
    (-(2**70), str(-(2**70)), -(2**70), str(-(2**70))),
    (1.5, "1.5", 1.5, "1.5"),
    (0.1 + 0.2, "0.30000000000000004", 0.30000000000000004, "0.3"),
    (1e300, "1e+300", 1e300, shown(1e300)),
    (float("nan"), "NaN", "NaN", "NaN"),
    (float("inf"), "Infinity", "Infinity", "Infinity"),
    (float("-inf"), "-Infinity", "-Infinity", "-Infinity"),
    (Decimal("12.50"), "12.50", "12.50", "12.50"),
    (Decimal("0E-10"), "0.0000000000", "0.0000000000", "0.0000000000"),
    (Decimal("1E+3"), "1000", "1000", "1000"),
    (Decimal("NaN"), "NaN", "NaN", "NaN"),
    (Decimal("Infinity"), "Infinity", "Infinity", "Infinity"),
    ("", "", "", ""),
    ("Ä 日本", "Ä 日本", "Ä 日本", "Ä 日本"),
    (UUID(int=7), "00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000007", str(UUID(int=7))),
    (b"\x00hi\xff", "\\x006869ff", "\\x006869ff", "\\x006869ff"),
    (bytearray(b"a"), "\\x61", "\\x61", "\\x61"),
    (memoryview(b"a"), "\\x61", "\\x61", "\\x61"),
    (b"", "\\x", "\\x", "\\x"),
    (date(2026, 3, 1), "2026-03-01", "2026-03-01", "2026-03-01"),
    (NOON, "2026-03-01T12:00:00.000005Z", "2026-03-01T12:00:00.000005Z", "2026-03-01 12:00:00Z"),
    (datetime(2026, 3, 1), "2026-03-01T00:00:00", "2026-03-01T00:00:00", "2026-03-01 00:00:00"),
    (NOON.astimezone(WINTER), "2026-03-01T13:00:00.000005+01:00", "2026-03-01T13:00:00.000005+01:00",
     "2026-03-01 13:00:00+01:00"),
    (time(9, 30), "09:30:00", "09:30:00", "09:30:00"),
    (time(9, 30, tzinfo=UTC), "09:30:00Z", "09:30:00Z", "09:30:00Z"),
    (timedelta(), "00:00:00", "00:00:00", "00:00:00"),
    (LONG, "963:02:01.000050", "963:02:01.000050", "963:02:01.000050"),
    (timedelta(seconds=-1.5), "-00:00:01.500000", "-00:00:01.500000", "-00:00:01.500000"),
    (Colour.RED, "red", "red", "red"),
    (Size.LARGE, "L", "L", "L"),
    (Size.NONE, "", None, ""),
    (Rank.FIRST, "1", 1, "1"),
    ({"a": 1, "b": [None, 1.0]}, '{"a": 1, "b": [null, 1.0]}', {"a": 1, "b": [None, 1.0]},
     '{"a": 1, "b": [null, 1.0]}'),
    ({}, "{}", {}, "{}"),
    ({1: date(2026, 3, 1), None: float("nan")}, '{"1": "2026-03-01", "": "NaN"}', {"1": "2026-03-01", "": "NaN"},
     '{"1": "2026-03-01", "": "NaN"}'),
    ([1, None, "x"], '[1, null, "x"]', [1, None, "x"], '[1, null, "x"]'),
    (["a", "b"], '["a", "b"]', ["a", "b"], "a, b"),
    ([Decimal("1.0"), float("inf")], '["1.0", "Infinity"]', ["1.0", "Infinity"], '["1.0", "Infinity"]'),
    ([[1, 2], [3, 4]], "[[1, 2], [3, 4]]", [[1, 2], [3, 4]], "[[1, 2], [3, 4]]"),
    ([], "[]", [], ""),
    ({"b", "a"}, '["a", "b"]', ["a", "b"], '["a", "b"]'),
    (frozenset({2, 1}), "[1, 2]", [1, 2], "[1, 2]"),
    (Pair(1, "x"), '[1, "x"]', [1, "x"], "1, x"),
    ([Point(1, 2.5)], '[{"x": 1, "y": 2.5}]', [{"x": 1, "y": 2.5}], '[{"x": 1, "y": 2.5}]'),
    (Range(1, 10), "[1,10)", "[1,10)", "[1,10)"),
    (Range(None, 5, bounds="(]"), "(,5]", "(,5]", "(,5]"),
    (Range(empty=True), "empty", "empty", "empty"),
    (NumericRange(1, 10), "[1,10)", "[1,10)", "[1,10)"),
    (NumericRange(1.5, None, "()"), "(1.5,)", "(1.5,)", "(1.5,)"),
    (NumericRange(empty=True), "empty", "empty", "empty"),
    (DateTimeTZRange(NOON, None), "[2026-03-01T12:00:00.000005Z,)", "[2026-03-01T12:00:00.000005Z,)",
     "[2026-03-01T12:00:00.000005Z,)"),
    (ip_network("10.0.0.0/8"), "10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8"),
]  # fmt: skip
each_value = pytest.mark.parametrize(
    ("value", "flat", "in_json", "people"),
    VALUES,
    ids=[f"{type(value).__name__}-{number}" for number, (value, *_) in enumerate(VALUES)],
)


# A neighbour of another kind, before the value and after it, has the column taken value by value.
NEIGHBOURS: Sequence[Sequence[Any]] = [(), (1,), ("x",), (None,), (2.5,), ({"a": 1},)]


@each_value
def test_a_value_in_json(value: Any, flat: str, in_json: Any, people: str) -> None:
    for neighbours in NEIGHBOURS:
        rows = [(other, 0) for other in neighbours] + [(value, 1)]
        for ascii_only in (False, True):
            document = strictly(written(array, data(*rows), flat=False, ascii_only=ascii_only))
            assert document[-1] == {"c0": in_json, "c1": 1}
            [*_, last] = written(lines, data(*rows), flat=False, ascii_only=ascii_only).splitlines()
            assert strictly(last) == {"c0": in_json, "c1": 1}


@each_value
def test_a_value_in_csv(value: Any, flat: str, in_json: Any, people: str) -> None:
    for neighbours in NEIGHBOURS:
        rows = [(other, 0) for other in neighbours] + [(value, 1)]
        for on_terminal in (False, True):
            out = written(csv_text, data(*rows), on_terminal=on_terminal)
            [*_, last] = csv.reader(io.StringIO(out, newline=""))
            assert last == [flat, "1"]


@each_value
def test_a_value_in_tab_separated_text(value: Any, flat: str, in_json: Any, people: str) -> None:
    for neighbours in NEIGHBOURS:
        rows = [(other, 0) for other in neighbours] + [(value, 1)]
        [*_, last] = written(tsv_text, data(*rows)).split("\n")[:-1]
        assert last == flat.replace("\\", "\\\\") + "\t1"


@each_value
def test_a_value_in_the_table_of_a_query(value: Any, flat: str, in_json: Any, people: str) -> None:
    [_, _, line] = written(table, data((value, 1)), screen=Screen(None, styled=False)).splitlines()
    assert line.removesuffix("1").strip() == flat


@each_value
def test_a_value_in_a_table_for_people(value: Any, flat: str, in_json: Any, people: str) -> None:
    @dataclass(frozen=True)
    class Declared:
        value: Any
        one: int = 1

    [_, _, line] = written(table, [Declared(value)], screen=Screen(None, styled=False)).splitlines()
    assert line.removesuffix("1").strip() == people


@each_value
def test_its_texts(value: Any, flat: str, in_json: Any, people: str) -> None:
    assert text(value) == flat
    assert jsonable(value) == in_json


def test_a_value_of_people_keeps_three_decimals() -> None:
    assert [shown(value) for value in (1.0, 0.12345, 1234.5678, -0.5)] == ["1", "0.123", "1234.568", "-0.5"]
