"""SIGTERM and SIGINT raise an exception in the main thread, so that the work rolls back before the process ends."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


class Terminated(BaseException):
    """SIGTERM came."""


def raising_on_signals() -> AbstractContextManager[None]:
    """Raise Terminated in the block when SIGTERM comes, and KeyboardInterrupt on SIGINT unless that is ignored."""

    def raise_terminated(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    return _heard(signal.default_int_handler, raise_terminated)


def ending_on_signals() -> AbstractContextManager[None]:
    """Let either signal end the process in the block: what is raised while compiled modules are loaded is a crash."""
    return _heard(signal.SIG_DFL, signal.SIG_DFL)


@contextmanager
def _heard(on_sigint: Handler, on_sigterm: Handler) -> Iterator[None]:
    handlers = {signal.SIGTERM: on_sigterm}
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        handlers[signal.SIGINT] = on_sigint
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
