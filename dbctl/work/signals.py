"""SIGTERM and SIGINT raise an exception in the main thread, so that the work rolls back before the process ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """SIGTERM came."""


@contextmanager
def raising_on_signals() -> Iterator[None]:
    """Raise Terminated in the block when SIGTERM comes, and KeyboardInterrupt on SIGINT unless that is ignored."""

    def raise_terminated(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    handlers = {signal.SIGTERM: raise_terminated}
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        handlers[signal.SIGINT] = signal.default_int_handler  # type: ignore[assignment]
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
