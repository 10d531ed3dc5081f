"""`dbctl heroes list`."""

import pytest

from tests.harness.sample import Sample

NAMES = ["Deadpond", "Spider-Boy", "Rusty-Man", "Twin", "Twin"]


def ids(sample: Sample, *args: str) -> list[int]:
    return [row["id"] for row in sample.dbctl.ok("heroes", "list", *args, "--json").json]


def test_the_list_has_all_heroes_by_id_with_their_teams_and_no_secrets(sample: Sample) -> None:
    result = sample.dbctl.ok("heroes", "list", "--json")
    assert [row["name"] for row in result.json] == NAMES
    assert result.json[1] == {"id": 2, "name": "Spider-Boy", "age": 16, "team_id": 1, "team": "Preventers"}
    assert result.json[4] == {"id": 5, "name": "Twin", "age": None, "team_id": None, "team": None}
    assert "Pedro" not in result.out


@pytest.mark.parametrize("team", ["Preventers", "1"])
def test_a_team_is_named_by_id_or_name(sample: Sample, team: str) -> None:
    assert ids(sample, "--team", team) == [1, 2, 4]


def test_pages_follow_each_other_without_a_gap(sample: Sample) -> None:
    assert ids(sample, "--limit", "2") == [1, 2]
    assert ids(sample, "--limit", "2", "--after", "2") == [3, 4]
    assert ids(sample, "--limit", "2", "--after", "4") == [5]
    assert ids(sample, "--limit", "2", "--after", "5") == []
    assert ids(sample, "--team", "1", "--limit", "1", "--after", "2") == [4]
    assert ids(sample, "--limit", "0") == []


def test_an_after_beyond_every_id_is_an_empty_page(sample: Sample) -> None:
    assert ids(sample, "--after", "99999999999") == []


def test_an_empty_list_still_has_its_header(sample: Sample) -> None:
    assert sample.dbctl.ok("heroes", "list", "--after", "5").lines == ["id\tname\tage\tteam_id\tteam"]


def test_a_team_that_is_not_there_is_an_error_and_no_empty_list(sample: Sample) -> None:
    result = sample.dbctl("heroes", "list", "--team", "Nobodies")
    assert (result.code, result.out) == (1, "")
    assert result.err == 'dbctl: error: there is no team "Nobodies"; dbctl teams list shows all\n'
