"""How wide text is on a screen, how it is folded, and how much of the screen each column gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

GAP = "   "
"""Between two columns."""

_ONE_CELL_EACH = re.compile(r"[^ -~\xa1-\xac\xae-\u02ff]")
"""What may take no cell of a screen, or two; whatever else a cell holds is as wide as it is long."""

_WORD = re.compile(r"\S+")


def is_simple(text: str) -> bool:
    """Tell whether each character takes one cell of a screen."""
    return not _ONE_CELL_EACH.search(text)


def width_of(text: str) -> int:
    """Return how many cells of a screen a line of text takes: two for a character of East Asia, none for an accent."""
    if is_simple(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int, *, right: bool) -> str:
    """Return a line of text with as many blanks as it lacks, before it where it is aligned at the right."""
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


def folded(text: str, width: int) -> Iterator[str]:
    """Return text as lines of at most this width; within a word it is broken only where the word alone is wider."""
    for line in text.split("\n"):
        yield from _folded_line(line, width) if width_of(line) > width else [line]


def _folded_line(line: str, width: int) -> Iterator[str]:
    begun = ""
    for part in re.split(r"(?<= )(?! )", line):  # words, each with the blanks behind it
        word = part.rstrip(" ")
        if begun and width_of(begun) + width_of(word) > width:
            yield begun.rstrip(" ")
            begun = ""
        *pieces, last = _broken(word, width)
        yield from pieces
        begun += last + part[len(word) :]
    if begun.rstrip(" "):
        yield begun.rstrip(" ")


def _broken(word: str, width: int) -> list[str]:
    """Return a word in pieces that fit; it is one piece where it fits as it is."""
    if width_of(word) <= width:
        return [word]
    if is_simple(word):
        return [word[start : start + width] for start in range(0, len(word), width)]
    pieces, taken = [""], 0
    for character in word:
        cells = width_of(character)
        if taken + cells > width and pieces[-1]:
            pieces.append("")
            taken = 0
        pieces[-1] += character
        taken += cells
    return pieces


def longest_word(text: str) -> int:
    """Return the width of the longest word, which is what a column can be no narrower than."""
    return max(map(width_of, _WORD.findall(text)), default=0)


def shares(wanted: Sequence[int], least: Sequence[int], screen: int) -> list[int] | None:
    """Return how wide each column becomes, so that all of them fit on a screen.

    The widest give way first, and none below its least.

    Args:
        wanted: How wide the columns would like to be.
        least: How wide they have to be.
        screen: How wide the screen is.

    Returns:
        The widths; or None where the columns do not fit side by side.
    """
    room = screen - len(GAP) * (len(wanted) - 1)
    if sum(least) > room:
        return None
    widths = [min(width, max(room, 1)) for width in wanted]
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda index: (widths[index] > least[index], widths[index]))
        widths[widest] -= 1
    return widths
