"""What to do about a file that can't be read as it stands: by an option of `dbctl import`, or without one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from dbctl.errors import DbctlError

MARKS: Final[Mapping[str, str]] = {";": "';'", "\t": "tab", "|": "'|'", ",": ","}
"""What may part the values of a file, and how `--delimiter` is told of it."""

NAME_THEM: Final = "say --map NAME=COLUMN, or --columns for a file without a header"
NAME_COLUMNS: Final = "say --columns for a file without one"
NAME_APART: Final = "name them apart, or say --columns and --skip 1"
SAY_DELIMITER: Final = "say what parts its values: --delimiter ';', or tab"
SAY_ENCODING: Final = "say --encoding"
SAY_LINES: Final = "say --format jsonl for an object a line"

PART_BY_COMMAS: Final = "part its values by commas, or by tabs in a .tsv"

_WITHOUT_OPTIONS: Final[Mapping[str, str]] = {
    NAME_COLUMNS: "let its first line have the columns' names",
    NAME_APART: "name them apart",
    SAY_DELIMITER: PART_BY_COMMAS,
    SAY_ENCODING: "save it as UTF-8",
    SAY_LINES: "name it .jsonl if it has an object a line",
}


@contextmanager
def without_options() -> Iterator[None]:
    """Have an error in the block say what a file is to be, for a command that has no options which say what it is."""
    try:
        yield
    except DbctlError as error:
        error.hint = _WITHOUT_OPTIONS.get(error.hint, error.hint.removesuffix(", or say --format"))
        raise


def other_delimiter(names: Sequence[str], known: Collection[str]) -> str | None:
    """Return what seems to part the values of a file whose header was cut at another character.

    Args:
        names: Its columns, as they were found.
        known: Those that there may be.
    """
    for mark in MARKS:
        parts = {part.strip(' "') for name in names if mark in name for part in name.split(mark)}
        if not parts.isdisjoint(known) or (len(names) == 1 and mark in names[0] and mark != ","):
            return mark
    return None


def told_header(names: Sequence[str], *, masked: bool) -> str:
    """Return what is wrong with a header that was cut at another character than its values are parted by."""
    if len(names) == 1:
        return "its header is one column" if masked else f'its header is one column "{names[0]}"'
    return "it has a column" if masked else f'it has a column "{names[0]}"'


def told_name(names: Sequence[str], place: int, *, masked: bool) -> str:
    """Return how a column of a file is called: by its place where the name may be a value, of a file without a header.

    Args:
        names: The file's columns.
        place: Which of them it is.
        masked: Whether no value is told.
    """
    return f"as column {place + 1} of the file is called" if masked else f'"{names[place]}"'
