"""`dbctl heroes add`."""

import pytest

from tests.harness.sample import Sample

HOSTILE = [
    "[red]Robert[/red]; DROP TABLE hero;--",
    "\x1b[31m\x1b]0;title\x07\x9b1m",
    "tab\tline\nreturn\r end",
    "100% %s %(name)s :name ? {0} $1",
    "'single' \"double\" `back` \\back\\slash",
    "🦸\u200d♀️ Ünïcödé \u202eright to left",
    " blanks ",
    "NULL",
]


def add(sample: Sample, *args: str, name: str = "Black Lion") -> dict[str, object]:
    result: dict[str, object] = sample.dbctl.ok("heroes", "add", name, "--secret-name", "Trevor", *args, "--json").json
    return result


@pytest.mark.parametrize("team", ["Z-Force", "2"])
def test_a_hero_that_is_added_is_shown_with_the_id_and_is_there(sample: Sample, team: str) -> None:
    row = add(sample, "--age", "35", "--team", team)
    assert row == {"id": 6, "name": "Black Lion", "age": 35, "team_id": 2, "team": "Z-Force"}
    assert sample.rows["hero"][5:] == [(6, "Black Lion", "Trevor", 35, 2)]


def test_age_and_team_may_be_left_out(sample: Sample) -> None:
    assert add(sample) == {"id": 6, "name": "Black Lion", "age": None, "team_id": None, "team": None}


def test_a_dry_run_shows_the_hero_and_adds_none(sample: Sample) -> None:
    before = sample.rows
    row = add(sample, "--team", "Preventers", "--dry-run")
    assert row == {"id": 6, "name": "Black Lion", "age": None, "team_id": 1, "team": "Preventers", "committed": False}
    assert sample.rows == before


def test_several_heroes_may_have_one_name(sample: Sample) -> None:
    assert add(sample, name="Deadpond")["id"] == 6


@pytest.mark.parametrize("team", ["Nobodies", "7", "99999999999999999999"])
def test_a_team_that_is_not_there_is_named_and_nobody_is_added(sample: Sample, team: str) -> None:
    before = sample.rows
    result = sample.dbctl("heroes", "add", "Black Lion", "--secret-name", "Trevor", "--team", team)
    assert (result.code, result.out) == (1, "")
    assert result.talk == f'dbctl: error: there is no team "{team}"; dbctl teams list shows all\n'
    assert sample.rows == before


@pytest.mark.parametrize("age", ["2147483648", "9223372036854775808", "99999999999999999999"])
def test_an_age_out_of_range_is_refused_in_one_line(sample: Sample, age: str) -> None:
    result = sample.dbctl("heroes", "add", "Old", "--secret-name", "Man", "--age", age)
    assert (result.code, result.out, result.talk.count("\n")) == (1, "", 1), str(result)
    assert result.talk.startswith("dbctl: error: ")
    assert len(sample.rows["hero"]) == 5


def test_any_value_is_stored_and_shown_unharmed(sample: Sample) -> None:
    for hostile in HOSTILE:
        assert add(sample, name=hostile)["name"] == hostile
    assert [name for _, name, *_ in sample.rows["hero"][5:]] == HOSTILE
    listed = sample.dbctl.ok("heroes", "list", "--after", "5", "--json").json
    assert [row["name"] for row in listed] == HOSTILE
    for row in (listed[0], listed[3], listed[5]):
        assert sample.dbctl.ok("heroes", "show", row["name"], "--json").json["id"] == row["id"]


@pytest.mark.parametrize("sample_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("output", ["table", "tsv"])
def test_no_value_reaches_a_reader_as_a_control_character(sample: Sample, output: str) -> None:
    for hostile in HOSTILE[:3]:
        result = sample.dbctl.ok("heroes", "add", hostile, "--secret-name", "x", "--output", output)
        assert all(line.isprintable() or "\t" in line for line in result.lines)
        assert not {"\x1b", "\x07", "\x9b", "\r"} & set(result.out)
    assert "[red]Robert[/red]" in sample.dbctl.ok("heroes", "list", "--output", output).out
