"""SIGTERM and SIGINT raise an exception in the main thread, so that the work rolls back before the process ends."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


_UNTIL_AGAIN = 0.01
"""Seconds after which a signal is sent again, by when the callback that swallowed its exception is over."""


class Terminated(BaseException):
    """SIGTERM came."""


@contextmanager
def raising_on_signals() -> Iterator[None]:
    """Raise Terminated in the block when SIGTERM comes, and KeyboardInterrupt on SIGINT unless that is ignored.

    Python drops an exception that is raised in a callback of the garbage collection, of which each import has one for
    its lock; a signal that came there is sent again. https://docs.python.org/3/library/sys.html#sys.unraisablehook
    """

    def raise_terminated(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    def send_again(dropped: UnraisableHookArgs) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt | Terminated):
            others(dropped)
            return
        number = signal.SIGTERM if issubclass(dropped.exc_type, Terminated) else signal.SIGINT
        # Not by threading, whose own lock the code that the callback has interrupted may hold.
        _thread.start_new_thread(_send_later, (number,))

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    others, sys.unraisablehook = sys.unraisablehook, send_again
    _hear(signal.default_int_handler, raise_terminated)
    try:
        yield
    finally:
        sys.unraisablehook = others
        for number, handler in before.items():
            signal.signal(number, handler)


def hear_signals(handler: Handler) -> None:
    """Have a handler of one's own hear both signals for the rest of a block that would raise.

    With SIG_DFL they end the process, for the time in which an exception must not come from nowhere: while compiled
    modules are loaded it is a crash, and in a callback of the garbage collection it is lost.
    """
    _hear(handler, handler)


def _send_later(number: signal.Signals) -> None:
    time.sleep(_UNTIL_AGAIN)
    os.kill(os.getpid(), number)


def _hear(on_sigint: Handler, on_sigterm: Handler) -> None:
    signal.signal(signal.SIGTERM, on_sigterm)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, on_sigint)
