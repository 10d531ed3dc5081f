"""`dbctl teams add`, `list` and `remove`."""

import pytest

from tests.harness.sample import Sample

ALL = [
    {"id": 1, "name": "Preventers", "headquarters": "Sharp Tower", "heroes": 3},
    {"id": 2, "name": "Z-Force", "headquarters": None, "heroes": 1},
]


def test_a_team_that_is_added_is_shown_with_its_id_and_is_there(sample: Sample) -> None:
    result = sample.dbctl.ok("teams", "add", "Ärzte", "--headquarters", "Haus 7", "--json")
    assert result.json == {"id": 3, "name": "Ärzte", "headquarters": "Haus 7", "heroes": 0}
    assert sample.rows["team"][2:] == [(3, "Ärzte", "Haus 7")]


def test_a_dry_run_shows_the_team_and_adds_none(sample: Sample) -> None:
    before = sample.rows
    result = sample.dbctl.ok("teams", "add", "Ärzte", "--dry-run", "--json")
    assert result.json == {"id": 3, "name": "Ärzte", "headquarters": None, "heroes": 0, "committed": False}
    assert sample.rows == before


def test_a_name_is_taken_once(sample: Sample) -> None:
    result = sample.dbctl("teams", "add", "Preventers")
    assert (result.code, result.out) == (1, "")
    assert result.talk == 'dbctl: error: there is already a team "Preventers" (id 1)\n'
    assert len(sample.rows["team"]) == 2


def test_case_and_accents_tell_names_apart(sample: Sample) -> None:
    for name in ("preventers", "Prévènters"):
        sample.dbctl.ok("teams", "add", name)
    assert len(sample.rows["team"]) == 4


def test_the_list_has_all_teams_by_id_with_the_number_of_their_heroes(sample: Sample) -> None:
    assert sample.dbctl.ok("teams", "list", "--json").json == ALL


@pytest.mark.parametrize("name", ["x" * 201, "🦸" * 201])
def test_a_name_that_is_too_long_is_refused(sample: Sample, name: str) -> None:
    result = sample.dbctl("teams", "add", name)
    assert result.code == 1, str(result)
    assert result.talk == ("dbctl: error: the team's name has 201 characters, and at most 200 are kept (team.name)\n")
    assert len(sample.rows["team"]) == 2


@pytest.mark.parametrize(
    "args",
    [
        ("teams", "add", ""),
        ("heroes", "add", "", "--secret-name", "s"),
        ("heroes", "add", "A", "--secret-name", ""),
        ("heroes", "update", "1", "--name", ""),
    ],
)
def test_an_empty_name_is_refused(sample: Sample, args: tuple[str, ...]) -> None:
    before = sample.rows
    result = sample.dbctl(*args)
    assert (result.code, result.out) == (1, ""), str(result)
    assert "name is empty (" in result.talk
    assert sample.rows == before


def test_a_name_of_the_greatest_length_is_kept_whole(sample: Sample) -> None:
    name = "🦸" * 200
    assert sample.dbctl.ok("teams", "add", name, "--json").json["name"] == name


# --- remove -----------------------------------------------------------------------------------------------------------


def test_an_empty_team_goes_and_nothing_else(sample: Sample) -> None:
    sample.dbctl.ok("teams", "add", "Empty", "--headquarters", "Nowhere")
    before = sample.rows
    row = sample.dbctl.ok("teams", "remove", "Empty", "--json").json
    assert row == {"id": 3, "name": "Empty", "headquarters": "Nowhere", "heroes": 0}
    assert sample.rows == before | {"team": before["team"][:2]}


def test_a_team_with_heroes_stays(sample: Sample) -> None:
    before = sample.rows
    result = sample.dbctl("teams", "remove", "Preventers")
    assert (result.code, result.out) == (1, "")
    assert 'team 1 "Preventers" is not empty: heroes in it: 3; move them with: dbctl transfer' in result.err
    assert sample.rows == before


def test_a_team_that_the_log_names_stays(sample: Sample) -> None:
    sample.dbctl.ok("transfer", "Rusty-Man", "--from", "Z-Force", "--to", "Preventers")
    before = sample.rows
    result = sample.dbctl("teams", "remove", "2")
    assert (result.code, result.out) == (1, "")
    assert 'team 2 "Z-Force" is named in the log of transfers: 1 of them' in result.err
    assert sample.rows == before


def test_a_name_that_is_anothers_id_is_ambiguous(sample: Sample) -> None:
    sample.dbctl.ok("teams", "add", "1")
    before = sample.rows
    result = sample.dbctl("teams", "remove", "1")
    assert (result.code, result.out) == (1, "")
    assert result.talk == (
        'dbctl: error: "1" is the id of team 1 "Preventers", and the name of team 3;'
        ' give the name "Preventers", or the id 3\n'
    )
    assert sample.rows == before
    assert sample.dbctl.ok("teams", "remove", "3", "--json").json["name"] == "1"


def test_a_name_that_is_its_own_id_is_not(sample: Sample) -> None:
    sample.dbctl.ok("teams", "add", "3")
    assert sample.dbctl.ok("teams", "remove", "3", "--json").json["id"] == 3


def test_a_dry_run_removes_no_team(sample: Sample) -> None:
    sample.dbctl.ok("teams", "add", "Empty")
    before = sample.rows
    assert sample.dbctl.ok("teams", "remove", "Empty", "--dry-run", "--json").json["committed"] is False
    assert sample.rows == before


def test_a_team_that_is_not_there_is_refused(sample: Sample) -> None:
    result = sample.dbctl("teams", "remove", "Nobody")
    assert (result.code, result.talk) == (1, 'dbctl: error: there is no team "Nobody"; dbctl teams list shows all\n')
