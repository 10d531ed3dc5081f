"""A transaction that is idle at a prompt is told, and ended where that is asked for; one that is at work is not."""

import logging
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from dbctl.connections.connector import opened
from dbctl.console.idle import watched
from dbctl.console.sessions import Desk, opened_on
from tests.commands.prompts import Prompt, prompt
from tests.faults.watching import within
from tests.harness.profile import profile_of
from tests.services.running import Service, fleet_database, service

__all__ = ["fleet_database", "prompt", "service"]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def desk(service: Service, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with (
        opened(profile_of(service.database)) as connector,
        opened_on(connector, read_only=False, by_loop=request.param) as found,
    ):
        yield found


def insert(desk: Desk) -> None:
    with desk.running():
        desk.on_session(lambda session: session.execute(text("INSERT INTO ship (name, tons) VALUES ('Argo', 1)")))


def test_it_is_told_once_and_again_when_it_is_idle_again(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    insert(desk)
    said = "the transaction (1 statement that wrote) is open, and was idle for 0.3 s"
    with caplog.at_level(logging.WARNING, "dbctl"), watched(desk, told_after=0.3):
        assert within(5, lambda: said in caplog.text)
        time.sleep(1)
        assert caplog.text.count("is open, and was idle") == 1
        with desk.running():
            pass
        assert within(5, lambda: caplog.text.count("is open, and was idle") == 2)
    assert desk.ledger.is_open


def test_it_is_ended_at_its_limit_and_told_and_the_session_is_usable(
    desk: Desk, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    insert(desk)
    with caplog.at_level(logging.WARNING, "dbctl"), watched(desk, limit=0.3):
        assert within(5, lambda: "rolled back: 1 statement that wrote" in caplog.text)
        assert not desk.ledger.is_open
        insert(desk)
        with desk.running():
            desk.awaited(desk.session.commit()) if desk.runner else desk.session.commit()
    assert service.ships == {"Argo"}


def test_what_is_at_work_is_left_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dbctl"), watched(desk, limit=0.3, told_after=0.1):
        with desk.running():
            desk.on_session(lambda session: session.execute(text("DELETE FROM ship")))
            time.sleep(1)
        assert desk.ledger.is_open
    assert caplog.text == ""


def test_without_a_transaction_nothing_is_told(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dbctl"), watched(desk, limit=0.2, told_after=0.1):
        time.sleep(1)
    assert caplog.text == ""


def test_at_the_prompt_it_is_told_beside_what_is_typed(service: Service, prompt: Prompt) -> None:
    with prompt.opened(service.dbctl, "--idle-timeout", "1.5") as terminal:
        assert within(20, lambda: prompt.mark(1) in terminal.shown())
        terminal.press("session.add(Ship(name='Argo')); session.flush(); print(6 * 7)\r")
        assert within(10, lambda: "42\n" in terminal.shown()), terminal.shown()
        assert within(10, lambda: "dbctl: rolled back: 1 new Ship" in terminal.shown()), terminal.shown()
        assert "dbctl: the transaction was idle for 1.5 s, and is ended" in terminal.shown()
        terminal.press("print(6 * 8)\r")
        assert within(10, lambda: "48\n" in terminal.shown()), terminal.shown()
        time.sleep(0.5)
        terminal.press("\x04")
        assert terminal.process.wait(10) == 0
    assert service.ships == set()
