"""Many random transfers at the same time, on each database: every hero and every log entry is accounted for."""

import random

import pytest

from tests.faults.accounts import account
from tests.faults.bank import PROCESSES, open_bank, run_bank
from tests.harness.database import TestDatabase
from tests.harness.soak import dose

UNITS = dose(80, 2000)
"""Of each process."""
PATIENCE = dose(200, 3000)
"""Seconds."""

pytestmark = pytest.mark.timeout(PATIENCE + 20)


def test_every_hero_and_every_log_entry_is_accounted_for(server_database: TestDatabase, dice: random.Random) -> None:
    open_bank(server_database)
    tally = run_bank(server_database, UNITS, dice, patience=PATIENCE)
    print(tally)
    account(server_database, tally)
    assert set(tally.outcomes) <= {"done", "refused", "contention"}
    assert tally.outcomes["done"] > PROCESSES * UNITS / 4
    assert tally.outcomes["refused"] > PROCESSES


@pytest.mark.parametrize("wal", [False, True], ids=["journal", "wal"])
def test_sqlite_s_one_writer_at_a_time_loses_none_either(
    sqlite_database: TestDatabase, dice: random.Random, wal: bool
) -> None:
    open_bank(sqlite_database)
    if wal:
        sqlite_database.execute("PRAGMA journal_mode = WAL")
    units = UNITS if wal else UNITS // 4  # it takes longer without
    tally = run_bank(sqlite_database, units, dice, patience=PATIENCE)
    print(tally)
    account(sqlite_database, tally)
    # Who waits longer than the lock timeout is told so; SQLite keeps no queue, and so it happens.
    assert set(tally.outcomes) <= {"done", "refused", "late"}
    assert tally.outcomes["done"] > PROCESSES * units / 4
    assert tally.outcomes["refused"] > 0


def test_serializable_transfers_are_run_again_until_they_are_done(
    postgres_database: TestDatabase, dice: random.Random
) -> None:
    open_bank(postgres_database)
    tally = run_bank(postgres_database, UNITS // 4, dice, {"isolation": "serializable"}, patience=PATIENCE)
    print(tally)
    account(postgres_database, tally)
    assert set(tally.outcomes) <= {"done", "refused", "contention"}
    assert tally.notes["retries"] > PROCESSES
    assert tally.outcomes["done"] > PROCESSES * UNITS / 16
