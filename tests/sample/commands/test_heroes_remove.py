"""`dbctl heroes remove`."""

import pytest

from tests.harness.sample import Sample


@pytest.fixture
def logged(sample: Sample) -> Sample:
    """The sample with a transfer of hero 1 and one of hero 2 in the log."""
    for hero in (1, 2):
        sample.database.execute(
            "INSERT INTO transfer_log (hero_id, from_team_id, to_team_id, at) VALUES (?, 1, 2, '2026-01-01 12:00:00')",
            hero,
        )
    return sample


@pytest.mark.parametrize("hero", ["Spider-Boy", "2"])
def test_a_hero_goes_with_the_log_of_the_heros_transfers_and_nothing_else(logged: Sample, hero: str) -> None:
    row = logged.dbctl.ok("heroes", "remove", hero, "--json").json
    assert row == {"id": 2, "name": "Spider-Boy", "age": 16, "team_id": 1, "team": "Preventers"}
    after = logged.rows
    assert [hero[0] for hero in after["hero"]] == [1, 3, 4, 5]
    assert after["transfer_log"] == [(1, 1, 1, 2)]
    assert len(after["team"]) == 2


def test_a_dry_run_shows_who_would_go_and_removes_nobody(logged: Sample) -> None:
    before = logged.rows
    row = logged.dbctl.ok("heroes", "remove", "Spider-Boy", "--dry-run", "--json").json
    assert (row["id"], row["committed"]) == (2, False)
    assert logged.rows == before


@pytest.mark.parametrize("hero", ["Nobody", "Twin", "77"])
def test_a_hero_that_is_not_there_or_not_the_only_one_is_refused(logged: Sample, hero: str) -> None:
    before = logged.rows
    result = logged.dbctl("heroes", "remove", hero)
    assert (result.code, result.out) == (1, "")
    assert logged.rows == before
