"""Chance that can be had again: each random test says its seed when it fails, and DBCTL_SEED runs it with that."""

import os
import random

import pytest

VARIABLE = "DBCTL_SEED"


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Dice for a test; the report of its failure shows with which seed they fall like this again."""
    seed = int(os.environ.get(VARIABLE) or random.randrange(2**32))
    request.node.add_report_section("setup", "seed", f"{VARIABLE}={seed} before the command throws the same again")
    return random.Random(seed)
