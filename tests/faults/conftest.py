"""The sample's tables on each database, dbctl to run there, and a watch past it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests.faults.galera import GaleraNode
from tests.faults.watching import Watch, fill, watching
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.servers.authority import Authority
from tests.servers.system import ServerMissing


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


@pytest.fixture(scope="session")
def galera(authority: Authority) -> Iterator[Sequence[GaleraNode]]:
    """A cluster of three nodes, one for all tests."""
    try:
        first = GaleraNode(authority)
        others = [GaleraNode(authority, first) for _ in range(2)]
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    with ExitStack() as running:
        yield [running.enter_context(node) for node in (first, *others)]
