"""A transaction that is idle at a prompt is told, and ended where that is asked for; one that is at work is not."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from dbctl.connections.connector import opened
from dbctl.console.idle import watched
from dbctl.console.sessions import Desk, opened_on
from tests.commands.prompts import Prompt, prompt
from tests.faults.watching import within
from tests.harness.profile import profile_of
from tests.services.running import Service, fleet_database, lite, service

__all__ = ["fleet_database", "lite", "prompt", "service"]


@contextmanager
def desk_of(service: Service, *, by_loop: bool) -> Iterator[Desk]:
    with (
        opened(profile_of(service.database)) as connector,
        opened_on(connector, read_only=False, by_loop=by_loop) as found,
    ):
        yield found


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def desk(lite: Service, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with desk_of(lite, by_loop=request.param) as found:
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


@pytest.mark.parametrize("by_loop", [False, True], ids=["sync", "async"])
def test_it_is_ended_at_its_limit_and_told_and_the_session_is_usable(
    service: Service, by_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        desk_of(service, by_loop=by_loop) as desk,
        caplog.at_level(logging.WARNING, "dbctl"),
        watched(desk, limit=0.3),
    ):
        insert(desk)
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


def test_at_the_prompt_it_is_told_beside_what_is_typed(lite: Service, prompt: Prompt) -> None:
    with prompt.opened(lite.dbctl, "--idle-timeout", "0.7") as typist:
        typist.types("session.add(Ship(name='Argo')); session.flush(); print(6 * 7)", "42\n")
        typist.sees("dbctl: the transaction was idle for 0.7 s, and is ended")
        typist.sees("dbctl: rolled back: 1 new Ship")
        typist.types("print(6 * 8)", "48\n")
        typist.leaves()
    assert lite.ships == set()
