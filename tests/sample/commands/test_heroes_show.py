"""`dbctl heroes show`, and how a hero is found by what was typed."""

import pytest

from tests.harness.sample import Sample


@pytest.mark.parametrize("hero", ["Spider-Boy", "2", "02"])
def test_a_hero_is_found_by_id_or_name_and_shown_whole(sample: Sample, hero: str) -> None:
    assert sample.dbctl.ok("heroes", "show", hero, "--json").json == {
        "id": 2,
        "name": "Spider-Boy",
        "age": 16,
        "team_id": 1,
        "team": "Preventers",
        "secret_name": "Pedro Parqueador",
    }


def test_an_ambiguous_name_lists_the_candidates(sample: Sample) -> None:
    result = sample.dbctl("heroes", "show", "Twin")
    assert (result.code, result.out) == (1, "")
    assert result.err == ('dbctl: error: "Twin" is the name of 2 heroes: id 4 in team 1, id 5; give the id\n')


def test_of_many_candidates_the_first_ten_are_listed(sample: Sample) -> None:
    for _ in range(9):
        sample.database.execute("INSERT INTO hero (name, secret_name) VALUES ('Twin', 'x')")
    error = sample.dbctl("heroes", "show", "Twin").err
    assert '"Twin" is the name of 11 heroes: id 4 in team 1, id 5, id 6, ' in error
    assert "id 13, …; give the id" in error


@pytest.mark.parametrize("hero", ["Nobody", "77", "99999999999999999999", "-1", "spider-boy"])
def test_a_hero_that_is_not_there_is_not_found(sample: Sample, hero: str) -> None:
    result = sample.dbctl("heroes", "show", "--", hero)
    assert (result.code, result.out) == (1, "")
    assert result.err == f'dbctl: error: there is no hero "{hero}"; dbctl heroes list shows all\n'


def test_digits_are_an_id_or_a_name_and_refused_where_they_are_both(sample: Sample) -> None:
    for name in ("1", "007", "99999999999999999999"):
        sample.database.execute("INSERT INTO hero (name, secret_name) VALUES (?, 'x')", name)

    def shown(hero: str) -> object:
        return sample.dbctl.ok("heroes", "show", hero, "--json").json["id"]

    assert shown("2") == 2
    assert shown("99999999999999999999") == 8
    assert shown("007") == 7  # the row of this name has the id too
    result = sample.dbctl("heroes", "show", "1")
    assert result.code == 1
    assert '"1" is the id of hero 1 "Deadpond", and the name of hero 6; give the name' in result.talk
