"""SIGTERM and SIGINT raise an exception in the main thread, so that the work rolls back before the process ends."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


class Terminated(BaseException):
    """SIGTERM came."""


@contextmanager
def raising_on_signals() -> Iterator[None]:
    """Raise Terminated in the block when SIGTERM comes, and KeyboardInterrupt on SIGINT unless that is ignored."""

    def raise_terminated(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    _hear(signal.default_int_handler, raise_terminated)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hear_signals(handler: Handler) -> None:
    """Have a handler of one's own hear both signals for the rest of a block that would raise.

    With SIG_DFL they end the process, for the time in which an exception must not come from nowhere: while compiled
    modules are loaded it is a crash, and in a callback of the garbage collection it is lost.
    """
    _hear(handler, handler)


def _hear(on_sigint: Handler, on_sigterm: Handler) -> None:
    signal.signal(signal.SIGTERM, on_sigterm)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, on_sigint)
