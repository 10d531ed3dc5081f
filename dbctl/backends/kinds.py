"""What kinds of values there are in files, whatever a database calls their types: see the manual's page `formats`."""

from __future__ import annotations

import re
from enum import StrEnum

from dbctl.records import record

BYTES = "\\x"
"""What the text of bytes begins with, before their hexadecimal digits."""

_OF_32 = re.compile(r"(?:var)?char(?:acter)?(?: varying)?\s*\(32\)", re.IGNORECASE)
_CHAR = re.compile(r"char(?:acter)?\b(?! varying)", re.IGNORECASE)
_DIGITS = re.compile(r"\((\d+)(?:,\s*(-?\d+))?\)", re.ASCII)
_UUID = re.compile(r"\{?[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?", re.ASCII | re.IGNORECASE)


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
    STORED = "stored"  # no text at all, but what SQLite has stored, for another SQLite


@record
class BulkColumn:
    """A column whose values go to a file, or come from one.

    Args:
        name: Its name.
        kind: What its values are.
        type: Its type in the server's own words.
        nullable: Whether it may be NULL; True where that is not known.
        generated: Whether the database computes it, so that nobody can write it.
        wide: Whether its numbers have 64 bits whatever the type is called, as SQLite's have.
        invisible: Whether it is returned to those alone who name it.
    """

    name: str
    kind: Kind
    type: str
    nullable: bool = True
    generated: bool = False
    wide: bool = False
    invisible: bool = False

    @property
    def of_32(self) -> bool:
        """Whether it is a text of 32 characters: SQLAlchemy's for UUIDs where a database has no type for them."""
        return _OF_32.match(self.type) is not None

    @property
    def of_char(self) -> bool:
        """Whether it has texts of one length, which a database may fill up with blanks."""
        return self.kind is Kind.TEXT and _CHAR.match(self.type) is not None

    @property
    def single(self) -> bool:
        """Whether its numbers are floats of 32 bits."""
        return self.kind is Kind.FLOAT and not self.wide and self.type.startswith(("real", "float"))

    @property
    def numeric_json(self) -> bool:
        """Whether it has documents by a type of which SQLite knows no word, and so stores one that is a number as such.

        https://www.sqlite.org/datatype3.html#determination_of_column_affinity
        """
        return self.kind is Kind.JSON and self.type.lower() in {"json", "jsonb"}

    @property
    def digits(self) -> tuple[int, int] | None:
        """How many digits a number in parentheses has in all and behind the point; None where it does not say so.

        PostgreSQL's `numeric(5,-2)`, which is rounded before the point, has room for seven there; its `numeric(3,5)`,
        which has two zeros behind it first, is a part of `numeric(5,5)`, as all databases have it.
        """
        found = _DIGITS.search(self.type)
        if found is None:
            return None
        whole, behind = int(found[1]), int(found[2] or 0)
        return max(whole - min(behind, 0), behind), max(behind, 0)

    @property
    def hexed(self) -> bool:
        """Whether it has UUIDs as 32 hexadecimal digits, without dashes."""
        return self.kind is Kind.UUID and self.of_32


def is_uuid(value: str) -> bool:
    """Tell whether a text is a UUID, in any case, with or without dashes and braces."""
    return _UUID.fullmatch(value) is not None


def digits_of(uuid: str) -> str:
    """Return a UUID's 32 hexadecimal digits; what is none as it is."""
    return uuid.strip("{}").replace("-", "").lower() if is_uuid(uuid) else uuid
