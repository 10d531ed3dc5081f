"""What kinds of values there are in files, whatever a database calls their types: see the manual's page `formats`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BYTES = "\\x"
"""What the text of bytes begins with, before their hexadecimal digits."""


class Kind(StrEnum):
    """What a column's values are, and by that how they are written and read."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TEXT = "text"
    BYTES = "bytes"
    BITS = "bits"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"  # a day and a time, nowhere
    INSTANT = "instant"  # a day and a time in UTC
    SPAN = "span"  # MySQL's TIME
    INTERVAL = "interval"
    JSON = "json"
    UUID = "uuid"
    ARRAY = "array"
    OTHER = "other"  # the database's own text of it


@dataclass(frozen=True)
class BulkColumn:
    """A column whose values go to a file, or come from one.

    Args:
        name: Its name.
        kind: What its values are.
        type: Its type in the server's own words.
        nullable: Whether it may be NULL; True where that is not known.
        generated: Whether the database computes it, so that nobody can write it.
        wide: Whether its numbers have 64 bits whatever the type is called, as SQLite's have.
    """

    name: str
    kind: Kind
    type: str
    nullable: bool = True
    generated: bool = False
    wide: bool = False
