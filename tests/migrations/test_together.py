"""Many pods at once, one lock: each revision is run once, and where nothing is to be done nobody waits."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from dbctl.work.locks import advisory_lock
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.profile import profile_of
from tests.migrations.conftest import MakeService


@pytest.mark.parametrize("env", ["generic", "async"])
def test_of_ten_at_once_each_revision_is_run_by_one(
    env: str, dbctl: Forked, database: TestDatabase, service: MakeService
) -> None:
    service(env)
    run = forked(dbctl, database)
    results = [start() for start in [run.start("migrate", "upgrade", "--json") for _ in range(10)]]
    assert [result.code for result in results] == [0] * 10, "\n".join(map(str, results))
    ran = [row["revision"] for result in results for row in result.json]
    assert sorted(ran) == ["a1", "a2", "a3"]
    assert database.execute("SELECT revision FROM runs ORDER BY revision") == [("a2",), ("a3",)]


def test_what_is_up_to_date_waits_for_no_lock(dbctl: Forked, database: TestDatabase, service: MakeService) -> None:
    service()
    run = forked(dbctl, database)
    run.ok("migrate", "upgrade")
    with advisory_lock("migrate", profile_of(database)):
        for words in (["upgrade"], ["current"], ["check"]):
            assert run.ok("migrate", *words, "--json").code == 0


@contextmanager
def waiting(run: Forked, database: TestDatabase) -> Iterator[list[str]]:
    """Have a run wait for the lock in the block, and yield what it has said; it ends after the block."""
    with ExitStack() as stack:
        stack.enter_context(advisory_lock("migrate", profile_of(database)))
        process = run.popen("migrate", "upgrade", "--json")
        assert process.stderr
        yield [process.stderr.readline() for _ in range(2)]
        assert process.poll() is None
        stack.close()
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err


def test_who_holds_the_lock_is_told_while_one_waits(
    dbctl: Forked, database: TestDatabase, service: MakeService
) -> None:
    service()
    run = forked(dbctl, database)
    run.ok("migrate", "upgrade", "a2")
    with waiting(run, database) as lines:
        assert lines[1].startswith('dbctl: waiting up to 600 s for the lock "migrate", which '), lines
    assert database.execute("SELECT version_num FROM alembic_version") == [("a3",)]


def test_one_that_has_waited_long_enough_says_who_holds_it(
    dbctl: Forked, database: TestDatabase, service: MakeService
) -> None:
    service()
    run = forked(dbctl, database)
    run.ok("migrate", "upgrade", "a2")
    with advisory_lock("migrate", profile_of(database)):
        began = time.monotonic()
        result = run("migrate", "upgrade", "--lock-wait", "0.3")
        assert time.monotonic() - began < 10
    assert result.code == 7
    assert 'another run holds the lock "migrate" after 0.3 s: ' in result.err


def test_what_another_run_did_meanwhile_is_not_done_again(
    dbctl: Forked, database: TestDatabase, service: MakeService
) -> None:
    service()
    run = forked(dbctl, database)
    run.ok("migrate", "upgrade", "a2")
    with waiting(run, database):
        database.execute("ALTER TABLE item ADD COLUMN price INTEGER")
        database.execute("UPDATE alembic_version SET version_num = 'a3'")
    assert database.execute("SELECT revision FROM runs") == [("a2",)]
