"""SIGINT in `with dbctl.session(…)` ends what its server runs, though the main thread waits for it in C."""

import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.faults.behind import behind
from tests.faults.cuts import CommitLost
from tests.faults.watching import Watch, make_reads_slow, within
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.forked import forked
from tests.servers.proxy import End, Proxy

SOON = 1.5
"""Seconds: the second that it may take, and what a busy machine adds."""

PROGRAM = """
import sys, time
import dbctl
from sqlalchemy import text

print("starts", flush=True)
try:
    with dbctl.session(deadline=float(sys.argv[2]) if len(sys.argv) > 2 else None) as session:
        session.execute(text("INSERT INTO team (name) VALUES ('X-Force')"))
        if sys.argv[1]:
            print("begun", flush=True)
            session.execute(text(sys.argv[1])).all()
except KeyboardInterrupt:
    print("interrupted", flush=True)
except dbctl.DbctlError as error:
    print(type(error).__name__, flush=True)
"""
SLOW = "SELECT * FROM hero"


def start(dbctl: Dbctl, database: TestDatabase, *args: str) -> subprocess.Popen[str]:
    program = replace(forked(dbctl, database), program=(sys.executable, "-c", PROGRAM))
    process = program.popen(*args)
    assert process.stdout
    assert process.stdout.readline() == "starts\n"
    return process


def said(process: subprocess.Popen[str], seconds: float) -> str:
    """Return what it says next, in so many seconds or "": the end of its process takes time of its own."""
    assert process.stdout
    found = select.select([process.stdout], [], [], seconds)[0]
    line = process.stdout.readline() if found else ""
    process.kill()
    process.communicate()
    return line.removesuffix("\n")


def test_it_ends_a_query(watch: Watch, dbctl: Dbctl) -> None:
    make_reads_slow(watch.database)
    process = start(dbctl, watch.database, SLOW)
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    assert within(20, watch.is_running)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert said(process, SOON) == "interrupted"
    assert within(SOON, watch.is_free)
    assert watch.database.execute("SELECT name FROM team WHERE name = 'X-Force'") == []


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
@pytest.mark.parametrize("args", [(), ("1",)], ids=["SIGINT", "deadline"])
def test_a_silent_server_holds_up_neither_that_nor_a_deadline(watch: Watch, dbctl: Dbctl, args: Sequence[str]) -> None:
    make_reads_slow(watch.database, 5)
    assert watch.database.server
    process = start(dbctl, watch.database, SLOW, *args)
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    assert within(20, watch.is_running)
    with watch.database.server.frozen():
        if not args:
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
        assert said(process, SOON + sum(map(float, args))) == ("OutOfTime" if args else "interrupted")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_commit_is_awaited_and_left_to_a_second_one(watch: Watch, dbctl: Dbctl) -> None:
    assert watch.database.server
    with Proxy(watch.database.server.port) as proxy:
        proxy.expect(CommitLost(End.SILENCE))
        process = start(dbctl, behind(proxy, watch.database), "")
        assert within(20, lambda: any(conversation.struck for conversation in proxy.conversations))
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        # Where psycopg2 raises its own error first, the server is still asked what became of it.
        assert said(process, 5 + SOON) in {"interrupted", "ConnectError", "OutcomeUnknown"}
