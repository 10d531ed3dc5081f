"""Commands that other transactions get in the way of: run again, or refused whole, with one line and an exit code."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.accounts import log_of
from tests.faults.bank import open_bank
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.servers.client import rows

PATIENCE = 20.0
"""Seconds for which a run is waited for."""
WAITING = {
    "postgresql": "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s",
    "mysql": "SELECT 1 FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
    " ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = %s",
}


@pytest.fixture
def bank(server_database: TestDatabase) -> TestDatabase:
    open_bank(server_database)
    return server_database


def until_it_waits(database: TestDatabase) -> None:
    assert database.server
    deadline = time.monotonic() + PATIENCE
    while not database.server.execute(WAITING[database.dialect], [database.name]):
        assert time.monotonic() < deadline, "it never waited"
        time.sleep(0.12)  # InnoDB shows what it knew a tenth of a second ago to whoever asks more often


@contextlib.contextmanager
def in_the_way(bank: TestDatabase) -> Iterator[Callable[[], None]]:
    """Hold what a transfer of hero 1 to team 2 needs; then, by a call, get in its way and commit.

    PostgreSQL's serializable transaction can't write what was changed since it began. At MariaDB the two wait for each
    other, and the one that has written less is ended.
    """
    with contextlib.closing(bank.connect(autocommit=False)) as other:
        if bank.kind == "postgresql":
            rows(other, "UPDATE hero SET age = 1 WHERE id = 1")
        else:
            rows(other, "UPDATE hero SET age = 1 WHERE id > 1")
            rows(other, "SELECT id FROM team WHERE id = 2 FOR UPDATE")

        def get_in_the_way() -> None:
            until_it_waits(bank)
            if bank.dialect == "mysql":
                rows(other, "UPDATE hero SET age = 1 WHERE id = 1")
            other.commit()

        yield get_in_the_way


@pytest.fixture
def dbctl_on_bank(dbctl: Dbctl, bank: TestDatabase) -> Forked:
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{bank.profile}"\n\n{bank.toml}', encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home, env=bank.env)


TRANSFER = ("transfer", "1", "--from", "1", "--to", "2")
ISOLATION = {"postgresql": ("--isolation", "serializable"), "mysql": ()}


def test_a_transfer_that_others_got_in_the_way_of_is_run_again_which_is_told(
    bank: TestDatabase, dbctl_on_bank: Forked
) -> None:
    with in_the_way(bank) as get_in_the_way:
        wait = dbctl_on_bank.start(*TRANSFER, *ISOLATION[bank.dialect])
        get_in_the_way()
        result = wait()
    assert result.code == 0, str(result)
    assert result.talk.count("\n") == 1, result.talk
    assert "; retry 1 of 3 in " in result.talk
    assert log_of(bank) == [(1, 1, 2)]


def test_without_retries_it_exits_1_and_nothing_is_written(bank: TestDatabase, dbctl_on_bank: Forked) -> None:
    with in_the_way(bank) as get_in_the_way:
        wait = dbctl_on_bank.start(*TRANSFER, *ISOLATION[bank.dialect], "--retries", "0")
        get_in_the_way()
        result = wait()
    assert (result.code, result.out, result.talk.count("\n")) == (1, "", 1), str(result)
    assert re.search("could not serialize|(?i:deadlock)", result.talk)
    assert log_of(bank) == []


def test_a_lock_that_is_not_given_back_in_time_exits_5(bank: TestDatabase, dbctl_on_bank: Forked) -> None:
    with contextlib.closing(bank.connect(autocommit=False)) as other:
        rows(other, "SELECT id FROM hero WHERE id = 1 FOR UPDATE")
        result = dbctl_on_bank(*TRANSFER, "--lock-timeout", "0.2")
    assert (result.code, result.out, result.talk.count("\n")) == (5, "", 1), str(result)
    assert "lock" in result.talk.lower()
    assert log_of(bank) == []
