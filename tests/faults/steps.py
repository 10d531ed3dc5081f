"""Doing something to a run after one of its steps: a statement, or a piece of work of which it tells how far it is.

A run is a fork of the tests' own process; what it counts the tests can read.
"""

import contextlib
import mmap
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, event

from dbctl.cli.progress import ProgressDrawing
from dbctl.connections.watching import is_ended
from tests.faults.killing import kill
from tests.harness.database import TestDatabase

Act = Callable[[], object]

_SESSIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = %s",
}


@dataclass
class Steps:
    """The steps that one run makes.

    Attributes:
        last: after which one something is done.
        act: what that is.
    """

    last: int
    act: Act
    _shared: memoryview

    @property
    def count(self) -> int:
        """How many the run has made."""
        return self._shared[0]

    @property
    def middle(self) -> range:
        """Those from the first piece of work on; all where it tells of none."""
        return range(self._shared[1] or 1, self.count + 1)

    def made(self, *, work: bool) -> None:
        """Take note of one, a piece of work or a statement, and act where it is the one."""
        number = self._shared[0] = self._shared[0] + 1
        if work and not self._shared[1]:
            self._shared[1] = number
        if number == self.last:
            self.act()


@contextlib.contextmanager
def after_step(last: int = 0, act: Act = lambda: None) -> Iterator[Steps]:
    """Count the steps of a run that is made in the block, and do something in it after one of them.

    Parameters:
        last: after which one, from 1; 0 does nothing.
        act: what to do.
    """
    steps = Steps(last, act, memoryview(mmap.mmap(-1, 8)).cast("I"))
    report = ProgressDrawing.__call__

    def reported(drawing: ProgressDrawing, *how: Any) -> None:
        report(drawing, *how)
        steps.made(work=True)

    def executed(*_: Any) -> None:
        steps.made(work=False)

    event.listen(Engine, "after_cursor_execute", executed)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ProgressDrawing, "__call__", reported)
            yield steps
    finally:
        event.remove(Engine, "after_cursor_execute", executed)


# --- what is done to a run, by itself ---------------------------------------------------------------------------------


def die() -> None:
    """End by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> None:
    """Hear Ctrl-C, and go on when that has been heard."""
    os.kill(os.getpid(), signal.SIGINT)
    _until(is_ended)


def lose(database: TestDatabase) -> Act:
    """Return what ends all sessions of a database at its server."""

    def act() -> None:
        assert database.server
        for (session,) in database.server.execute(_SESSIONS[database.dialect], [database.name]):
            kill(database, session)

    return act


def crash(database: TestDatabase) -> Act:
    """Return what crashes a database's server."""

    def act() -> None:
        server = database.server
        assert server
        assert server.process
        os.kill(server.process.pid, server.stop_signals["immediate"])
        _until(lambda: not _answers(database))

    return act


def _answers(database: TestDatabase) -> bool:
    try:
        database.connect().close()
    except Exception:  # each driver has its own error
        return False
    return True


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
