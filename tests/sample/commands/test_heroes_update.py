"""`dbctl heroes update`."""

import pytest

from tests.harness.sample import Sample


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (["--name", "Spider-Youngster"], {"name": "Spider-Youngster"}),
        (["--age", "0"], {"age": 0}),
        (["--age", "17", "--name", "Spider-Youngster"], {"age": 17, "name": "Spider-Youngster"}),
        (["--secret-name", "Peter"], {}),
    ],
    ids=" ".join,
)
def test_what_is_given_is_changed_and_the_rest_left(
    sample: Sample, options: list[str], changed: dict[str, object]
) -> None:
    before = sample.rows
    row = sample.dbctl.ok("heroes", "update", "Spider-Boy", *options, "--json").json
    assert row == {"id": 2, "name": "Spider-Boy", "age": 16, "team_id": 1, "team": "Preventers"} | changed
    secret = "Peter" if "--secret-name" in options else "Pedro Parqueador"
    before["hero"][1] = (2, row["name"], secret, row["age"], 1)
    assert sample.rows == before


def test_a_dry_run_shows_the_change_and_makes_none(sample: Sample) -> None:
    before = sample.rows
    row = sample.dbctl.ok("heroes", "update", "2", "--age", "17", "--dry-run", "--json").json
    assert (row["age"], row["committed"]) == (17, False)
    assert sample.rows == before


def test_a_hero_in_no_team_can_be_given_one(sample: Sample) -> None:
    row = sample.dbctl.ok("heroes", "update", "5", "--team", "Z-Force", "--json").json
    assert (row["team_id"], row["team"]) == (2, "Z-Force")
    assert sample.rows["hero"][4] == (5, "Twin", "Other", None, 2)
    assert sample.rows["transfer_log"] == []


@pytest.mark.parametrize("team", ["Z-Force", "Preventers"])
def test_a_hero_in_a_team_moves_by_transfer_alone(sample: Sample, team: str) -> None:
    before = sample.rows
    result = sample.dbctl("heroes", "update", "2", "--team", team, "--age", "3")
    assert (result.code, result.out) == (1, "")
    assert result.talk == 'dbctl: error: hero 2 "Spider-Boy" is in a team already; move the hero with: dbctl transfer\n'
    assert sample.rows == before


def test_nothing_to_change_is_a_usage_error(sample: Sample) -> None:
    result = sample.dbctl("heroes", "update", "2")
    assert (result.code, result.out) == (2, "")
    assert "nothing to change" in result.err


@pytest.mark.parametrize("hero", ["Nobody", "Twin"])
def test_a_hero_that_is_not_there_or_not_the_only_one_is_refused(sample: Sample, hero: str) -> None:
    before = sample.rows
    assert sample.dbctl("heroes", "update", hero, "--age", "3").code == 1
    assert sample.rows == before
