"""Dbctl as a fork, with the test's database as its default profile."""

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked


@pytest.fixture
def quick(dbctl: Dbctl, database: TestDatabase) -> Forked:
    """Dbctl on a database of each kind in turn."""
    return forked(dbctl, database)
