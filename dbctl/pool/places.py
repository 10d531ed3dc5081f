"""Where in a service a connection is taken, and what for: noted with a checkout, put into words when somebody asks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from types import CodeType, FrameType
from typing import Any

_LIBRARIES = frozenset({"sqlalchemy", "sqlmodel", "dbctl", "contextlib", "greenlet", "asyncio", "anyio", "threading"})
"""Packages that take a connection for somebody else: whoever calls them is shown."""

_DEPTH = 3
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

    Raises:
        TypeError: The label is no text.
    """
    if not isinstance(label, str):
        raise TypeError(f"a label has to be a text, and not {label!r}")
    before = _label.get()
    _label.set(label)
    try:
        yield
    finally:
        _label.set(before)  # no token: an async generator may be closed in another context


_known: dict[str | None, bool] = {}
"""Whether a module through which a checkout has gone is a library's."""

_module_at: Callable[[int], str | None] = getattr(
    sys, "_getframemodulename", lambda depth: sys._getframe(depth + 1).f_globals.get("__name__")
)
"""Returns the module of the caller's frame, for 0, or of one above it: since Python 3.12 without making the frame."""


def current_place() -> Place:
    """Return who is taking a connection here: the calls outside of the libraries that lead to the caller's caller."""
    place: list[tuple[CodeType, int]] = []
    depth, known = 2, _known.get
    frame: FrameType | None
    try:
        while known(_module_at(depth)):
            depth += 1
        frame = sys._getframe(depth)
    except ValueError:  # all are
        frame = None
    greenlet: Any = None
    while True:
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if (is_library := known(module)) is None:
                is_library = _known[module] = module.partition(".")[0] in _LIBRARIES
            if not is_library:
                place.append((frame.f_code, frame.f_lasti))
                if len(place) == _DEPTH:
                    return tuple(place)
            frame = frame.f_back
        # What an async driver's greenlet was switched to from goes on in the one that waits for it.
        greenlet = getattr(greenlet or _current_greenlet(), "parent", None)
        if greenlet is None:
            return tuple(place)
        frame = greenlet.gr_frame


def _current_greenlet() -> Any:
    return getattr(sys.modules.get("greenlet"), "getcurrent", lambda: None)()


def told(place: Place) -> list[str]:
    """Return the calls in words, the innermost first: `app/orders.py:42 in list_orders`."""
    return [f"{code.co_filename}:{_line(code, at)} in {code.co_qualname}" for code, at in place]


def _line(code: CodeType, at: int) -> int:
    line = next(islice(code.co_positions(), at // 2, None), (None,))[0]
    return line or code.co_firstlineno
