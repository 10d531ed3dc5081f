"""Data is data: whatever is in a value is stored as it is, and shown without a terminal, a markup or SQL reading it."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Sequence

import pytest

import dbctl as library
from dbctl.backends import backend_of
from dbctl.cli.exits import exit_code
from dbctl.connections.connector import Connector
from dbctl.errors import DbctlError, WorkRefused
from dbctl.sample import SampleModel, add_hero, show_hero
from dbctl.tables.changes import create_missing
from tests.harness.cli import Dbctl, Result
from tests.harness.database import TestDatabase

MARKUP = ["[red]", "[/]", "[/red]x", "[bold red]x[/]", "\\[x]", "[link=http://x]y[/link]", ":smile:", "[@click=f]x[/]"]
ESCAPES = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H",
    "\x1bc",
    "\x9b31mred",
    "\x90q\x9c",
    "\x7f\x08\x08",
    "a\x01b\x1fc",
]
UNICODE = [
    "Ä€",
    "😀\u200d🌈",
    "e\u0301",
    "e\u0301" * 50,
    "日本語",
    "\u200b\ufeff",
    "\u202eabc",
    "\U0010ffff",
    "a\u2028b\u2029c\x85d",
]
QUOTES = ["'", '"', "`", "''; DROP TABLE hero; --", "\\", "\\'", "\\n", "a\\", "$(touch x)", "`touch x`"]
PLACEHOLDERS = ["%", "%s", "%(name)s", "100%", ":name", ":1", "?", "{x}", "{0}", "${HOME}", "$1", "@@version"]
SPACES = [" ", "  ", " x ", "a\tb", "a\nb", "a\r\nb", "\r", "\n", "\x0b\x0c", "\xa0x\xa0"]
WORDS = ["-x", "--json", "--", "-", "NULL", "null", "true", "0", "1e5", "=1+1", "@x", "x" * 200, "😀" * 200]
VALUES = [*MARKUP, *ESCAPES, *UNICODE, *QUOTES, *PLACEHOLDERS, *SPACES, *WORDS]

FORMATS = ("table", "tsv", "csv", "json", "jsonl")


def heroes(database: TestDatabase) -> list[tuple[str, str]]:
    """Return all names, read past dbctl."""
    return [(row[0], row[1]) for row in database.execute("SELECT name, secret_name FROM hero ORDER BY id")]


def controls(text: str) -> set[str]:
    return {character for character in text if unicodedata.category(character) == "Cc"}


def selected(on_database: Dbctl, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> library.Profile:
    """Return the test's profile, for use in this process."""
    for name, value in database.env.items():
        monkeypatch.setenv(name, value)
    return library.profile(database.profile, config=str(on_database.cwd / "profiles.toml"))


def store(profile: library.Profile, pairs: Sequence[tuple[str, str]]) -> None:
    """Add heroes in one unit of work, after the tables that they need."""
    engine = library.build_engine(profile)
    try:
        with library.unit_of_work(Connector(engine, backend_of(profile))) as database:
            create_missing(database, [SampleModel.metadata])
        with library.unit_of_work(Connector(engine, backend_of(profile))) as database:
            for name, secret_name in pairs:
                add_hero(database.session, name, secret_name)
    finally:
        engine.dispose()


@pytest.fixture
def stored(on_database: Dbctl, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> Dbctl:
    """Heroes with every hostile name."""
    store(selected(on_database, database, monkeypatch), [(value, value) for value in VALUES])
    return on_database


# A few of each kind also go in by the command line, where a run takes much longer than a row.
ARGUMENTS = [ESCAPES[:4], UNICODE[:2], QUOTES[3:7], PLACEHOLDERS[:4], SPACES[:8], WORDS]


@pytest.mark.parametrize("group", ARGUMENTS, ids=lambda group: ascii(group[0]))
def test_an_argument_is_stored_exactly(group: list[str], on_sample: Dbctl) -> None:
    pairs = list(zip(group[::2], [*group[1::2], "last"], strict=False))
    for name, secret_name in pairs:
        added = on_sample.ok("heroes", "add", f"--secret-name={secret_name}", "--json", "--", name).json
        assert added["name"] == name
    database = TestDatabase.on_file(on_sample.cwd / "dev.db")
    assert heroes(database)[2:] == pairs


def test_values_are_stored_exactly(stored: Dbctl, database: TestDatabase) -> None:
    assert heroes(database) == [(value, value) for value in VALUES]


def test_json_has_values_as_they_are(stored: Dbctl) -> None:
    assert [hero["name"] for hero in stored.ok("heroes", "list", "--json").json] == VALUES
    lines = stored.ok("heroes", "list", "-o", "jsonl").lines
    assert [json.loads(line)["name"] for line in lines] == VALUES


def test_csv_in_a_pipe_has_values_as_they_are(stored: Dbctl) -> None:
    text = stored.ok("heroes", "list", "-o", "csv").out
    assert [row["name"] for row in csv.DictReader(io.StringIO(text, newline=""))] == VALUES


def test_tab_separated_text_has_values_that_can_be_unescaped(stored: Dbctl) -> None:
    def unescape(match: re.Match[str]) -> str:
        found = match[1]
        return chr(int(found[1:], 16)) if found[0] in "xu" else {"t": "\t", "n": "\n", "r": "\r"}.get(found, found)

    rows = stored.ok("heroes", "list", "-o", "tsv").rows
    assert [re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|[tnr\\])", unescape, row["name"]) for row in rows] == VALUES


@pytest.mark.parametrize("output", FORMATS)
def test_a_terminal_gets_no_control_character_of_a_value(output: str, stored: Dbctl) -> None:
    result = stored.tty("heroes", "list", "-o", output, columns=200)
    assert result.code == 0
    shown = result.out.replace("\x1b[1m", "").replace("\x1b[0m", "")  # the table's own heading is bold
    assert controls(shown) == ({"\t", "\n"} if output == "tsv" else {"\n"})


@pytest.mark.parametrize("wide", [80, 200])
def test_a_terminal_shows_markup_as_it_is(wide: int, stored: Dbctl) -> None:
    shown = stored.tty("heroes", "list", columns=wide).plain
    for value in [*MARKUP, *PLACEHOLDERS]:
        assert f" {value} " in shown.replace("\n", " \n")


def test_a_table_in_a_pipe_has_a_line_for_each_row(stored: Dbctl) -> None:
    assert len(stored.ok("heroes", "list", "-o", "table").lines) == len(VALUES) + 2


def test_each_row_is_found_by_its_name(stored: Dbctl, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = library.build_engine(profile := selected(stored, database, monkeypatch))
    lost = []
    with library.unit_of_work(Connector(engine, backend_of(profile)), writes=False) as unit:
        for value in VALUES:
            try:
                assert show_hero(unit.session, value).name == value
            except DbctlError as error:
                lost.append((value, str(error)))
    engine.dispose()
    assert lost == []


TURNS = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


@pytest.mark.parametrize("command", [("heroes", "list"), ("heroes", "show", "1")], ids=" ".join)
def test_a_value_turns_no_line_of_a_table_on_a_terminal(command: tuple[str, ...], on_sample: Dbctl) -> None:
    on_sample.ok("heroes", "update", "1", "--name", f"a{TURNS}b")
    shown = on_sample.tty(*command, "-o", "table", columns=300).plain
    assert "a\\u202a\\u202b\\u202c\\u202d\\u202e\\u2066\\u2067\\u2068\\u2069b" in shown
    assert f"a{TURNS}b" in on_sample.ok(*command, "-o", "table").out


@pytest.mark.parametrize(
    "value", [*ESCAPES[:3], "\x9b31mred", "a\nb", "\r\n", "\x0b\x0c", "a\u2028b\u2029c\x85d", "[red]%s{x}"], ids=ascii
)
def test_an_error_about_a_value_is_one_harmless_line(value: str, on_sample: Dbctl) -> None:
    result = on_sample("heroes", "show", "--", f"no {value}")
    assert result.code == 1
    assert result.talk.startswith('dbctl: error: there is no hero "no ')
    assert result.err.endswith("\n")
    assert len(result.err.splitlines()) == 1
    assert controls(result.err) == {"\n"}


def test_nul_is_stored_and_shown_or_refused_in_one_line(
    on_database: Dbctl, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No argument of a program can hold it, a service's own data can.
    profile = selected(on_database, database, monkeypatch)
    if database.kind == "postgresql":
        with pytest.raises(WorkRefused, match=r"\A[^\n]*NUL[^\n]*\Z") as caught:
            store(profile, [("a", "b"), ("c\0d", "e")])
        assert exit_code(caught.value) == 1
        assert heroes(database) == []
        return
    store(profile, [("a", "b"), ("c\0d", "\0")])
    assert heroes(database) == [("a", "b"), ("c\0d", "\0")]
    for output in FORMATS:
        assert "\0" not in on_database.tty("heroes", "list", "-o", output).out
    assert [hero["name"] for hero in on_database.ok("heroes", "list", "--json").json] == ["a", "c\0d"]
    assert r"c\x00d" in on_database.tty("heroes", "list").plain


@pytest.mark.parametrize("character", ["x", "Ä", "😀"])
def test_a_name_that_is_too_long_is_refused_in_one_line(
    character: str, on_database: Dbctl, database: TestDatabase
) -> None:
    on_database.ok("init-tables")
    result = on_database("heroes", "add", character * 201, "--secret-name", "s")
    refused(result)
    assert heroes(database) == []


@pytest.mark.parametrize("age", [2**31, 2**63, 2**70], ids=["2**31", "2**63", "2**70"])
def test_a_number_out_of_range_is_refused_in_one_line(age: int, on_database: Dbctl, database: TestDatabase) -> None:
    on_database.ok("init-tables")
    result = on_database("heroes", "add", "A", "--secret-name", "s", "--age", str(age))
    refused(result)
    assert heroes(database) == []


def test_a_number_that_python_does_not_read_is_a_usage_error(on_sample: Dbctl) -> None:
    result = on_sample("heroes", "add", "A", "--secret-name", "s", "--age", "1" * 5000)
    assert result.code == 2
    assert result.talk.count("\n") == 1


@pytest.mark.parametrize("number", [str(2**31), str(2**63), "1" * 5000], ids=["2**31", "2**63", "5000 digits"])
@pytest.mark.parametrize("command", ["heroes show", "heroes remove", "heroes list --team"])
def test_a_number_too_big_for_an_id_is_a_name(command: str, number: str, on_sample: Dbctl) -> None:
    result = on_sample(*command.split(), number)
    assert result.code == 1, str(result)
    assert f'"{number}"' in result.err


@pytest.mark.parametrize("number", [2**63, 2**70])
@pytest.mark.parametrize("option", ["--limit", "--after"])
def test_a_page_beyond_all_numbers_is_no_bug(option: str, number: int, on_database: Dbctl) -> None:
    on_database.ok("init-tables")
    result = on_database("heroes", "list", option, str(number), "--json")
    if result.code != 0:
        refused(result)
    else:
        assert result.json == []


def refused(result: Result) -> None:
    assert (result.code, result.out) == (1, ""), str(result)
    assert result.talk.startswith("dbctl: error: ")
    assert result.talk.count("\n") == 1
