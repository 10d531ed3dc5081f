"""What is looked at again and again: drawn in one place on a screen, and elsewhere written one after another."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from dbctl.cli.prompts import keys
from dbctl.cli.render.layout import folded
from dbctl.cli.render.screen import Screen
from dbctl.cli.report import say_note
from dbctl.results import Frame, Frames

_CLEAR = "\x1b[H\x1b[2J"
"""Puts the cursor at the top, and empties the screen below it."""

LEAVING = "q ends it"


def screens(result: Frames[Any], table: Callable[[Sequence[Any]], str], screen: Screen) -> Iterator[str]:
    """Yield for each frame what shows it in the place of the last one; what does not fit below is left out, and said.

    Args:
        result: The frames.
        table: Returns rows as a table.
        screen: The screen; it may be made higher meanwhile.
    """
    for frame in result.values:
        height = max(3, shutil.get_terminal_size().lines - 1)
        notes = [line for note in (*frame.notes, LEAVING) for line in folded(note, screen.width or 80)]
        lines = table(frame.rows).splitlines()
        room = max(2, height - len(notes))
        if len(lines) > room:
            left = len(lines) - room + 1
            lines = [*lines[: room - 1], screen.dim(f"({left} more {'line' if left == 1 else 'lines'})")]
        shown = [*lines, *map(screen.dim, notes)][:height]
        yield _CLEAR + "".join(f"{line}\n" for line in shown)


def left_by_key(result: Frames[Any]) -> AbstractContextManager[None]:
    """Have a key end in the block what is looked at: q, or Escape."""
    return keys(lambda key: result.leave() if key in {"q", "Q", "\x1b"} else None)


def saying(result: Frames[Any]) -> Frames[Any]:
    """Return the same frames; what is to be said of one is said where it was not just before."""

    def frames() -> Iterator[Frame[Any]]:
        said: Sequence[str] = ()
        for frame in result.values:
            for note in frame.notes:
                if note not in said:
                    say_note(note)
            said = frame.notes
            yield frame

    return Frames(frames())
