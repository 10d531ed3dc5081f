"""`dbctl transfers list`."""

import pytest

from tests.harness.sample import Sample

LOG = [(2, 1, 2), (1, 1, 2), (2, 2, 1), (3, 2, 1)]


@pytest.fixture
def logged(sample: Sample) -> Sample:
    """The sample with four transfers in the log, at four moments of a night."""
    for hour, transfer in enumerate(LOG):
        sample.database.execute(
            "INSERT INTO transfer_log (hero_id, from_team_id, to_team_id, at) VALUES (?, ?, ?, ?)",
            *transfer,
            f"2026-01-01 0{hour}:00:00.250000",
        )
    return sample


def ids(sample: Sample, *args: str) -> list[int]:
    return [row["id"] for row in sample.dbctl.ok("transfers", "list", *args, "--json").json]


def test_the_list_has_all_transfers_by_id_with_names_and_times(logged: Sample) -> None:
    rows = logged.dbctl.ok("transfers", "list", "--json").json
    assert [row["id"] for row in rows] == [1, 2, 3, 4]
    assert rows[2] == {
        "id": 3,
        "hero_id": 2,
        "hero": "Spider-Boy",
        "from_team_id": 2,
        "from_team": "Z-Force",
        "to_team_id": 1,
        "to_team": "Preventers",
        "at": "2026-01-01T02:00:00.250000Z",
    }


@pytest.mark.parametrize("hero", ["Spider-Boy", "2"])
def test_those_of_one_hero_are_listed_by_id_or_name(logged: Sample, hero: str) -> None:
    assert ids(logged, "--hero", hero) == [1, 3]


def test_pages_follow_each_other_without_a_gap(logged: Sample) -> None:
    assert ids(logged, "--limit", "3") == [1, 2, 3]
    assert ids(logged, "--limit", "3", "--after", "3") == [4]
    assert ids(logged, "--hero", "2", "--after", "1") == [3]


def test_an_ambiguous_hero_is_refused(logged: Sample) -> None:
    assert logged.dbctl("transfers", "list", "--hero", "Twin").code == 1


def test_an_empty_log_is_an_empty_list(sample: Sample) -> None:
    assert ids(sample) == []
