"""`dbctl transfer`."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.harness.sample import Sample


@pytest.mark.parametrize(
    ("hero", "source", "target"), [("Spider-Boy", "Preventers", "Z-Force"), ("2", "1", "2"), ("2", "Preventers", "2")]
)
def test_the_hero_moves_and_the_log_says_so(sample: Sample, hero: str, source: str, target: str) -> None:
    row = sample.dbctl.ok("transfer", hero, "--from", source, "--to", target, "--json").json
    at = datetime.fromisoformat(row.pop("at"))
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    teams = {"from_team_id": 1, "from_team": "Preventers", "to_team_id": 2, "to_team": "Z-Force"}
    assert row == {"id": 1, "hero_id": 2, "hero": "Spider-Boy", **teams}
    assert sample.rows["hero"][1] == (2, "Spider-Boy", "Pedro Parqueador", 16, 2)
    assert sample.rows["transfer_log"] == [(1, 2, 1, 2)]


def test_a_dry_run_shows_the_transfer_and_moves_nobody(sample: Sample) -> None:
    before = sample.rows
    row = sample.dbctl.ok("transfer", "2", "--from", "1", "--to", "2", "--dry-run", "--json").json
    assert (row["hero"], row["to_team"], row["committed"]) == ("Spider-Boy", "Z-Force", False)
    assert sample.rows == before


@pytest.mark.parametrize(
    ("hero", "source", "target", "error"),
    [
        ("Rusty-Man", "Preventers", "Z-Force", 'hero 3 "Rusty-Man" is not in team 1 "Preventers"'),
        ("5", "Preventers", "Z-Force", 'hero 5 "Twin" is not in team 1 "Preventers"'),
        ("Spider-Boy", "Preventers", "1", 'team 1 "Preventers" is both the source and the target'),
        ("Nobody", "Preventers", "Z-Force", 'there is no hero "Nobody"; dbctl heroes list shows all'),
        ("Spider-Boy", "Nobodies", "Z-Force", 'there is no team "Nobodies"; dbctl teams list shows all'),
        ("Spider-Boy", "Preventers", "9", 'there is no team "9"; dbctl teams list shows all'),
        ("Twin", "1", "2", '"Twin" is the name of 2 heroes: id 4 in team 1, id 5; give the id'),
    ],
)
def test_a_transfer_that_can_not_be_is_refused_and_leaves_no_trace(
    sample: Sample, hero: str, source: str, target: str, error: str
) -> None:
    before = sample.rows
    result = sample.dbctl("transfer", hero, "--from", source, "--to", target)
    assert (result.code, result.out, result.talk) == (1, "", f"dbctl: error: {error}\n")
    assert sample.rows == before


def test_the_second_of_two_equal_transfers_is_refused(sample: Sample) -> None:
    command = ("transfer", "Spider-Boy", "--from", "Preventers", "--to", "Z-Force")
    assert [sample.dbctl(*command).code for _ in range(2)] == [0, 1]
    assert len(sample.rows["transfer_log"]) == 1


def test_there_and_back_again_are_two_entries(sample: Sample) -> None:
    sample.dbctl.ok("transfer", "2", "--from", "1", "--to", "2")
    sample.dbctl.ok("transfer", "2", "--from", "2", "--to", "1")
    assert sample.rows["transfer_log"] == [(1, 2, 1, 2), (2, 2, 2, 1)]
    assert sample.rows["hero"][1][4] == 1


def test_a_log_that_can_not_be_written_moves_nobody(sample: Sample) -> None:
    before = sample.rows["hero"]
    sample.database.execute("ALTER TABLE transfer_log RENAME TO gone")
    try:
        result = sample.dbctl("transfer", "2", "--from", "1", "--to", "2")
    finally:
        sample.database.execute("ALTER TABLE gone RENAME TO transfer_log")
    assert (result.code, result.out) == (1, "")
    assert sample.rows["hero"] == before


def test_all_moves_of_a_file_are_made_in_their_order_or_none(sample: Sample) -> None:
    dbctl, before = sample.dbctl, sample.rows
    head = "hero,from,to\n2,Preventers,2\nRusty-Man,Z-Force,1\n"
    for row, said in {
        "Spider-Boy,Preventers,Z-Force": 'line 4: hero "Spider-Boy" is not in team "Preventers" then',
        "5,Preventers,Z-Force": 'line 4: hero "5" is not in team "Preventers" then',
        "Nobody,Preventers,Z-Force": 'line 4: there is no hero "Nobody"',
        "2,Z-Force,Nowhere": 'line 4: there is no team "Nowhere"',
        "2,Z-Force,Z-Force": 'line 4: team "Z-Force" is both the source and the target',
        "Twin,Preventers,Z-Force": 'line 4: "Twin" is the name of several heroes',
        "2,,Z-Force": "line 4, column from: there is none",
        "2,Z-Force": "line 4: it has 2 values, and there are 3 columns",
    }.items():
        (dbctl.cwd / "moves.csv").write_text(head + row + "\n")
        result = dbctl("transfer", "--file", "moves.csv")
        assert (result.code, f"moves.csv, {said}" in result.err) == (1, True), str(result)
        assert sample.rows == before
    done = dbctl.ok(
        "transfer", "-f", "-", "--json", stdin=head + "Spider-Boy,Z-Force,Preventers\n2,Preventers,Z-Force\n"
    )
    assert done.json == {"moves": 4, "heroes": 2}
    assert [row[4] for row in sample.rows["hero"][1:3]] == [2, 1]
    assert [row[1:] for row in sample.rows["transfer_log"]] == [(2, 1, 2), (3, 2, 1), (2, 2, 1), (2, 1, 2)]
    assert dbctl("transfer", "2", "--file", "moves.csv").code == dbctl("transfer", "2").code == 2
    dbctl.ok("teams", "add", "1")
    unclear = dbctl("transfer", "-f", "-", stdin="hero,from,to\n3,1,2\n")
    assert (unclear.code, '"1" is the id of one team, and the name of another' in unclear.err) == (1, True)
