"""What each of several profiles is at, as a table on a terminal's stderr that is drawn anew in its place.

It is lines of text that are written in one piece and taken away in one piece, with no cursor hidden and no mode of the
terminal changed: whatever ends the process in between, nothing has to be put right.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from dbctl.cli.render.layout import GAP, padded, width_of
from dbctl.cli.report import visible_on_screen
from dbctl.cli.streams import colours, covered_by

_BEFORE_THE_FIRST = 0.5
"""Seconds; what is done sooner draws nothing."""

_BETWEEN = 0.25
"""Seconds between two drawings."""

_WORST_WIDTH = 24
"""Columns for a profile's name, where the screen has not so much room that all fit."""

_COLUMNS = ("profile", "state", "seconds", "last message")
_AT_WORK = "at work"


@dataclass
class _Row:
    """One profile: when it was begun and ended, how, and what it has said last."""

    name: str
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    state: str = _AT_WORK
    message: str = ""

    def cells(self, now: float) -> tuple[str, str, str, str]:
        """Return the text of each column."""
        return self.name, self.state, f"{(self.ended or now) - self.began:.1f}", self.message


class Board:
    """Draws it, from when the block has taken a while until its end. It may be told by any thread.

    Args:
        total: How many profiles there are.
        wanted: Whether it is to be drawn, where stderr is a terminal that can, and stdout no pipe: at its other end may
            be a program that writes to the same terminal.
    """

    def __init__(self, total: int, *, wanted: bool) -> None:
        self._total, self._rows = total, dict[str, _Row]()
        self._lock = threading.RLock()
        self._drawn = 0
        self._over = threading.Event()
        self.fits = wanted and _can_be_drawn()
        self._screen = sys.stderr.fileno() if self.fits else -1
        self._dim, self._plain = ("\x1b[2m", "\x1b[0m") if self.fits and colours(sys.stderr) else ("", "")

    def __enter__(self) -> Self:
        if self.fits:
            threading.Thread(target=self._draw_now_and_then, name="dbctl-board", daemon=True).start()
            self._covering = covered_by(self)
            self._covering.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.fits:
            self.close()
            self._covering.__exit__(kind, error, at)

    def began(self, name: str) -> None:
        """Take note that a profile is begun with."""
        with self._lock:
            self._rows[name] = _Row(name)

    def heard(self, name: str, message: str) -> None:
        """Take note of what was said of a profile."""
        if row := self._rows.get(name):
            row.message = message

    def ended(self, name: str, state: str) -> None:
        """Take note of how a profile has ended."""
        row = self._rows[name]
        row.state, row.ended = state, time.monotonic()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Have the screen for the block; it is drawn again, below what was written, when it is due."""
        with self._lock:
            drawn, self._drawn = self._drawn, 0
            if drawn:
                self._write(_erased(drawn))
            yield

    def close(self) -> None:
        """Take it away for good."""
        self._over.set()
        with self.away():
            pass

    def _draw_now_and_then(self) -> None:
        pause = _BEFORE_THE_FIRST
        while not self._over.wait(pause):
            pause = _BETWEEN
            with self._lock:
                if not self._over.is_set():
                    lines = self._lines()
                    self._write((_erased(self._drawn) if self._drawn else "") + "".join(f"{line}\n" for line in lines))
                    self._drawn = len(lines)

    def _lines(self) -> list[str]:
        """Return the lines that fit: half of the screen is left to results, and what ended last makes room first."""
        columns, height = os.get_terminal_size(self._screen)
        room = max(1, height // 2 - 2)
        now, rows = time.monotonic(), list(self._rows.values())
        at_work = sorted((row for row in rows if row.ended is None), key=lambda row: row.began)
        over = sorted((row for row in rows if row.ended is not None), key=lambda row: -(row.ended or 0))
        shown = [*at_work, *over][:room]
        table = [_COLUMNS, *(row.cells(now) for row in shown)]
        widths = [min(max(width_of(cells[place]) for cells in table), _WORST_WIDTH) for place in range(3)]
        lines = [self._line(cells, widths, columns - 1) for cells in table]
        counts = Counter(row.state for row in rows)
        counts["not begun"] = self._total - len(rows)
        words = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        return [self._faint(lines[0]), *lines[1:], self._faint(_cut(f"{self._total} profiles: {words}", columns - 1))]

    def _faint(self, line: str) -> str:
        return f"{self._dim}{line}{self._plain}"

    @staticmethod
    def _line(cells: tuple[str, ...], widths: list[int], columns: int) -> str:
        name, state, seconds = (
            padded(_cut(visible_on_screen(text), width), width, right=place == 2)
            for place, (text, width) in enumerate(zip(cells, widths, strict=False))
        )
        return _cut(GAP.join((name, state, seconds, visible_on_screen(cells[3]))), columns).rstrip()

    def _write(self, text: str) -> None:
        try:
            os.write(self._screen, text.encode(errors="replace"))
        except OSError:
            self._over.set()  # nobody sees it any more


def _can_be_drawn() -> bool:
    """Tell whether stderr is a terminal that can, and nobody else writes there what stdout is given."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return False
    try:
        kind = os.fstat(sys.stdout.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False  # it is closed
    return stat.S_ISCHR(kind) or stat.S_ISREG(kind)


def _erased(lines: int) -> str:
    """Return what takes as many lines away as are above the cursor, and leaves it where the first one was."""
    return f"\r\x1b[{lines}A\x1b[J"


def _cut(text: str, width: int) -> str:
    """Return as much of a line as fits."""
    if width_of(text) <= width:
        return text
    while width_of(text) >= width:
        text = text[: min(len(text) - 1, width)]
    return f"{text}…"
