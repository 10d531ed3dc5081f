"""People get a table that fits their terminal and loses nothing; a pipe gets it neither cut, wrapped nor coloured."""

import re
import sqlite3
from collections.abc import Sequence

import pytest

from tests.harness.cli import Dbctl

# Each value is one letter, many times, and no other value or heading has that letter: so it can be counted.
HERO, SECRET, OLD_TEAM, NEW_TEAM = "λ" * 190, "β" * 150, "ψ" * 170, "δ" * 130
LENGTHS = {"λ": 190, "ψ": 170, "δ": 130}

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")
ESCAPE = "\x1b"


@pytest.fixture
def long_names(on_sample: Dbctl) -> Dbctl:
    with sqlite3.connect(on_sample.cwd / "dev.db") as connection:
        connection.execute("UPDATE hero SET name = ?, secret_name = ? WHERE id = 1", (HERO, SECRET))
        connection.execute("UPDATE team SET name = ? WHERE id = 1", (OLD_TEAM,))
        connection.execute("UPDATE team SET name = ? WHERE id = 2", (NEW_TEAM,))
    connection.close()
    return on_sample


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_shows_everything_in_its_width(columns: int, long_names: Dbctl) -> None:
    result = long_names.tty("transfers", "list", columns=columns)
    assert result.code == 0
    assert {letter: result.plain.count(letter) for letter in LENGTHS} == LENGTHS
    assert max(map(len, result.plain.splitlines())) <= columns
    assert "…" not in result.plain


@pytest.mark.parametrize("columns", [80, 200])
def test_a_single_record_is_shown_whole_on_a_terminal(columns: int, long_names: Dbctl) -> None:
    result = long_names.tty("heroes", "show", "1", columns=columns)
    assert (result.plain.count("λ"), result.plain.count("β"), result.plain.count("δ")) == (190, 150, 130)
    assert max(map(len, result.plain.splitlines())) <= columns


def test_a_person_is_told_that_there_are_no_rows_and_a_pipe_has_none(on_sample: Dbctl) -> None:
    for args in (("query", "SELECT id, name FROM hero WHERE 1 = 0"), ("heroes", "list", "--team", "1")):
        assert on_sample.tty(*args).plain.endswith("\n(no rows)\n")
        assert on_sample.ok(*args, "-o", "table").out.count("\n") == 2


@pytest.mark.parametrize("variables", [{}, {"COLUMNS": "20"}, {"COLUMNS": "500"}, {"TERM": "dumb"}], ids=str)
@pytest.mark.parametrize("args", [("transfers", "list"), ("heroes", "show", "1")], ids=" ".join)
def test_a_table_in_a_pipe_is_neither_wrapped_nor_cut(
    args: Sequence[str], variables: dict[str, str], long_names: Dbctl
) -> None:
    result = long_names.ok(*args, "--output", "table", env=variables)
    assert HERO in result.out
    assert NEW_TEAM in result.out
    assert len(result.lines) == (3 if args[0] == "transfers" else 6)


def test_a_very_long_value_is_one_line_in_a_pipe(on_sample: Dbctl) -> None:
    long = "x" * 200_000
    with sqlite3.connect(on_sample.cwd / "dev.db") as connection:
        connection.execute("UPDATE hero SET name = ? WHERE id = 1", (long,))
    connection.close()
    [_, _, first, *_] = on_sample.ok("heroes", "list", "--output", "table").lines
    assert long in first


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\n"])
def test_a_row_of_a_table_is_one_line_in_a_pipe(separator: str, on_sample: Dbctl) -> None:
    with sqlite3.connect(on_sample.cwd / "dev.db") as connection:
        connection.execute("UPDATE hero SET name = ? WHERE id = 1", (f"a{separator}b",))
    connection.close()
    assert len(on_sample.ok("heroes", "list", "--output", "table").out.split("\n")) == 5


DATA = [("profiles", "list", "-o", "table"), ("heroes", "show", "1", "-o", "table")]

FORCING = [
    {"FORCE_COLOR": "1"},
    {"CLICOLOR_FORCE": "1"},
    {"PY_COLORS": "1"},
    {"GITHUB_ACTIONS": "true"},
    {"TTY_COMPATIBLE": "1"},
    {"COLORTERM": "truecolor", "TERM": "xterm-256color"},
]


@pytest.mark.parametrize("variables", FORCING, ids=str)
@pytest.mark.parametrize("args", DATA, ids=" ".join)
def test_a_pipe_is_never_coloured(args: Sequence[str], variables: dict[str, str], on_sample: Dbctl) -> None:
    result = on_sample.ok(*args, env=variables)
    assert ESCAPE not in result.out + result.err


@pytest.mark.parametrize("variables", [{}, {"GITHUB_ACTIONS": "true"}], ids=str)
def test_help_in_a_pipe_is_not_coloured(variables: dict[str, str], dbctl: Dbctl) -> None:
    assert ESCAPE not in dbctl.ok("--help", env=variables).out


def test_help_is_coloured_on_a_terminal(dbctl: Dbctl) -> None:
    assert COLOUR.search(dbctl.tty("--help").out)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
        (("--no-color",), {}),
    ],
)
@pytest.mark.parametrize(
    "args", [("teams", "list"), ("ping",), ("--help",), ("heroes", "list", "--help"), ("nonsense",)], ids=" ".join
)
def test_no_colour_is_shown_to_who_wants_none(
    args: Sequence[str], options: Sequence[str], variables: dict[str, str], on_sample: Dbctl
) -> None:
    result = on_sample.tty(*options, *args, env=variables)
    assert result.plain.strip() != ""
    assert not COLOUR.search(result.out)


@pytest.mark.parametrize("args", [("teams", "list"), ("ping",), ("--help",)], ids=" ".join)
def test_a_dumb_terminal_gets_no_escape_at_all(args: Sequence[str], on_sample: Dbctl) -> None:
    assert ESCAPE not in on_sample.tty(*args, env={"TERM": "dumb"}).out


@pytest.mark.parametrize("output", ["json", "jsonl", "csv", "tsv"])
def test_what_is_for_programs_has_no_escapes_on_a_terminal_either(output: str, on_sample: Dbctl) -> None:
    result = on_sample.tty("teams", "list", "-o", output)
    assert ESCAPE not in result.out
    assert result.out == on_sample.ok("teams", "list", "-o", output).out
