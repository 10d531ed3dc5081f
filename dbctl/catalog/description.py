"""What there is to say of one table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field

from dbctl.records import record
from dbctl.results import Sections

_GENERATED = re.compile(r"GENERATED\b|AUTO_INCREMENT\b|STORED\b|VIRTUAL\b|INVISIBLE\b", re.IGNORECASE)
"""What a default begins with that is none, and stands in a declaration without that word."""


@record
class ColumnSaid:
    """A column: what is said of it in SQL, and what the model declares where that is another thing.

    `model` is "same" where the model declares the same, "missing" where it has no such column, and nothing where no
    model is known. `default` may be how it is generated.
    """

    name: str
    definition: str
    model: str | None
    comment: str | None = field(metadata={"across": True})
    type: str = field(metadata={"table": False})
    nullable: bool = field(metadata={"table": False})
    default: str | None = field(metadata={"table": False})


def column_text(type_: str, *, nullable: bool, default: str | None) -> str:
    """Return a column as it is declared, without its name."""
    said = default or ""
    if default is not None and not _GENERATED.match(default):
        said = f"DEFAULT {default}"
    return " ".join(filter(None, [type_, "" if nullable else "NOT NULL", said]))


@record
class IndexSaid:
    """An index: its size, and how many times it was read, where the server tells."""

    name: str
    definition: str
    size: str | None
    scans: int | None
    bytes: int | None = field(metadata={"table": False})


@record
class PartSaid:
    """A constraint, a trigger or a partition."""

    name: str
    definition: str


@record
class ReferenceSaid:
    """A foreign key of a table that refers to this one."""

    table: str
    name: str
    definition: str


@record
class DriftSaid:
    """In what the table differs from its model."""

    name: str
    model: str | None
    database: str | None

    @property
    def definition(self) -> str:
        """The difference on one line."""
        return f"model: {self.model or 'nothing'}; database: {self.database or 'nothing'}"


@record
class Description(Sections):
    """A table with all its parts."""

    schema: str | None
    table: str
    kind: str
    rows: int | None
    estimated: bool | None
    data: str | None
    size_of_indexes: str | None
    comment: str | None
    data_bytes: int | None = field(metadata={"table": False})
    index_bytes: int | None = field(metadata={"table": False})
    columns: Sequence[ColumnSaid]
    indexes: Sequence[IndexSaid]
    constraints: Sequence[PartSaid]
    referenced_by: Sequence[ReferenceSaid]
    triggers: Sequence[PartSaid]
    partitions: Sequence[PartSaid]
    drift: Sequence[DriftSaid] | None
    """None where no model is known."""
