"""What changes a hero while another run does is refused where it came too late, and never undone in silence."""

import contextlib
import time

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase, isolates_snapshots
from tests.sample.racers import Racers, joining

WAITING = {
    "postgresql": "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s",
    "mysql": "SELECT 1 FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
    " ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = %s",
}


def test_one_of_several_updates_gives_a_hero_a_team(processes: Racers, heroes: TestDatabase) -> None:
    heroes.execute("UPDATE hero SET team_id = NULL")
    outcomes = processes.race(joining, heroes, 20)
    assert {outcome for each in outcomes for outcome in each} == {"moved", "refused"}
    assert {each.count("moved") for each in outcomes} == {1}


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
@pytest.mark.parametrize("command", [["update", "2", "--age", "3"], ["remove", "2"]], ids=" ".join)
def test_a_hero_who_is_removed_meanwhile_is_not_found(
    on_database: Dbctl, heroes: TestDatabase, command: list[str]
) -> None:
    with contextlib.closing(heroes.connect(autocommit=False)) as other:
        other.cursor().execute("DELETE FROM hero WHERE id = 2")
        run = on_database.popen("heroes", *command)
        until_it_waits(heroes)
        other.commit()
    out, err = run.communicate(timeout=20)
    assert (run.returncode, out) == (1, ""), err
    # MariaDB, since 11.6, tells that what was read before has changed: then it is read again.
    _, *again, error = err.splitlines()
    assert all("; retry " in line for line in again), err
    assert isolates_snapshots(heroes) or not again, err
    assert error.startswith("dbctl: error: ")
    assert "hero" in error


def until_it_waits(database: TestDatabase) -> None:
    assert database.server
    deadline = time.monotonic() + 20
    while not database.server.execute(WAITING[database.dialect], [database.name]):
        assert time.monotonic() < deadline, "it never waited"
        time.sleep(0.12)  # InnoDB shows what it knew a tenth of a second ago to whoever asks more often
