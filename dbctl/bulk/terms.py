"""What is said of an import, and what comes of it. Nothing here loads SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from dbctl.records import record


@record
class How:
    """How files are read and loaded.

    Args:
        format: csv, tsv, jsonl, json or parquet; None for what each file's name ends with.
        delimiter: What separates values; None for what the format has.
        null: The text that is NULL; None for what the format has.
        encoding: What the files are encoded in; None for UTF-8, or what their byte order mark says.
        skip: How many lines come before the header, or before the rows where there is none.
        columns: The columns where the files have no header.
        renamed: The table's columns by the files'; "" for those that are left out.
        given: Values that are the same for all rows, by the table's columns.
        strict: Whether a value is refused that the database would bend.
        conflict: What becomes of a row whose key is there already: error, skip or update.
        key: The columns of that key; those of the primary key unless given.
        truncate: Whether the table is emptied before.
        defer_keys: Whether foreign keys are looked at when all rows are there, which may refer to later ones.
        create: Whether it is created where it is not there, from a model or as a Parquet file has it.
        max_errors: How many rows may be left out because they can't be loaded.
        rejects: The file that these are written to.
    """

    format: str | None = None
    delimiter: str | None = None
    null: str | None = None
    encoding: str | None = None
    skip: int = 0
    columns: Sequence[str] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    strict: bool = True
    conflict: str = "error"
    key: Sequence[str] = ()
    truncate: bool = False
    defer_keys: bool = False
    create: bool = False
    max_errors: int = 0
    rejects: str | None = None


@record
class Imported:
    """What was imported.

    Args:
        table: The table's name.
        rows: How many were written.
        skipped: How many were not since their keys were there; where SQLite's triggers may ignore rows, those too.
        rejected: How many can't be loaded.
    """

    table: str
    rows: int
    skipped: int
    rejected: int


def rows_in_words(count: int) -> str:
    """Return how many rows these are, as part of a sentence."""
    return "1 row" if count == 1 else f"{count:,} rows"
