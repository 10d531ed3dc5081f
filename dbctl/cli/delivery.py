"""Showing what a command that only reads has still to fetch, while its transaction is open and rows come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from dbctl.cli.counting import counted
from dbctl.cli.outcome import current
from dbctl.cli.render.renderer import Renderer
from dbctl.cli.streams import ReaderLeft, reader_left
from dbctl.results import Results, Rows, is_drawn

_LOOK = 0.2
"""Seconds between two looks at who reads, and between two cancels: one that comes between two fetches ends neither."""

_TO_NOTICE = 0.1
"""Seconds that the work has to notice by itself that nobody reads, as it does when it writes."""


class Supervised(Protocol):
    """The work that a result is shown in."""

    def check(self) -> None:
        """Raise what ends the work, where it was ended from outside."""

    def end_queries(self) -> None:
        """Have the servers end what the work runs."""


def deliver(result: Any, renderer: Renderer, work: Supervised) -> Any:
    """Show a result whose rows are still to be fetched, and return what is left to be shown when the work is done.

    A reader that leaves ends the query at the server, also while that looks for its next row.

    Args:
        result: What the command returned.
        renderer: What shows it.
        work: The work that fetches it, in whose thread this is called.

    Raises:
        ReaderLeft: Nobody reads it any more: there is nothing left to do.
        OutputLost: It can't be written.
    """
    if is_drawn(result):
        return result
    with _closing(result), _ending_without_reader(renderer, work) as left:
        try:
            renderer.write(counted(result, current().count), {}, work.check)
        except Exception as error:
            if left.is_set() and not isinstance(error, ReaderLeft):
                raise ReaderLeft from error  # the query was ended for that
            raise
    if isinstance(result, Rows | Results):
        result.conclude()
    return None


@contextmanager
def _closing(result: Any) -> Iterator[None]:
    """Close a generator whose rows are not all fetched while it may still speak to its server."""
    try:
        yield
    finally:
        values = getattr(result, "values", result)
        if close := getattr(values, "close", None):
            close()


@contextmanager
def _ending_without_reader(renderer: Renderer, work: Supervised) -> Iterator[threading.Event]:
    """Watch who reads in a thread, and end the work's queries when nobody does; the event tells that."""
    left, over, speaking = threading.Event(), threading.Event(), threading.Lock()

    def watch() -> None:
        while not over.is_set():
            with suppress(OSError):  # it was closed just now
                descriptor = renderer.readers_descriptor
                if descriptor is None:
                    over.wait(_LOOK)
                elif reader_left(descriptor, _LOOK) and not over.wait(_TO_NOTICE):
                    left.set()
                    end()

    def end() -> None:
        while not over.is_set():
            with speaking:
                if not over.is_set():
                    work.end_queries()
            over.wait(_LOOK)

    threading.Thread(target=watch, name="dbctl-reader", daemon=True).start()
    try:
        yield left
    finally:
        over.set()
        with speaking:
            pass  # a cancel that is under way would end the statement that comes next
