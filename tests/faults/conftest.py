"""The sample's tables on each database, dbctl to run there, and a watch past it."""

from collections.abc import Iterator

import pytest

from tests.faults.watching import Watch, fill, watching
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked


@pytest.fixture
def watch(database: TestDatabase) -> Iterator[Watch]:
    """A database of each kind in turn with the sample's tables."""
    fill(database)
    with watching(database) as watched:
        yield watched


@pytest.fixture
def quick(dbctl: Dbctl, database: TestDatabase) -> Forked:
    """Dbctl as a fork, with the database as its default profile."""
    return forked(dbctl, database)
