"""The bank while backends are killed and connections cut at random: what is acknowledged is there, and nothing else."""

import random

import pytest

from tests.faults.accounts import account
from tests.faults.bank import PROCESSES, Tally, open_bank, run_bank
from tests.faults.cuts import AtRandom
from tests.faults.killer import Killer
from tests.harness.database import TestDatabase
from tests.harness.soak import SOAK, dose
from tests.servers.proxy import Proxy

UNITS = dose(60, 2000)
"""Of each process."""
PATIENCE = dose(200, 3000)
"""Seconds."""
CUT = 1 / 150
"""The probability that what is handed on is the last."""

pytestmark = pytest.mark.timeout(PATIENCE + 20)


def under_fire(database: TestDatabase, dice: random.Random) -> Tally:
    """Run the bank, and assert that it was under fire."""
    assert database.server
    proxy = Proxy(database.server.port, AtRandom(CUT, dice))
    killer = Killer(database, proxy, random.Random(dice.random()))
    changes = {"host": proxy.host, "port": proxy.port, "connect_timeout": 5, "pool.pre_ping": True}
    tally = run_bank(database, UNITS, dice, changes, PATIENCE, [proxy, killer])
    print(f"{killer.kills} kills, {proxy.struck} cuts; {tally}")
    assert killer.kills > PROCESSES
    assert proxy.struck > PROCESSES
    assert tally.outcomes["lost"] > PROCESSES
    assert tally.outcomes["done"] > PROCESSES * UNITS / 8
    return tally


def test_what_is_acknowledged_is_there_and_what_is_lost_is_not(
    server_database: TestDatabase, dice: random.Random
) -> None:
    open_bank(server_database)
    tally = under_fire(server_database, dice)
    account(server_database, tally)
    assert set(tally.outcomes) <= {"done", "refused", "contention", "lost", "unknown"}
    if server_database.kind == "postgresql":  # it could be asked each time
        assert tally.outcomes["unknown"] == 0
        assert not SOAK or tally.notes["lost COMMITs found done"] > 0
    else:
        assert not SOAK or tally.outcomes["unknown"] > 0
