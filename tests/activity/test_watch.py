"""`dbctl activity --watch`: drawn in one place on a terminal, a line a session elsewhere, until it is ended."""

import json
import signal
import time

from tests.activity.sessions import Cast, until
from tests.activity.test_activity import ROW, blocked
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked


def test_off_a_terminal_each_look_adds_lines(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding(ROW)
    process = seer.popen("activity", "--watch", "--interval", "0.3", "-o", "jsonl", "--min-duration", "0.1")
    try:
        assert process.stdout
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert [row["session"] for row in lines] == [holder] * 3
        assert lines[0]["at"] <= lines[2]["at"]
        assert lines[0]["transaction_seconds"] <= lines[2]["transaction_seconds"]
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert json.loads(err.splitlines()[-1])["type"] == "Interrupted"


def test_on_a_terminal_it_is_drawn_over_and_over(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding(ROW)
    waiting = cast.waiting(ROW)
    blocked(seer, waiting)
    with seer.terminal("activity", "--watch", "--interval", "0.5", size=(100, 12)) as terminal:
        code, out, _ = terminal.run([("\x1b[2J", ""), (f"`- {waiting}", ""), ("\x1b[2J", "\x03")], 20)
    assert code == 130
    assert out.count("\x1b[H\x1b[2J") >= 2
    assert str(holder) in out
    for screen in out.split("\x1b[H\x1b[2J")[1:]:
        assert len(screen.splitlines()) <= 13


def test_a_key_ends_it_where_nobody_is_active_too(sqlite_database: TestDatabase, dbctl: Forked) -> None:
    sqlite_database.execute("CREATE TABLE x (n INTEGER)")
    lone = forked(dbctl, sqlite_database)
    with lone.terminal("activity", "--watch", "--interval", "60", size=(100, 12)) as terminal:
        code, out, _ = terminal.run([("q ends it", "q")], 20)
    assert (code, "interrupted" in out) == (0, False), out
    assert "(no rows)" in out


def test_a_reader_that_leaves_ends_it(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    cast.holding(ROW)
    process = seer.popen("activity", "--watch", "--interval", "0.2", "-o", "jsonl")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    started = time.monotonic()
    assert process.wait(10) == 0
    assert time.monotonic() - started < 5


def test_watching_leaves_no_transaction_open(postgres_database: TestDatabase, dbctl: Forked) -> None:
    process = forked(dbctl, postgres_database).popen("activity", "--watch", "--interval", "0.2", "--all")
    try:
        assert process.stdout
        process.stdout.readline()
        query = "SELECT state FROM pg_stat_activity WHERE application_name = 'dbctl' AND datname = current_database()"
        states: set[str] = set()

        def look() -> bool:
            states.update(state for (state,) in postgres_database.execute(query))
            return bool(states)

        until(look)
        for _ in range(20):
            look()
            time.sleep(0.05)
        assert states <= {"idle", "active"}
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
