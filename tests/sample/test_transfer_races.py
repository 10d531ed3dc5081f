"""Of several transfers of one hero out of one team at the same moment exactly one succeeds."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.harness.database import SERVER_KINDS, TestDatabase, isolates_snapshots
from tests.sample.racers import RACERS, ROUNDS, Racers, guarded, obvious


def test_exactly_one_transfer_succeeds_in_every_round(processes: Racers, heroes: TestDatabase) -> None:
    outcomes = processes.race(guarded, heroes, ROUNDS)
    assert Counter(outcome for each in outcomes for outcome in each) == {
        "moved": ROUNDS,
        "refused": ROUNDS * (RACERS - 1),
    }
    assert {each.count("moved") for each in outcomes} == {1}
    log = heroes.execute("SELECT hero_id, from_team_id, to_team_id FROM transfer_log ORDER BY hero_id")
    assert log == [(hero, 1, each.index("moved") + 2) for hero, each in enumerate(outcomes, 1)]
    assert heroes.execute("SELECT id, 1, team_id FROM hero ORDER BY id") == log


@contextlib.contextmanager
def without_snapshot_isolation(database: TestDatabase) -> Iterator[None]:
    """Have MariaDB say nothing of what has changed since it was read, as before 11.6."""
    if not isolates_snapshots(database):
        yield
        return
    assert database.server
    database.server.execute("SET GLOBAL innodb_snapshot_isolation = OFF")
    try:
        yield
    finally:
        database.server.execute("SET GLOBAL innodb_snapshot_isolation = ON")


# SQLite has one writer at a time, and tells the others that what they have read is out of date.
@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_the_obvious_transfer_succeeds_more_than_once_so_that_this_race_would_show_it(
    processes: Racers, heroes: TestDatabase
) -> None:
    with without_snapshot_isolation(heroes):
        outcomes = processes.race(obvious, heroes, ROUNDS)
    doubled = sum(each.count("moved") > 1 for each in outcomes)
    assert doubled > ROUNDS / 10, f"only {doubled} of {ROUNDS} rounds"
    assert heroes.execute("SELECT count(*) FROM transfer_log") > [(ROUNDS,)]
