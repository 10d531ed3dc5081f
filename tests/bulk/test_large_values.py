"""Values of many megabytes in CSV: read as small ones are, and in a few times their size."""

import io
import tracemalloc

import pytest

from dbctl.bulk.reading_delimited import Shape, delimited

SMALL = 'a,"b\nc"\r\nd,"e\r\nf"\n"g""h","i\rj"\n,""\n"\x0bk\u2028l",m\n'


def rows_in(text: str) -> tuple[list[tuple[int, str | None, str | None]], int]:
    """Return all rows of a file, with the lines they begin in, and how much memory was had at most, in bytes."""
    found: list[tuple[int, str | None, str | None]] = []
    stream = io.BytesIO(text.encode())
    tracemalloc.start()
    try:
        for part in delimited(stream, Shape("x.csv", columns=["a", "b"]))[1]:
            rows, ragged = part.rows()
            assert not ragged
            found += [(line, *row) for line, row in zip(rows.lines, zip(*rows.columns, strict=True), strict=True)]
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("line", ["x" * 79 + "\n", "x" * 78 + '""', "x" * 80])
def test_a_large_value_is_read_as_a_small_one_and_in_a_few_times_its_size(line: str) -> None:
    large = line * 52_000  # Python's reader doubles its room, and is near the end of one here
    found, _ = rows_in(f'1,"{large}"\n{SMALL}')
    (_, one, value), *behind = found
    assert (one, value) == ("1", large.replace('""', '"'))
    first = large.count("\n") + 1
    assert behind == [(first + at, *values) for at, *values in rows_in(SMALL)[0]]
    assert behind[:2] == [(first + 1, "a", "b\nc"), (first + 3, "d", "e\r\nf")]
    _, most = rows_in(f'1,"{large}"\n')
    assert most < 10 * len(large), most / len(large)
