"""The fixtures for tests of commands: dbctl as a fork, on databases with the sample in them."""

from collections.abc import Iterator

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.sample import bare, quick, sample, sample_database
from tests.servers.postgres import PostgresServer

__all__ = ["bare", "quick", "sample", "sample_database"]

# All that a lock's place in shared memory is counted by.
_FEW_LOCKS = {"max_locks_per_transaction": "20", "max_connections": "10", "autovacuum_max_workers": "1"}
_FEW_LOCKS |= dict.fromkeys(("max_wal_senders", "max_worker_processes", "max_replication_slots"), "0")


@pytest.fixture
def few_locks_database() -> Iterator[TestDatabase]:
    """A database on a PostgreSQL server that has locks for some hundred tables at a time."""
    with PostgresServer(None, **_FEW_LOCKS) as server:
        server.create_database("many")
        yield TestDatabase.on_server(server, "many")


@pytest.fixture
def few_locks(dbctl: Dbctl, few_locks_database: TestDatabase) -> Forked:
    """Dbctl on it, and models for more tables than that."""
    (dbctl.cwd / "models.py").write_text(
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\nfor number in range(1500):\n"
        "    sa.Table(f't{number}', metadata, sa.Column('id', sa.Integer))\n"
    )
    return forked(dbctl, few_locks_database)
