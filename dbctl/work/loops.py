"""An event loop that serves work in a thread of its own: what is awaited there can be ended from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from dbctl.connections.watching import Use, current_watcher

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from dbctl.backends.base import Missing
    from dbctl.connections.connector import Connector
    from dbctl.profiles import Profile

T = TypeVar("T")

UnitMaker = Callable[..., AbstractContextManager[Any]]


class Loop:
    """A block in which coroutines are run one after the other, all in one event loop.

    Whoever supervises the block has what is awaited cancelled, once: what it does about that, such as to roll back, is
    left alone.
    """

    def __init__(self) -> None:
        import asyncio

        self._runner = asyncio.Runner()
        self._watcher = current_watcher()
        self._cancelled = False

    def __enter__(self) -> Self:
        self._runner.__enter__()
        if self._watcher:
            self._watcher.note(self, Use(self._cancel, lambda: None))
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _current.reset(self._token)
        if self._watcher:
            self._watcher.forget(self)
        self._runner.__exit__(kind, error, at)

    def run(self, awaitable: Awaitable[T]) -> T:
        """Await something, and return what comes of it."""

        async def wait() -> T:
            return await awaitable

        return self._runner.run(wait())

    @contextmanager
    def entered(self, block: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Run the block within an async one."""
        value = self.run(block.__aenter__())
        try:
            yield value
        except BaseException as error:
            if not self.run(block.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self.run(block.__aexit__(None, None, None))

    def drawn(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Return what an async iterator yields, as it comes; it is closed at the end."""
        try:
            while True:
                try:
                    item = self.run(anext(items))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            if close := getattr(items, "aclose", None):
                self.run(close())

    def _cancel(self) -> None:
        import asyncio

        if not self._cancelled:
            self._cancelled = True
            loop = self._runner.get_loop()
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])


@contextmanager
def opened_by_loop(profile: Profile, missing: Missing) -> Iterator[tuple[Connector[AsyncEngine], UnitMaker]]:
    """Have an async engine of its own for the block, and what makes units of work on it for a thread without a loop.

    Args:
        profile: Where to connect.
        missing: What connecting does where the database is a file that is not there.

    Raises:
        ConfigError: The extra `async` is not installed.
    """
    from dbctl.connections.connector import async_opened
    from dbctl.work.sessions import async_unit_of_work

    with Loop() as loop, loop.entered(async_opened(profile, missing)) as connector:
        yield connector, lambda *on, **terms: loop.entered(async_unit_of_work(*on, **terms))


_current: ContextVar[Loop | None] = ContextVar("dbctl_loop", default=None)


@contextmanager
def loop_here() -> Iterator[Loop]:
    """Have the loop that the work is in, or else one for the block."""
    if found := _current.get():
        yield found
        return
    with Loop() as own:
        yield own


def to_iterate(items: AsyncIterator[Any]) -> Iterator[Any]:
    """Return what an async iterator yields, as it comes, in the loop that the work is in, or else in one of its own."""
    with loop_here() as loop:
        yield from loop.drawn(items)
