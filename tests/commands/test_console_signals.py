"""Signals in `dbctl console`: Ctrl-C ends a statement, at the server too; SIGTERM ends all, rolled back."""

import os
import re
import signal
import time
from collections.abc import Iterator

import pytest

from tests.commands.prompts import Prompt, prompt
from tests.faults.killing import kill
from tests.faults.watching import Watch, within
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.harness.shared import make_shared
from tests.harness.terminal import Terminal
from tests.services.running import Service, configured, fleet_database, service

__all__ = ["fleet_database", "prompt", "service"]

SLEEP = {
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60) FROM ship",
}
DRIVERS = pytest.mark.parametrize(("option", "word"), [((), ""), (("--async",), "await ")], ids=["sync", "async"])
SOON = 2.0


@pytest.fixture
def watch(service: Service) -> Iterator[Watch]:
    connection = service.database.connect(autocommit=True)
    yield Watch(service.database, connection)
    connection.close()


def type_a_long_statement(terminal: Terminal, prompt: Prompt, service: Service, word: str) -> None:
    """Have it under way, with a ship that is not committed."""
    query = SLEEP[service.database.dialect]
    lines = [
        "from sqlalchemy import text",
        "session.add(Ship(name='Argo'))",
        f"{word}session.flush()",
        f"print('be' + 'gins'); {word}session.exec(text('{query}'))",
    ]
    for number, line in enumerate(lines, 1):
        seen = len(terminal.shown())
        assert within(20, lambda number=number: prompt.mark(number) in terminal.shown()), terminal.shown()  # type: ignore[misc]
        terminal.press(f"{line}\r")
        assert within(20, lambda seen=seen: len(terminal.shown()) > seen)  # type: ignore[misc]
        time.sleep(0.3)
    assert within(20, lambda: "begins\n" in terminal.shown()), terminal.shown()
    time.sleep(0.5)


@DRIVERS
def test_ctrl_c_ends_the_statement_at_the_server_and_rolls_back_and_the_prompt_goes_on(
    service: Service, watch: Watch, prompt: Prompt, option: tuple[str, ...], word: str
) -> None:
    with prompt.opened(service.dbctl, *option) as terminal:
        type_a_long_statement(terminal, prompt, service, word)
        began = time.monotonic()
        terminal.press("\x03")
        assert within(5, lambda: "KeyboardInterrupt" in terminal.shown()), terminal.shown()
        assert time.monotonic() - began < SOON
        assert "rolled back: 1 new Ship" in terminal.shown()
        if service.database.server:
            assert within(SOON, lambda: not watch.is_running())
        time.sleep(0.3)
        terminal.press(f"session.add(Ship(name='Zephyr')); {word}commit(); print(6 * 7)\r")
        assert within(10, lambda: "42\n" in terminal.shown()), terminal.shown()
        time.sleep(0.5)
        terminal.press("\x04")
        assert terminal.process.wait(10) == 0
    assert service.ships == {"Zephyr"}


@DRIVERS
def test_sigterm_in_a_statement_ends_all_with_143_and_rolls_back(
    service: Service, watch: Watch, prompt: Prompt, option: tuple[str, ...], word: str
) -> None:
    with prompt.opened(service.dbctl, *option) as terminal:
        type_a_long_statement(terminal, prompt, service, word)
        os.kill(terminal.process.pid, signal.SIGTERM)
        began = time.monotonic()
        code = terminal.process.wait(10)
        assert time.monotonic() - began < SOON
        shown = terminal.shown()
        assert (code, "dbctl: interrupted: what was not committed is rolled back" in shown) == (143, True), shown
        assert "rolled back at the end: 1 new Ship" in shown
        assert terminal.is_as_before
        assert within(SOON, lambda: watch.sessions() == 0)
    assert service.ships == set()


def test_sigterm_at_the_prompt_ends_it_with_143_and_rolls_back(service: Service, watch: Watch, prompt: Prompt) -> None:
    with prompt.opened(service.dbctl) as terminal:
        assert within(20, lambda: prompt.mark(1) in terminal.shown())
        terminal.press("session.add(Ship(name='Argo')); session.flush(); print(6 * 7)\r")
        assert within(10, lambda: "42\n" in terminal.shown()), terminal.shown()
        time.sleep(0.5)
        os.kill(terminal.process.pid, signal.SIGTERM)
        began = time.monotonic()
        code = terminal.process.wait(10)
        assert time.monotonic() - began < SOON
        shown = terminal.shown()
        assert (code, "rolled back at the end: 1 new Ship" in shown) == (143, True), shown
        assert terminal.is_as_before
    assert service.ships == set()


@pytest.mark.parametrize("kind", SERVER_KINDS)
def test_a_lost_connection_is_told_and_what_comes_next_has_a_new_one(
    kind: str, prompt: Prompt, request: pytest.FixtureRequest, dbctl: Dbctl
) -> None:
    for database in make_shared(kind, request):
        console = configured(dbctl, database)
        console.ok("init-tables")
        function = "pg_backend_pid()" if kind == "postgresql" else "connection_id()"
        ask = f"from sqlalchemy import text; print('<' + str(session.scalar(text('SELECT {function}'))) + '>')"
        with prompt.opened(console) as terminal:
            assert within(20, lambda: prompt.mark(1) in terminal.shown())
            terminal.press(f"session.add(Ship(name='Argo')); session.flush(); {ask}\r")
            assert within(10, lambda: re.search(r"<\d+>", terminal.shown())), terminal.shown()
            (number,) = re.findall(r"<(\d+)>", terminal.shown())
            kill(database, int(number))
            terminal.press("session.exec(select(Ship)).all()\r")
            assert within(10, lambda: "; rolled back: 1 new Ship" in terminal.shown()), terminal.shown()
            assert "dbctl: error: " in terminal.shown()
            time.sleep(0.5)
            terminal.press("session.add(Ship(name='Zephyr')); commit()\r")
            assert within(10, lambda: "committed: 1 new Ship" in terminal.shown()), terminal.shown()
            time.sleep(0.5)
            terminal.press("\x04")
            assert terminal.process.wait(10) == 0
        assert database.execute("SELECT name FROM ship") == [("Zephyr",)]


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "while True: pass"])
def test_ctrl_c_in_pythons_own_code_keeps_the_transaction(service: Service, prompt: Prompt, code: str) -> None:
    with prompt.opened(service.dbctl) as terminal:
        assert within(20, lambda: prompt.mark(1) in terminal.shown())
        terminal.press("session.add(Ship(name='Argo')); session.flush(); print(6 * 7)\r")
        assert within(10, lambda: "42\n" in terminal.shown()), terminal.shown()
        time.sleep(0.5)
        terminal.press(f"exec('print(6 * 8)\\n{code}')\r")
        assert within(10, lambda: "48\n" in terminal.shown()), terminal.shown()
        terminal.press("\x03")
        assert within(5, lambda: "KeyboardInterrupt" in terminal.shown()), terminal.shown()
        time.sleep(0.5)
        terminal.press("commit()\r")
        assert within(10, lambda: "committed: 1 new Ship" in terminal.shown()), terminal.shown()
        time.sleep(0.5)
        terminal.press("\x04")
        assert terminal.process.wait(10) == 0
    assert service.ships == {"Argo"}
