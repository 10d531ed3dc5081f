"""Another process holds SQLite's lock: who writes waits for it as long as was said, then gives up, nothing written."""

import asyncio
import contextlib
import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

import dbctl
from dbctl import sample
from dbctl.errors import OutOfTime
from tests.faults.bank import HEROES, open_bank
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.profile import profile_of

ALLOWANCE = 4.0
"""Seconds that a run may take beyond what it waits, on a machine that is busy."""
COMMANDS = {
    "heroes add": ("heroes", "add", "Deadpond", "--secret-name", "Dive"),
    "transfer": ("transfer", "1", "--from", "1", "--to", "2"),
}


@pytest.fixture
def bank(sqlite_database: TestDatabase) -> TestDatabase:
    open_bank(sqlite_database)
    return sqlite_database


@pytest.fixture
def forked(dbctl: Dbctl, bank: TestDatabase) -> Forked:
    (dbctl.cwd / "profiles.toml").write_text(f'default = "lite"\n\n{bank.toml}', encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home)


def written(database: TestDatabase) -> bool:
    counts = database.execute("SELECT (SELECT count(*) FROM hero), (SELECT count(*) FROM transfer_log)")
    return counts != [(HEROES, 0)] or database.execute("SELECT 1 FROM hero WHERE team_id <> 1") != []


def _hold(path: str, begin: str, pipe: Any) -> None:
    """Hold the lock until there is word from the pipe, or for so many seconds; then commit what was changed."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(begin)
        connection.execute("UPDATE hero SET age = 99")
        pipe.send("held")
        time.sleep(pipe.recv())
        connection.execute("COMMIT")


@contextlib.contextmanager
def locked(database: TestDatabase, begin: str = "BEGIN IMMEDIATE") -> Iterator[Callable[[float], None]]:
    """Have a process of its own hold the lock for the block, which may call that it is given back in some seconds.

    Not this process: what a fork of it then took for its own would be nobody's lock.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    holder = context.Process(target=_hold, args=(database.name, begin, there), daemon=True)
    holder.start()
    try:
        assert here.poll(20)
        assert here.recv() == "held"
        yield here.send
    finally:
        with contextlib.suppress(BrokenPipeError):  # it has given it back
            here.send(0)
        holder.join(20)
        holder.kill()


@pytest.mark.parametrize(
    ("command", "options", "budget"),
    [
        ("heroes add", (), 5.0),
        ("transfer", ("--lock-timeout", "1"), 1.0),
        ("heroes add", ("--timeout", "1"), 1.0),
        ("transfer", ("--lock-timeout", "0.3", "--timeout", "2"), 0.3),
    ],
    ids=["default", "lock-timeout", "timeout", "both"],
)
def test_a_command_that_writes_waits_its_budget_and_exits_5(
    bank: TestDatabase, forked: Forked, command: str, options: tuple[str, ...], budget: float
) -> None:
    with locked(bank):
        began = time.monotonic()
        result = forked(*COMMANDS[command], *options)
        took = time.monotonic() - began
    waits_aloud = budget > 2  # who waits longer says for whom
    assert (result.code, result.out, result.talk.count("\n")) == (5, "", 1 + waits_aloud), str(result)
    assert ("dbctl: waiting for the file's lock, which process " in result.talk) == waits_aloud
    assert f"lock timeout: {budget:g} s" in result.talk
    assert budget * 0.9 < took < budget + ALLOWANCE
    assert not written(bank)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_succeeds_where_the_lock_is_given_back_in_time(
    bank: TestDatabase, forked: Forked, command: str
) -> None:
    with locked(bank) as give_back:
        give_back(0.3)
        result = forked(*COMMANDS[command])
    assert (result.code, result.talk) == (0, ""), str(result)
    assert written(bank)
    assert bank.execute("SELECT count(*) FROM hero WHERE age = 99") == [(HEROES,)]


@pytest.mark.parametrize(("mode", "code"), [("wal", 0), ("delete", 5)])
def test_a_reader_is_held_up_by_a_writer_only_where_there_is_no_wal(
    bank: TestDatabase, forked: Forked, mode: str, code: int
) -> None:
    bank.execute(f"PRAGMA journal_mode = {mode}")
    with locked(bank, "BEGIN EXCLUSIVE"):
        began = time.monotonic()
        result = forked("heroes", "show", "1", "--lock-timeout", "3" if code == 0 else "1", "--json")
        took = time.monotonic() - began
    assert result.code == code, str(result)
    assert took < 1 + ALLOWANCE
    if code == 0:
        assert took < 3  # it did not wait at all
        assert result.json["age"] is None


def transfer(session: Session) -> None:
    sample.transfer(session, 1, 1, 2)


def run(
    database: TestDatabase, asynchronous: bool, changes: dict[str, Any], work: Callable[[Session], None] = transfer
) -> None:
    profile = profile_of(database, changes)

    async def by_async_driver() -> None:
        try:
            await dbctl.async_run(dbctl.in_async(work), profile)
        finally:
            await dbctl.async_dispose()

    try:
        asyncio.run(by_async_driver()) if asynchronous else dbctl.run(work, profile)
    finally:
        dbctl.dispose()  # no connection of this process is open when the next test forks


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("key", ["lock_timeout", "statement_timeout"])
def test_a_unit_of_work_waits_as_long_as_its_profile_says(bank: TestDatabase, asynchronous: bool, key: str) -> None:
    with locked(bank):
        began = time.monotonic()
        with pytest.raises(OutOfTime, match="locked"):
            run(bank, asynchronous, {key: 0.4})
        took = time.monotonic() - began
    assert 0.4 * 0.9 < took < 0.4 + ALLOWANCE
    assert not written(bank)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_unit_of_work_succeeds_where_the_lock_is_given_back_in_time(bank: TestDatabase, asynchronous: bool) -> None:
    with locked(bank) as give_back:
        give_back(0.3)
        run(bank, asynchronous, {})
    assert bank.execute("SELECT team_id, age FROM hero WHERE id = 1") == [(2, 99)]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_statement_is_ended_when_its_time_is_over(bank: TestDatabase, asynchronous: bool) -> None:
    def count(session: Session) -> None:
        transfer(session)
        slow = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t LIMIT 8000000) SELECT max(x) FROM t"
        session.execute(text(slow))

    began = time.monotonic()
    with pytest.raises(OutOfTime, match=r"^statement_timeout 0\.3 s: interrupted"):
        run(bank, asynchronous, {"statement_timeout": 0.3}, count)
    assert time.monotonic() - began < 0.3 + ALLOWANCE
    assert not written(bank)
