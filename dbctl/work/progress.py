"""How far long work has come: it reports to whoever listens, and knows of no screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """What is called as work goes on."""

    def __call__(self, done: float, total: float | None = None, unit: str = "rows", message: str = "") -> None:
        """Take note of how far the work has come.

        Args:
            done: How much is done, in units.
            total: How much there is to do in all, or None where that is not known.
            unit: What is counted: "rows", "bytes", "seconds".
            message: What is being done, in a word or two.
        """


_listener: ContextVar[Progress | None] = ContextVar("dbctl_progress", default=None)


def report(done: float, total: float | None = None, unit: str = "rows", message: str = "") -> None:
    """Tell whoever listens how far the work has come; nobody may."""
    if listener := _listener.get():
        listener(done, total, unit, message)


@contextmanager
def reported_to(listener: Progress | None) -> Iterator[None]:
    """Have what the block reports told to a listener; None leaves it as it is."""
    if listener is None:
        yield
        return
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
