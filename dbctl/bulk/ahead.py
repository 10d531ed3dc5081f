"""Reading ahead: rows are read by a thread of its own, while those before them are written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from queue import Empty, Full, Queue

from dbctl.backends.exports import Take, Texts
from dbctl.connections.watching import raise_if_ended
from dbctl.runtime.waits import result_of, started

_MOST = 4
"""Portions that may have been read and are not written yet."""

_LISTEN = 0.1
"""Seconds for which is waited at a stretch; then it is heard whether all is to end."""

Columns = Sequence[Texts]


class _Left(Exception):
    """Nobody takes any more what is read."""


def read_ahead(read: Callable[[Take], None]) -> Iterator[Columns]:
    """Yield what a function hands over, several portions as one where they are there.

    Args:
        read: Reads rows, and hands them over some at a time; it is called in a thread.

    Raises:
        Exception: What reading them raises, behind all that was read before.
    """
    ready: Queue[Columns | None] = Queue(_MOST)
    left = threading.Event()

    def put(columns: Columns | None) -> None:
        while not left.is_set():
            with suppress(Full):
                ready.put(columns, timeout=_LISTEN)
                return
        raise _Left

    def work() -> None:
        try:
            read(put)
        finally:
            with suppress(_Left):
                put(None)

    reading = started(work)
    try:
        while (columns := _next(ready)) is not None:
            some, last = [columns], False
            while not last and len(some) < _MOST and not ready.empty():
                more = ready.get()
                last = more is None
                some += [] if more is None else [more]
            yield some[0] if len(some) == 1 else [list(chain.from_iterable(of)) for of in zip(*some, strict=True)]
            if last:
                break
        result_of(reading)
    finally:
        left.set()
        reading.exception()  # the connection is its own until it has ended


def _next(ready: Queue[Columns | None]) -> Columns | None:
    while True:
        raise_if_ended()
        with suppress(Empty):
            return ready.get(timeout=_LISTEN)
