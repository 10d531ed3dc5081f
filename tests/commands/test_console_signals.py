"""Signals in `dbctl console`: Ctrl-C ends a statement, at the server too; SIGTERM ends all, rolled back."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.commands.prompts import Prompt, Typist, prompt
from tests.faults.killing import kill
from tests.faults.watching import Watch, within
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import of_tests
from tests.harness.shared import make_shared
from tests.services.running import Service, configured, fleet_database, lite, service

__all__ = ["fleet_database", "lite", "prompt", "service"]

SLEEP = {
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60) FROM ship",
}
ADD = "session.add(Ship(name='Argo'))"
SYNC, ASYNC = ((), ""), (("--async",), "await ")
# A prompt is no matter of the database, nor is a driver one of the prompt: both drivers of all, and each prompt.
EACH = pytest.mark.parametrize(
    ("prompt", "option", "word"), [("python", *SYNC), ("ipython", *ASYNC)], indirect=["prompt"], ids=["sync", "async"]
)
OTHERS = pytest.mark.parametrize(
    ("prompt", "option", "word"), [("ipython", *SYNC), ("python", *ASYNC)], indirect=["prompt"], ids=["sync", "async"]
)
SOON = 2.0


@pytest.fixture
def watch(service: Service) -> Iterator[Watch]:
    connection = service.database.connect(autocommit=True)
    yield Watch(service.database, connection)
    connection.close()


def type_a_long_statement(typist: Typist, service: Service, word: str) -> None:
    """Have it under way, with a ship that is not committed."""
    typist.types("from sqlalchemy import text")
    typist.types(ADD)
    typist.types(f"{word}session.flush()")
    query = SLEEP[service.database.dialect]
    typist.types(f"print('be' + 'gins'); {word}session.exec(text('{query}'))", "begins\n")
    time.sleep(0.3)


def interrupt_a_statement(service: Service, prompt: Prompt, option: tuple[str, ...], word: str) -> Iterator[None]:
    """Press Ctrl-C in a long statement; then the caller may look; and go on."""
    with prompt.opened(service.dbctl, *option) as typist:
        type_a_long_statement(typist, service, word)
        began = time.monotonic()
        typist.terminal.press("\x03")
        typist.sees("KeyboardInterrupt")
        assert time.monotonic() - began < SOON
        assert "rolled back: 1 new Ship" in typist.terminal.shown()
        yield
        typist.types(f"session.add(Ship(name='Zephyr')); {word}commit(); print(6 * 7)", "42\n")
        typist.leaves()
    assert service.ships == {"Zephyr"}


@EACH
def test_ctrl_c_ends_the_statement_at_the_server_and_rolls_back_and_the_prompt_goes_on(
    service: Service, watch: Watch, prompt: Prompt, option: tuple[str, ...], word: str
) -> None:
    for _ in interrupt_a_statement(service, prompt, option, word):
        assert not service.database.server or within(SOON, lambda: not watch.is_running())


@OTHERS
def test_ctrl_c_ends_the_statement_at_either_prompt(
    lite: Service, prompt: Prompt, option: tuple[str, ...], word: str
) -> None:
    assert [*interrupt_a_statement(lite, prompt, option, word)] == [None]


@EACH
def test_sigterm_in_a_statement_ends_all_with_143_and_rolls_back(
    service: Service, watch: Watch, prompt: Prompt, option: tuple[str, ...], word: str
) -> None:
    with prompt.opened(service.dbctl, *option) as typist:
        type_a_long_statement(typist, service, word)
        terminate(typist)
        assert "dbctl: interrupted: what was not committed is rolled back" in typist.terminal.shown()
        assert within(SOON, lambda: watch.sessions() == 0)
    assert service.ships == set()


def test_sigterm_at_the_prompt_ends_it_with_143_and_rolls_back(lite: Service, prompt: Prompt) -> None:
    with prompt.opened(lite.dbctl) as typist:
        typist.types(f"{ADD}; session.flush()")
        typist.is_asked()
        terminate(typist)
    assert lite.ships == set()


def terminate(typist: Typist) -> None:
    """Send SIGTERM; it ends soon, and leaves the terminal as it was."""
    began = time.monotonic()
    typist.terminal.process.send_signal(signal.SIGTERM)
    code = typist.terminal.process.wait(10)
    assert time.monotonic() - began < SOON
    shown = typist.terminal.shown()
    assert (code, "rolled back at the end: 1 new Ship" in shown) == (143, True), shown
    assert typist.terminal.is_as_before


@pytest.mark.parametrize("kind", SERVER_KINDS)
@pytest.mark.parametrize("prompt", ["python"], indirect=True)
def test_a_lost_connection_is_told_and_what_comes_next_has_a_new_one(
    kind: str, prompt: Prompt, request: pytest.FixtureRequest, dbctl: Dbctl
) -> None:
    for database in make_shared(kind, request):
        console = configured(dbctl, database)
        console.ok("init-tables")
        function = "pg_backend_pid()" if kind == "postgresql" else "connection_id()"
        with prompt.opened(console) as typist:
            typist.types("from sqlalchemy import text")
            typist.types(f"{ADD}; session.flush(); number = session.scalar(text('SELECT {function}'))")
            typist.types("open('number', 'w').write(str(number)); print(6 * 7)", "42\n")
            kill(database, int((dbctl.cwd / "number").read_text()))
            typist.types("session.exec(select(Ship)).all()", "dbctl: error: ", "; rolled back: 1 new Ship")
            typist.types("session.add(Ship(name='Zephyr')); commit()", "committed: 1 new Ship")
            typist.leaves()
        assert database.execute("SELECT name FROM ship") == [("Zephyr",)]


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "while True: pass"])
def test_ctrl_c_in_pythons_own_code_keeps_the_transaction(lite: Service, prompt: Prompt, code: str) -> None:
    with prompt.opened(lite.dbctl) as typist:
        typist.types(f"{ADD}; session.flush()")
        typist.types(f"exec('print(6 * 8)\\n{code}')", "48\n")
        typist.terminal.press("\x03")
        typist.sees("KeyboardInterrupt")
        typist.types("commit()", "committed: 1 new Ship")
        typist.leaves()
    assert lite.ships == {"Argo"}


@pytest.mark.dependency
@pytest.mark.parametrize("prompt", ["ipython"], indirect=True)
def test_ctrl_c_at_the_prompt_of_a_terminal_that_can_do_nothing_ends_the_line_alone(
    lite: Service, prompt: Prompt
) -> None:
    keys = [("[1]: ", "\x03"), ("[1]: ", "print(6 * 7)\r"), ("[2]: ", "exit()\r")]
    result = of_tests(lite.dbctl).tty("console", keys=keys, env={**prompt.env, "TERM": "dumb"})
    assert (result.code, "42" in result.plain, "escaped" in result.plain) == (0, True, False), str(result)
