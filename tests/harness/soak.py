"""How much of each fault is provoked: some of it in every run, all of it with `bash tests/run --soak`."""

import os

SOAK = os.environ.get("DBCTL_SOAK") == "1"


def dose(usual: int, soak: int) -> int:
    """Return how often to do something."""
    return soak if SOAK else usual
