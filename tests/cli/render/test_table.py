"""A table settles its widths on its first rows, keeps to them, and breaks no word where the screen is too narrow."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from dbctl.cli.render.layout import width_of
from dbctl.cli.render.screen import Screen
from dbctl.cli.render.sheets import sheet_of
from dbctl.cli.render.table import table
from dbctl.results import Rows
from tests.cli.render.writing import written

PIPE = Screen(None, styled=False)


def narrow(width: int) -> Screen:
    return Screen(width, styled=False)


def shown(columns: Sequence[str], rows: Any, screen: Screen = PIPE) -> list[str]:
    return written(table, Rows(columns, rows), screen=screen).splitlines()


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    assert shown(["id", "name", "note"], [(1, "Spider-Boy", None), (23, "D", "x")]) == [
        "id   name         note",
        "──────────────────────",
        " 1   Spider-Boy",
        "23   D            x",
    ]


def test_characters_of_two_cells_keep_the_columns_straight() -> None:
    lines = shown(["a", "b"], [("日本", "x"), ("e\u0301", "y"), ("abcd", "z")])
    assert {width_of(line.rpartition(" ")[0]) for line in lines[2:]} == {6}


def test_what_comes_later_and_is_wider_is_folded_on_a_screen() -> None:
    rows = [("x", "short")] * 1000 + [("x", "several words that are longer than all before"), ("y", "short")]
    lines = shown(["k", "text"], rows, narrow(30))
    assert lines[1002:] == ["x   several words that are", "    longer than all before", "y   short"]


def test_a_column_moves_its_end_where_the_screen_has_room() -> None:
    rows = [(number, "x") for number in range(1, 20_001)]
    lines = shown(["id", "k"], rows, narrow(30))
    assert len(lines) == 20_002
    assert (lines[2], lines[-1]) == ("   1   x", "20000   x")


def test_in_a_pipe_a_row_is_a_line_and_one_long_value_makes_no_other_line_long() -> None:
    rows = [("a", 1)] * 1000 + [("b" * 10_000, 2)] + [("c", 3)] * 3
    lines = shown(["k", "n"], rows)
    assert len(lines) == 1006
    assert lines[1002] == "b" * 10_000 + "   2"
    assert max(map(len, lines[1003:])) < 210
    later = shown(["k", "n"], [("a", 1)] * 3000 + rows)
    assert {len(line) for line in later[-3:]} == {5}


def test_a_screen_too_narrow_for_the_words_has_a_record_below_another() -> None:
    rows = [(1, "a-word-of-twenty-char", None), (2, "b", "another-word-of-25-charact")]
    assert shown(["id", "first_name", "last"], rows, narrow(40)) == [
        "id           1",
        "first_name   a-word-of-twenty-char",
        "last",
        "",
        "id           2",
        "first_name   b",
        "last         another-word-of-25-charact",
    ]


def test_of_data_a_record_has_nulls_too_and_the_databases_names() -> None:
    records = shown(["long_1", "long_2", "a_b"], [("x" * 30, "y" * 30, None)], narrow(50))
    assert records == [f"long_1   {'x' * 30}", f"long_2   {'y' * 30}", "a_b"]


def test_records_are_apart_across_batches() -> None:
    rows = [("x" * 30, number) for number in range(2500)]
    lines = shown(["a", "b"], iter(rows), narrow(20))
    assert [line for line in lines if line.startswith("b ")] == [f"b   {number}" for number in range(2500)]
    assert lines.count("") == 2499


def test_a_word_that_no_screen_has_room_for_is_broken_and_whole() -> None:
    lines = shown(["a"], [("x" * 95,)], narrow(40))
    assert max(map(len, lines)) <= 40
    assert "".join(lines).count("x") == 95


@pytest.mark.parametrize("width", [None, 20, 80])
def test_a_value_is_no_format(width: int | None) -> None:
    rows = [("%s %d %%", "{x}", "a\\b")]
    assert "%s %d %%" in " ".join(" ".join(shown(["%s", "{}", "\\"], rows, Screen(width, styled=False))).split())


def test_control_characters_are_shown_and_not_obeyed() -> None:
    rows = [("\x1b[31m", "a\nb")] + [("x", "y")] * 2000 + [("\x9b", "a\r\x00")]
    lines = shown(["a", "b"], rows)
    assert lines[2] == "\\x1b[31m   a\\nb"
    assert lines[-1].split() == ["\\x9b", "a\\r\\x00"]
    assert len(lines) == 2004


def test_headings_are_bold_where_that_is_understood() -> None:
    lines = shown(["id", "name"], [(1, "x")], Screen(80, styled=True))
    assert lines[0] == "\x1b[1mid   name\x1b[0m"
    assert "\x1b" not in "".join(lines[1:])
    records = shown(["id", "name"], [(1, "x" * 90)], Screen(80, styled=True))
    assert records[0] == "\x1b[1mid  \x1b[0m   1"


def test_the_first_lines_do_not_wait_for_a_thousand_slow_rows() -> None:
    def rows() -> Iterator[tuple[int]]:
        for number in range(1000):
            time.sleep(0.3)
            yield (number,)

    began = time.monotonic()
    pieces = written_as_it_comes(rows())
    assert next(pieces).startswith("n\n")
    next(pieces)
    assert time.monotonic() - began < 10


def written_as_it_comes(rows: Iterator[Any]) -> Iterator[str]:
    from dbctl.cli.render.sheets import sheet_of
    from tests.cli.render.writing import function

    return table(sheet_of(Rows(["n"], rows), function, {}, flat=True), PIPE)


def test_a_single_record_is_a_line_a_value() -> None:
    @dataclass(frozen=True)
    class Hero:
        id: int
        secret_name: str | None
        team: str

    assert written(table, Hero(1, None, "Z"), screen=PIPE) == "id     1\nteam   Z\n"


@dataclass(frozen=True)
class Tried:
    """A row with an error that may be long, and a value that may be missing."""

    profile: str
    version: str | None
    tls: str | None
    error: str | None = field(default=None, metadata={"across": True})


def attempts() -> Sequence[Tried]:
    """Stand for a command, whose annotation tells what its rows are."""
    return []


def tried(screen: int | Screen, *rows: Tried) -> list[str]:
    sheet = sheet_of(list(rows), attempts, {}, flat=True)
    return "".join(table(sheet, narrow(screen) if isinstance(screen, int) else screen)).splitlines()


def test_a_long_text_stands_below_its_row_across_all_of_it() -> None:
    assert tried(
        40, Tried("a", "15", "v1.3"), Tried("b", None, None, "connection refused by a server that is away")
    ) == [
        "profile   version   tls",
        "────────────────────────",
        "a         15        v1.3",
        "b",
        "  connection refused by a server that is",
        "  away",
    ]


def test_a_column_without_any_value_goes_where_not_all_fit() -> None:
    assert tried(40, Tried("a", None, "v1.3"))[0] == "profile   version   tls"
    assert tried(22, Tried("a", None, "v1.3")) == ["profile   tls", "──────────────", "a         v1.3"]


def test_without_unicode_a_rule_is_of_hyphens() -> None:
    lines = tried(Screen(80, styled=False, ascii_only=True), Tried("a", "15", None))
    assert lines[1] == "-" * len("profile   version   tls")
