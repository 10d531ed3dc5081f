"""Text of lines, cut into parts that end where a row does: a value in quotes may have lines of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from dbctl.bulk.reading_delimited import Shape

PART = 1 << 19
"""Bytes that are handed on at a time, and more only where a row has more."""

LONGEST = 1 << 28
"""Bytes of a line: what is longer has a quote that is not closed."""


def whole_lines(stream: Any, shape: Shape) -> Iterator[tuple[int, bytes]]:
    """Yield parts that end where a row does, each with the number of its first line."""
    line, inside, size = 1, 0, 0
    held: list[bytes] = []  # in which no row ends
    while part := stream.read(PART):
        if end := _last_end(part, shape.quote, inside):
            held.append(part[:end])
            first, rows = line, b"".join(held)
            line += rows.count(b"\n")
            held, inside, size = [part[end:]], _odd(part, shape.quote, end), 0
            yield first, rows
        else:
            held.append(part)
            inside, size = inside ^ _odd(part, shape.quote), size + len(part)
            if size > LONGEST:
                raise WorkRefused(f"{shape.file}, line {line}: a value's quotes are not closed")
    if rest := b"".join(held):
        if inside:
            raise WorkRefused(
                f"{shape.file}, line {line + _open_row(rest, shape.quote)}: a value's quotes are not closed"
            )
        yield line, rest if rest.endswith(b"\n") else rest + b"\n"


def _last_end(data: bytes, quote: bytes, inside: int) -> int:
    """Return how many bytes end with the last line's end in no quotes, if any; inside is 1 where they begin in such."""
    end, inside = len(data), inside ^ _odd(data, quote)
    while (at := data.rfind(b"\n", 0, end)) >= 0:
        inside ^= _odd(data, quote, at, end)
        if not inside:
            return at + 1
        end = at
    return 0


def _odd(data: bytes, quote: bytes, *place: int) -> int:
    """Return 1 where the number of quotes in bytes, or in a place of them, is odd."""
    return data.count(quote, *place) % 2 if quote else 0


def _open_row(data: bytes, quote: bytes) -> int:
    """Return how many lines are before the row whose quotes are not closed."""
    before = inside = 0
    for number, line in enumerate(data.split(b"\n")):
        if not inside:
            before = number
        inside ^= line.count(quote) % 2
    return before
