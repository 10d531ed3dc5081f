"""Waiting so that a signal is heard: in a thread that can be left alone, and in slices of time.

psycopg2 waits inside libpq, where no signal, no exception and no timeout of Python reaches it. What is left is to let
it wait in a thread of its own, or to shut its socket down under it (`dbctl.runtime.deadlines`).
"""

from __future__ import annotations

import contextvars
import math
import select
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


def started(work: Callable[[], T], discard: Callable[[T], Any] = lambda _: None) -> Future[T]:
    """Start work in a thread of its own that keeps no process alive, and return what its result can be had from.

    The thread sees the context variables that the caller sees.

    Args:
        work: What to do.
        discard: Called with a result that comes when the future has been cancelled.
    """
    from concurrent.futures import Future, InvalidStateError

    future: Future[T] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            with suppress(InvalidStateError):
                future.set_exception(error)
            return
        try:
            future.set_result(result)
        except InvalidStateError:
            discard(result)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    return future


_LISTEN = 0.2
"""Seconds for which is waited at a stretch: a signal that comes just before a thread waits does not wake it up."""


def is_done(future: Future[Any], seconds: float | None = None, stop: Future[Any] | None = None) -> bool:
    """Wait for what was `started`, so many seconds or as long as it takes; a signal is heard soon, come when it may.

    CPython runs a signal's handler between two steps of the main thread. One that comes between the last step and the
    system call that waits would be left until the wait is over.

    Args:
        future: What to wait for.
        seconds: For how long, or None for as long as it takes.
        stop: What ends the waiting too.
    """
    from concurrent.futures import FIRST_COMPLETED, wait

    end = math.inf if seconds is None else time.monotonic() + seconds
    awaited = [future] if stop is None else [future, stop]
    while not wait(awaited, max(0.0, min(end - time.monotonic(), _LISTEN)), FIRST_COMPLETED).done:
        if time.monotonic() >= end:
            break
    return future.done()


def result_of(future: Future[T], seconds: float | None = None) -> T:
    """Wait for what was `started`; an interrupt is heard meanwhile. What is not waited for any more is cancelled.

    Args:
        future: What to wait for.
        seconds: For how long, or None for as long as it takes.

    Raises:
        TimeoutError: It takes longer. Whatever else the work raises passes through.
    """
    try:
        is_done(future, seconds)
    finally:
        future.cancel()  # has no effect on what is done
    if future.cancelled():
        raise TimeoutError
    return future.result()


def typed_line(check: Callable[[], None] = lambda: None) -> str:
    """Wait for a line on standard input, and return it with its end; "" where there is no more. A signal is heard soon.

    `input` and `readline` would leave one until a key is pressed that comes just before they wait, as in `is_done`.

    Args:
        check: Called now and then meanwhile; what it raises ends the wait.
    """
    while not select.select([sys.stdin], [], [], _LISTEN)[0]:
        check()
    return sys.stdin.readline()
