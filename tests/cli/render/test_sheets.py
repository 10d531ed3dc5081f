"""A result becomes rows below columns: only a declared dataclass is taken apart, and no value is lost."""

import csv
import io
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql import Range

from dbctl.cli.render.delimited import csv_text, tsv_text
from dbctl.cli.render.json_text import array, lines
from dbctl.cli.render.screen import Screen
from dbctl.cli.render.sheets import MOST, Batch, sheet_of
from dbctl.cli.render.table import table
from dbctl.errors import ConfigError, UsageError
from dbctl.results import Rows
from tests.cli.render.writing import data, function, strictly, written

PIPE = Screen(None, styled=False)


@dataclass(frozen=True)
class Inner:
    low: int
    high: int


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner | None
    document: Any = None


@dataclass(frozen=True)
class Other:
    name: str


def declared() -> Sequence[Outer]:
    """Stand for a command that says what its rows are."""
    return []


def in_csv(result: Any, command: Any = function) -> list[list[str]]:
    out = "".join(csv_text(sheet_of(result, command, {}, flat=True), on_terminal=False))
    return list(csv.reader(io.StringIO(out, newline="")))


def test_a_document_is_one_column_in_every_format() -> None:
    rows = [Outer("a", None, {"x": 1}), Outer("b", None, {"y": {"z": [2]}}), Outer("c", None, {})]
    assert in_csv(rows, declared)[0] == ["name", "inner.low", "inner.high", "document"]
    assert [row[-1] for row in in_csv(rows)[1:]] == ['{"x": 1}', '{"y": {"z": [2]}}', "{}"]
    assert [row.split("\t")[-1] for row in written(tsv_text, rows).splitlines()[1:]] == [
        '{"x": 1}',
        '{"y": {"z": [2]}}',
        "{}",
    ]
    assert [row["document"] for row in strictly(written(array, rows, flat=False, ascii_only=False))] == [
        {"x": 1},
        {"y": {"z": [2]}},
        {},
    ]
    assert '{"y": {"z": [2]}}' in written(table, rows, screen=PIPE)


def test_a_dataclass_within_is_columns_and_in_json_an_object() -> None:
    rows = [Outer("a", Inner(1, 2)), Outer("b", Inner(3, 4))]
    assert in_csv(rows) == [
        ["name", "inner.low", "inner.high", "document"],
        ["a", "1", "2", ""],
        ["b", "3", "4", ""],
    ]
    [first, _] = strictly(written(array, rows, flat=False, ascii_only=False))
    assert first == {"name": "a", "inner": {"low": 1, "high": 2}, "document": None}


def test_one_that_is_missing_first_still_has_its_columns() -> None:
    expected = [["name", "inner.low", "inner.high", "document"], ["a", "", "", ""], ["b", "3", "4", ""]]
    assert in_csv([Outer("a", None), Outer("b", Inner(3, 4))]) == expected
    assert in_csv([Outer("b", Inner(3, 4)), Outer("a", None)]) == [expected[0], expected[2], expected[1]]
    assert in_csv([], declared) == expected[:1]


def test_a_range_is_a_value_though_it_is_a_dataclass() -> None:
    @dataclass(frozen=True)
    class Stay:
        nights: Range[int] | None

    assert in_csv([Stay(Range(1, 3)), Stay(None)]) == [["nights"], ["[1,3)"], [""]]
    assert in_csv([Stay(None), Stay(Range(1, 3))]) == [["nights"], [""], ["[1,3)"]]


def test_a_dataclass_where_a_value_was_is_still_there() -> None:
    assert in_csv([Outer("a", None, 1), Outer("b", None, Inner(1, 2))])[2][-1] == '{"low": 1, "high": 2}'


@pytest.mark.parametrize("flat", [csv_text, tsv_text, table])
def test_rows_with_different_columns_are_refused_where_they_would_lose_values(flat: Any) -> None:
    rows = [Other("a"), Outer("b", None)]
    ways: dict[Any, dict[str, Any]] = {csv_text: {"on_terminal": False}, tsv_text: {}, table: {"screen": PIPE}}
    how = ways[flat]
    with pytest.raises(UsageError, match="different columns, which only JSON can show"):
        written(flat, rows, **how)
    assert [row["name"] for row in strictly(written(array, rows, flat=False, ascii_only=False))] == ["a", "b"]
    out = written(lines, [*rows, *rows], flat=False, ascii_only=False)
    assert [json.loads(line)["name"] for line in out.splitlines()] == ["a", "b", "a", "b"]


def test_columns_known_at_run_time_are_shown_without_a_row() -> None:
    nothing: Rows[Any] = Rows(["id", "na,me"], iter(()))
    assert in_csv(nothing) == [["id", "na,me"]]
    assert written(tsv_text, nothing) == "id\tna,me\n"
    assert written(table, nothing, screen=PIPE).splitlines()[0].split("   ") == ["id", "na,me"]
    assert written(array, nothing, flat=False, ascii_only=False) == "[]\n"
    assert written(lines, nothing, flat=False, ascii_only=False) == ""


def test_no_column_hides_another_of_its_name() -> None:
    rows: Rows[Any] = Rows(["id", "id", "id_2", "id", ""], iter([(1, 2, 3, 4, 5)]))
    assert rows.columns == ("id", "id_3", "id_2", "id_4", "")
    [row] = strictly(written(array, rows, flat=False, ascii_only=False))
    assert list(row.values()) == [1, 2, 3, 4, 5]


def test_a_columns_name_may_be_anything() -> None:
    names = ['"', "%s", "a%", "tab\there", "{x}", "ä", "new\nline", "\x1b[31m"]
    rows: Rows[Any] = Rows(names, [list(range(len(names)))])
    [row] = strictly(written(array, rows, flat=False, ascii_only=True))
    assert list(row) == names
    [row] = [json.loads(line) for line in written(lines, rows, flat=False, ascii_only=False).splitlines()]
    assert list(row) == names
    assert in_csv(rows)[0] == names
    assert written(tsv_text, rows).split("\n")[0].split("\t")[3] == r"tab\there"
    assert "\x1b" not in written(table, rows, screen=PIPE)


def test_rows_without_columns_are_still_rows() -> None:
    rows: Rows[Any] = Rows([], [(), ()])
    assert written(array, rows, flat=False, ascii_only=False) == "[\n  {},\n  {}\n]\n"
    assert written(lines, rows, flat=False, ascii_only=False) == "{}\n{}\n"
    assert written(tsv_text, rows) == "\n\n\n"


def test_what_is_added_is_the_last_column() -> None:
    results: list[Any] = [[Other("a")], Rows(["name"], [("a",)])]
    for result in results:
        sheet = sheet_of(result, function, {"committed": False}, flat=True)
        assert "".join(tsv_text(sheet)) == "name\tcommitted\na\tfalse\n"
    assert "".join(tsv_text(sheet_of([], lambda: [], {"committed": False}, flat=True))) == ""


@pytest.mark.parametrize("result", ["text", b"bytes", 5, {"a": 1}, Outer])
def test_what_is_no_result_is_refused(result: Any) -> None:
    with pytest.raises(ConfigError, match="can't be shown as a result"):
        sheet_of(result, function, {}, flat=True)


def test_what_is_no_row_is_refused() -> None:
    with pytest.raises(ConfigError, match="dict can't be shown as a result"):
        in_csv([{"a": 1}])


def test_rows_of_a_kind_yield_it_and_can_be_drawn() -> None:
    rows = Rows.of(Inner, iter([(1, 2), (3, 4)]))
    assert rows.columns == ("low", "high")
    kept = rows.drawn()
    assert list(kept) == list(kept) == [Inner(1, 2), Inner(3, 4)]
    assert list(Rows(["a", "b"], [[1, 2]])) == [(1, 2)]


def batches(rows: Iterator[Any]) -> Iterator[Batch]:
    return sheet_of(Rows(["n"], rows), function, {}, flat=True).batches


def test_the_first_row_is_handed_on_before_the_second_is_asked_for() -> None:
    asked = []

    def rows() -> Iterator[tuple[int]]:
        for number in range(10_000):
            asked.append(number)
            yield (number,)

    found = batches(rows())
    assert next(found).rows == [(0,)]
    assert asked == [0]
    sizes = [len(batch.rows) for batch in found]
    assert max(sizes) == MOST
    assert sum(sizes) == 9_999


def test_rows_that_come_slowly_are_handed_on_as_they_come() -> None:
    def rows() -> Iterator[tuple[int]]:
        for number in range(40):
            time.sleep(0 if number < 20 else 0.11)
            yield (number,)

    sizes = [len(batch.rows) for batch in batches(rows())]
    assert sum(sizes) == 40
    assert sizes[-10:] == [1] * 10


def test_a_mark_has_its_column_below() -> None:
    @dataclass(frozen=True)
    class Finding:
        name: str
        why: str | None = field(default=None, metadata={"below": "→ "})

    def found() -> Sequence[Finding]:
        return []

    sheet = sheet_of([Finding("a", "because"), Finding("b")], found, {}, flat=True)
    assert [line for piece in table(sheet, PIPE) for line in piece.splitlines()] == [
        "name",
        "─" * 9,
        "a",
        "→ because",
        "b",
    ]


def test_data_can_be_of_any_length() -> None:
    assert written(tsv_text, data(*[(n,) for n in range(3 * MOST)])).count("\n") == 3 * MOST + 1
