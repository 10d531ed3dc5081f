"""The choice between a backend's sync driver and its async one."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Driver(StrEnum):
    """Which of a backend's drivers connects."""

    SYNC = "sync"
    ASYNC = "async"


def run_by(
    driver: Driver,
    synchronous: Callable[P, T],
    asynchronous: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call the function that belongs to the driver, the async one in an event loop of its own."""
    if driver is Driver.SYNC:
        return synchronous(*args, **kwargs)

    import asyncio

    async def call() -> T:
        return await asynchronous(*args, **kwargs)

    return asyncio.run(call())
