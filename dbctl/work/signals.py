"""SIGTERM raises an exception, as SIGINT does, so that the unit of work rolls back before the process ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """SIGTERM came."""


@contextmanager
def raising_on_sigterm() -> Iterator[None]:
    """Raise Terminated in the block when SIGTERM comes."""

    def raise_terminated(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
