"""Work on several tables at a time, each in a thread, none before those that its rows refer to are done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Generic, TypeVar

from dbctl.connections.watching import raise_if_ended
from dbctl.runtime.waits import result_of, started

if TYPE_CHECKING:
    from concurrent.futures import Future

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")

_LISTEN = 0.1
"""Seconds for which a thread waits for others at a stretch; then it hears whether all is to end."""


class Turns(Generic[Key, Result]):
    """What several threads draw from.

    Args:
        keys: The tables, in an order in which one thread could take them.
        behind: Those that have to be done before each.
    """

    def __init__(self, keys: Sequence[Key], behind: Mapping[Key, Collection[Key]]) -> None:
        self._keys, self._behind = keys, behind
        self._left = list(keys)
        self._done: dict[Key, Result] = {}
        self._changed = threading.Condition()
        self.error: BaseException | None = None
        """What has ended one of the threads; the others are to end soon."""

    def run(self, jobs: int, work: Callable[[], None]) -> Sequence[Result]:
        """Run threads until all tables are done, and return what came of each.

        Args:
            jobs: How many.
            work: What each of them does; it calls `draw`.

        Raises:
            BaseException: What has ended the first of them that failed.
        """

        def job() -> None:
            try:
                work()
            except BaseException as error:
                with self._changed:
                    self.error = self.error or error
                    self._changed.notify_all()

        with ExitStack() as stack:
            running: list[Future[None]] = [started(job) for _ in range(jobs)]
            stack.callback(lambda: [one.exception() for one in running])  # what they use is theirs until then
            for one in running:
                result_of(one)
        if self.error is not None:
            raise self.error
        return [self._done[key] for key in self._keys]

    def draw(self, take: Callable[[Key], Result]) -> None:
        """Call something with one table after the other, until there are no more."""
        while (key := self._next()) is not None:
            result = take(key)
            with self._changed:
                self._done[key] = result
                self._changed.notify_all()

    def _next(self) -> Key | None:
        with self._changed:
            while self._left and self.error is None:
                for key in self._left:
                    if all(one in self._done for one in self._behind[key]):
                        self._left.remove(key)
                        return key
                self._changed.wait(_LISTEN)
                raise_if_ended()
        return None
