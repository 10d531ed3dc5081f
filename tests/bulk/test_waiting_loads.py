"""Loads and reads in bulk that others' locks are in the way of: bounded, and ended with the exit code of that."""

import contextlib

import pytest

from tests.faults.test_contended_commands import until_it_waits
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.servers.client import rows


@pytest.fixture
def loading(dbctl: Forked, mariadb_database: TestDatabase) -> Forked:
    """MariaDB with an empty table, and a file of two rows."""
    mariadb_database.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    (dbctl.cwd / "t.csv").write_text("id\n1\n2\n")
    return forked(dbctl, mariadb_database)


@pytest.mark.parametrize("bound", ["--lock-timeout 1", "--timeout 1", "--lock-timeout 1 --max-errors 3"])
def test_load_data_that_waits_too_long_is_out_of_time(
    bound: str, loading: Forked, mariadb_database: TestDatabase
) -> None:
    with contextlib.closing(mariadb_database.connect(autocommit=False)) as other:
        rows(other, "INSERT INTO t VALUES (2)")
        result = loading("import", "t.csv", "t", *bound.split())
    assert (result.code, "a bug" in result.err) == (5, False), str(result)


def test_a_deadlock_is_told_as_one(loading: Forked, mariadb_database: TestDatabase) -> None:
    with contextlib.closing(mariadb_database.connect(autocommit=False)) as other:
        rows(other, "INSERT INTO t SELECT seq FROM seq_2_to_99")
        wait = loading.start("import", "t.csv", "t", "--retries", "0")
        until_it_waits(mariadb_database)
        rows(other, "INSERT INTO t VALUES (1)")
        result = wait()
    assert (result.code, "Deadlock" in result.err) == (1, True), str(result)
