"""A service's own function, called as its kind has it: sync, async, or one that yields what there is to show.

It runs guarded, as a module of the service is imported, and what it raises is told as its own error.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, TypeVar

from dbctl.errors import DbctlError, Exited, FunctionFailed, WorkRefused
from dbctl.results import PlainText, Rows
from dbctl.runtime.foreign import guarded
from dbctl.runtime.foreign_errors import described, place_of, stand_in
from dbctl.work.loops import loop_here, to_iterate
from dbctl.work.shapes import is_model
from dbctl.work.supervision import Ended

T = TypeVar("T")

_MOST = 1000
"""Items that are drawn at a stretch, at most."""

_SLOW = 0.05
"""Seconds after which those that are there are handed on."""


class OwnFunction:
    """A service's own function, to be called in place of it.

    Args:
        function: The function. Where it exits with 0 it has returned nothing.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._raised: BaseException | None = None
        update_wrapper(self, function)

    def __call__(self, *needed: Any, **arguments: Any) -> Any:
        """Call it, and return what it returns; what it yields, or has still to fetch, as an iterator.

        Raises:
            Exited: It exits with another code than 0. Whatever else it raises passes through.
        """
        with self._at_work():
            result = self._function(*needed, **arguments)
            if inspect.isawaitable(result):
                with loop_here() as loop:
                    result = loop.run(result)
            if isinstance(result, AsyncIterator):
                return self._drawn(to_iterate(result))
            if isinstance(result, Rows):
                return result
            return self._drawn(iter(result)) if _is_lazy(result) else result
        return None

    def has_raised(self, error: BaseException) -> bool:
        """Tell whether it is the function that has raised an error, and not what shows its result."""
        return error is self._raised

    def telling(self, work: Callable[[], T]) -> Callable[[], T]:
        """Return work that calls the function as work that tells its errors in dbctl's way, with file and line.

        What the database refuses is told as ever, and where the function asked it for that.
        """

        def run() -> T:
            try:
                return work()
            except DbctlError as error:
                if type(error) is DbctlError:  # the function has raised it as it is
                    raise WorkRefused(error.message, error.hint) from error
                refused = isinstance(error, WorkRefused) and error.__cause__ is not None
                if refused and (place := place_of(error.__cause__ or error)) and place not in error.message:
                    error.message += f" ({place})"
                raise
            except Exception as error:
                if error is not self._raised:
                    raise
                place = f" ({found})" if (found := place_of(error)) else ""
                raise FunctionFailed(f"{described(error)}{place}") from stand_in(error)

        return run

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Run the function's own code in the block, and remember what it raises; to exit with 0 is to return."""
        try:
            with guarded(keep_logging=True):
                yield
        except Exception as error:
            self._raised = error
            raise
        except SystemExit as error:
            if error.code not in (None, 0):
                raise self._exited(error) from stand_in(error)
        except (Ended, GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            place = f" ({found})" if (found := place_of(error)) else ""
            raise FunctionFailed(f"{described(error)}{place}") from stand_in(error)

    def _exited(self, error: SystemExit) -> DbctlError:
        place = f" ({found})" if (found := place_of(error)) else ""
        if isinstance(error.code, int):
            return Exited(error.code, f"it has ended itself with exit code {error.code}{place}")
        return FunctionFailed(f"{described(error)}{place}")  # as Python itself shows a text, and exits with 1

    def _drawn(self, items: Iterator[Any]) -> Iterator[Any]:
        """Yield what the function yields, guarded while it is at work, and not while it is shown."""
        size, over = 1, False
        try:
            while not over:
                some: list[Any] = []
                failure: BaseException | None = None
                began = time.monotonic()
                try:
                    over = True
                    with self._at_work():
                        over = _draw(items, some, size, began)
                except BaseException as error:
                    failure = error
                yield from some
                if failure is not None:
                    raise failure
                size = min(size * 10, _MOST)
        finally:
            if close := getattr(items, "close", None):
                with self._at_work():
                    close()


def _draw(items: Iterator[Any], into: list[Any], size: int, began: float) -> bool:
    """Draw so many items, or those that come soon, and tell whether there are no more."""
    for item in items:
        into.append(item)
        if len(into) >= size or time.monotonic() - began > _SLOW:
            return False
    return True


def _is_lazy(result: Any) -> bool:
    """Tell whether a result has still to be computed or fetched, as a query's is."""
    whole = isinstance(result, str | bytes | bytearray | Mapping | Sequence | Set | PlainText)
    return isinstance(result, Iterable) and not whole and not is_model(result)
