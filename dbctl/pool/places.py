"""Where in a service a connection is taken, and what for: noted with a checkout, put into words when somebody asks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from types import CodeType, FrameType
from typing import Any

_LIBRARIES = frozenset({"sqlalchemy", "sqlmodel", "dbctl", "contextlib", "greenlet", "asyncio", "anyio", "threading"})
"""Packages that take a connection for somebody else: whoever calls them is shown."""

_DEPTH = 5
"""How many calls are noted, the innermost first."""

Place = tuple[tuple[CodeType, int], ...]
"""Calls, each as the code and where it is in it: a line is looked up when it is shown."""

_label: ContextVar[str | None] = ContextVar("dbctl_pool_label", default=None)

current_label = _label.get
"""Returns what the connections of this thread or task are taken for, or None."""


@contextmanager
def labelled(label: str) -> Iterator[None]:
    """Say what the connections are for that the block takes, and the tasks that it starts: a route, a job.

    A thread has it where it is given the context, as `asyncio.to_thread` and `contextvars.copy_context` do.

    Args:
        label: A word for it, of which there are few.
    """
    before = _label.get()
    _label.set(label)
    try:
        yield
    finally:
        _label.set(before)  # no token: an async generator may be closed in another context


def current_place() -> Place:
    """Return who is taking a connection here: the calls outside of the libraries that lead to it."""
    return tuple(islice(_calls(sys._getframe(1)), _DEPTH))


def _calls(frame: FrameType | None) -> Iterator[tuple[CodeType, int]]:
    for each in _frames(frame):
        if each.f_globals.get("__name__", "").partition(".")[0] not in _LIBRARIES:
            yield each.f_code, each.f_lasti


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Return the frames that lead to one; those of an async driver's go on in the greenlet that waits for it."""
    greenlet: Any = getattr(sys.modules.get("greenlet"), "getcurrent", lambda: None)()
    while True:
        while frame is not None:
            yield frame
            frame = frame.f_back
        greenlet = getattr(greenlet, "parent", None)
        if greenlet is None:
            return
        frame = greenlet.gr_frame


def told(place: Place) -> list[str]:
    """Return the calls in words, the innermost first: `app/orders.py:42 in list_orders`."""
    return [f"{code.co_filename}:{_line(code, at)} in {code.co_qualname}" for code, at in place]


def _line(code: CodeType, at: int) -> int:
    line = next(islice(code.co_positions(), at // 2, None), (None,))[0]
    return line or code.co_firstlineno
