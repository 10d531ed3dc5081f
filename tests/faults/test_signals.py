"""SIGINT and SIGTERM end a run in the middle of its work at once, and leave nothing of it at the server."""

import contextlib
import signal
import time

import pytest

from tests.faults.watching import Watch, make_reads_slow, make_writes_slow, within
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import Forked, Run
from tests.harness.processes import times_open
from tests.servers.client import rows

SOON = 1.5
"""Seconds: the second that it may take, and what a busy machine adds."""

SIGNALS = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupted", "terminated"]
)
ADD = ("heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp")
TRANSFER = ("transfer", "1", "--from", "1", "--to", "2")
HERO = (1, "Deadpond", "Dive Wilson", 30, 1)
SAID = "dbctl: interrupted: what was not committed is rolled back\n"


def until_it_runs(watch: Watch) -> None:
    assert within(20, watch.is_running)
    time.sleep(0.1)  # the statement before may have been seen, or on SQLite the transaction's begin


def end(run: Run, number: int, code: int, watch: Watch, said: str = SAID) -> None:
    """Send the signal, and see the run end, and its statement and its locks and its sessions with it, and why."""
    run.send_signal(number)
    sent = time.monotonic()
    in_time = within(SOON, run.has_ended)
    run.send_signal(signal.SIGKILL)
    result = run()
    assert in_time
    assert (result.code, result.out, result.talk) == (code, "", said)
    left = SOON - (time.monotonic() - sent)
    assert within(left, lambda: not watch.is_running())
    assert within(left, watch.is_free)
    assert within(left, lambda: watch.sessions() == 0)


@SIGNALS
@pytest.mark.parametrize("command", [ADD, TRANSFER], ids=["add", "transfer"])
def test_a_signal_ends_a_statement_that_writes(
    watch: Watch, quick: Forked, command: tuple[str, ...], number: int, code: int
) -> None:
    make_writes_slow(watch.database)
    run = quick.start(*command, "--json")
    until_it_runs(watch)
    end(run, number, code, watch)
    assert (watch.heroes(), watch.transfers()) == ([HERO], [])


@SIGNALS
def test_a_signal_ends_a_statement_that_reads(watch: Watch, quick: Forked, number: int, code: int) -> None:
    make_reads_slow(watch.database)
    run = quick.start("heroes", "list")
    until_it_runs(watch)
    end(run, number, code, watch, "dbctl: interrupted\n")


@SIGNALS
def test_a_signal_ends_a_wait_for_a_lock(watch: Watch, quick: Forked, number: int, code: int) -> None:
    with contextlib.closing(watch.database.connect(autocommit=False)) as other:
        rows(other, "UPDATE hero SET age = 31 WHERE id = 1")
        run = quick.start(*TRANSFER, "--lock-timeout", "30")
        if watch.database.server:
            until_it_runs(watch)
        else:
            file = watch.database.name  # in which nobody can be seen waiting
            assert within(20, lambda: times_open(run.pid, file) > 0)
        run.send_signal(number)
        in_time = within(SOON, run.has_ended)
        run.send_signal(signal.SIGKILL)
        result = run()
        assert in_time
        assert (result.code, result.out, result.talk) == (code, "", SAID)
        assert within(SOON, lambda: watch.sessions() <= 1)
        other.commit()
    assert within(SOON, watch.is_free)
    assert (watch.heroes(), watch.transfers()) == ([(1, "Deadpond", "Dive Wilson", 31, 1)], [])


def test_ctrl_c_leaves_the_terminal_as_it_was(watch: Watch, on_database: Dbctl) -> None:
    make_writes_slow(watch.database)
    with on_database.terminal(*ADD) as terminal:
        until_it_runs(watch)
        terminal.press("\x03")
        assert terminal.process.wait(SOON) == 130
        assert terminal.is_as_before
        shown = terminal.shown()
    assert shown.endswith(SAID)
    assert within(SOON, watch.is_free)
    assert watch.heroes() == [HERO]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sigterm_leaves_the_terminal_as_it_was(watch: Watch, on_database: Dbctl) -> None:
    make_writes_slow(watch.database)
    with on_database.terminal(*ADD) as terminal:
        until_it_runs(watch)
        terminal.process.terminate()
        assert terminal.process.wait(SOON) == 143
        assert terminal.is_as_before
        assert terminal.shown().endswith(SAID)
    assert watch.heroes() == [HERO]


def test_a_terminal_that_is_closed_ends_the_run_and_nothing_is_half_done(watch: Watch, on_database: Dbctl) -> None:
    make_writes_slow(watch.database, 3)
    with on_database.terminal(*TRANSFER) as terminal:
        until_it_runs(watch)
        terminal.close()
        assert terminal.process.wait(SOON) in {-signal.SIGHUP, 128 + signal.SIGHUP}
    assert within(3 + SOON if watch.database.dialect == "mysql" else SOON, watch.is_free)
    assert (watch.heroes(), watch.transfers()) == ([HERO], [])


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
@pytest.mark.parametrize(("further", "code"), [(None, 130), (signal.SIGTERM, 143)], ids=["one", "two"])
def test_a_silent_server_holds_up_no_signal(watch: Watch, quick: Forked, further: int | None, code: int) -> None:
    """A second one ends it while it still waits for the rollback: the exit code is the second's."""
    make_writes_slow(watch.database, 2)
    assert watch.database.server
    run = quick.start(*ADD)
    until_it_runs(watch)
    with watch.database.server.frozen():
        run.send_signal(signal.SIGINT)
        if further:
            time.sleep(0.05)
            run.send_signal(further)
        in_time = within(SOON, run.has_ended)
        run.send_signal(signal.SIGKILL)
        result = run()
    assert in_time
    assert (result.code, result.talk) == (code, SAID)
    assert within(2 + SOON, watch.is_free)
    assert watch.heroes() == [HERO]
