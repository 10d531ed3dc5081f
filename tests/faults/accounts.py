"""Whether a bank's books are right: each hero's log leads to the hero's team, and what dbctl said is true."""

from typing import Any

from tests.faults.bank import HEROES, Tally
from tests.harness.database import TestDatabase


def account(database: TestDatabase, tally: Tally) -> None:
    """Assert that every hero and every log entry is accounted for, and that all that was said is true."""
    assert tally.errors == []
    log = database.execute("SELECT id, hero_id, from_team_id, to_team_id FROM transfer_log ORDER BY id")
    place = dict.fromkeys(range(1, HEROES + 1), 1)
    for entry, hero, source, target in log:
        assert place[hero] == source, f"entry {entry}: hero {hero} leaves team {source}, but was in {place[hero]}"
        place[hero] = target
    assert dict(database.execute("SELECT id, team_id FROM hero")) == place
    marks: dict[str, dict[int, int]] = {}
    for unit, hero, entry in database.execute("SELECT unit, hero, log FROM mark"):
        marks.setdefault(unit, {})[hero] = entry
    assert sorted(entry for each in marks.values() for entry in each.values()) == [entry for entry, *_ in log]
    for each in tally.units:
        found, moved = marks.pop(each.mark, {}), [hero for hero, *_ in each.moves]
        if each.outcome == "done":
            assert found == dict(zip(moved, each.logs, strict=True)), f"what was acknowledged is not there: {each}"
        elif each.outcome == "unknown":
            assert each.moves, f"who only reads leaves nothing that could be unknown: {each}"
            assert sorted(found) in ([], sorted(moved)), f"half of it is there: {each}"
        else:
            assert found == {}, f"what was not done is there: {each}"
    assert marks == {}


def log_of(database: TestDatabase) -> list[tuple[Any, ...]]:
    """Return each entry's hero, source and target, by hero; the last of each hero's is where the hero is."""
    log = database.execute("SELECT hero_id, from_team_id, to_team_id FROM transfer_log ORDER BY hero_id, id")
    moved = database.execute("SELECT id, team_id FROM hero WHERE team_id <> 1")
    assert dict(moved) == {hero: target for hero, _, target in log}
    return log
