"""Drawing how far long work has come: a bar on a terminal's stderr, and a line now and then where there is none."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dbctl.cli.streams import covered_by

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_BETWEEN_LINES = 30.0
_BETWEEN_DRAWINGS = 0.1
_BEFORE_THE_FIRST = 0.5
"""Seconds; work that is done sooner than the last draws nothing."""

_STEPS_OF_BYTES = ("bytes", "kB", "MB", "GB", "TB", "PB")

_log = logging.getLogger("dbctl")


class ProgressDrawing:
    """What work reports its progress to, as `dbctl.work.progress.Progress` says; a block, after which nothing is left.

    It may be called from any thread, and as often as the work likes.

    Args:
        quiet: Whether nothing is to be drawn.
        no_color: Whether no colours are wanted.
        plain: Whether lines are wanted on a terminal too.
    """

    def __init__(self, *, quiet: bool = False, no_color: bool = False, plain: bool = False) -> None:
        self._silent = quiet or sys.stderr is None
        on_screen = not (self._silent or plain) and sys.stderr.isatty()
        self._bar_fits = on_screen and os.environ.get("TERM", "dumb") != "dumb"
        self._no_color = no_color
        self._lock = threading.RLock()
        self._began: float | None = None
        self._next = 0.0
        self._bar: Bar | None = None
        self._task: Any = None
        self._closed = False
        self._covering = ExitStack()

    def __enter__(self) -> Self:
        self._covering.enter_context(covered_by(self))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        self._covering.close()

    def __call__(self, done: float, total: float | None = None, unit: str = "rows", message: str = "") -> None:
        """Take note of how far the work has come, and draw it where that is due."""
        now = time.monotonic()
        if self._silent or (self._began is not None and now < self._next):
            return
        with self._lock:
            if self._closed:
                return
            if self._began is None:
                self._began = now
                self._next = now + (_BEFORE_THE_FIRST if self._bar_fits else _BETWEEN_LINES)
            elif self._bar_fits:
                self._next = now + _BETWEEN_DRAWINGS
                self._draw(done, total, unit, message)
            else:
                self._next = now + _BETWEEN_LINES
                facts = {"done": done, "total": total, "unit": unit, "work": message}
                text = described(done, total, unit, message, now - self._began)
                _log.info("%s", text, extra={"event": "progress", "facts": facts})

    @contextmanager
    def away(self) -> Iterator[None]:
        """Have the line for the block; the bar is drawn again, below what was written, when that is due."""
        with self._lock:
            if self._bar:
                self._bar.stop()
            yield

    def close(self) -> None:
        """Take the bar away: what comes next has the line for itself."""
        with self._lock:
            self._closed = True
            if self._bar:
                self._bar.stop()

    def _draw(self, done: float, total: float | None, unit: str, message: str) -> None:
        assert self._began is not None
        text = described(done, total, unit, message, time.monotonic() - self._began)
        if self._bar is None:
            self._bar = _bar(no_color=self._no_color)
            self._task = self._bar.add_task(text, total=total)
        self._bar.start()  # where it was away meanwhile
        self._bar.update(self._task, completed=done, total=total, description=text)


def _bar(*, no_color: bool) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr, no_color=no_color or None, highlight=False, markup=False, emoji=False)
    return Progress(
        BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False),
        console=console, transient=True, redirect_stdout=False,
    )  # fmt: skip


def described(done: float, total: float | None, unit: str, message: str, seconds: float) -> str:
    """Return progress in words: `copy: 1,200,000 of 5,000,000 rows, 24 %, 40,000 a second`.

    Args:
        done: How much is done.
        total: How much there is to do, or None.
        unit: What is counted.
        message: What is being done.
        seconds: How long it has taken so far.
    """
    words = f"{_amount(done, unit)} of {_amount(total, unit)}" if total is not None else _amount(done, unit)
    words = words if unit == "bytes" else f"{words} {unit}"
    if total:
        words += f", {100 * done / total:.0f} %"
    if seconds > 0 and done and unit != "seconds":
        words += f", {_amount(done / seconds, unit)} a second"
    return f"{message}: {words}" if message else words


def _amount(count: float, unit: str) -> str:
    if unit != "bytes":
        return f"{count:,.0f}"
    step = 0
    while count >= 1000 and step < len(_STEPS_OF_BYTES) - 1:
        count, step = count / 1000, step + 1
    return f"{count:.0f} bytes" if step == 0 else f"{count:.1f} {_STEPS_OF_BYTES[step]}"
