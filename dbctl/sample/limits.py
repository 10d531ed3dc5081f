"""What the sample's columns hold, checked before the database is asked: SQLite keeps no length, and no range."""

from typing import Any

from sqlalchemy import Integer
from sqlmodel import SQLModel

from dbctl.errors import Conflict
from dbctl.sample.lookup import LARGEST_ID

_NEEDED = ("name", "secret_name")


def check_limits(row: SQLModel) -> None:
    """Check a row that is about to be written.

    Raises:
        Conflict: A name is empty, a text is longer than its column, or a number is beyond it.
    """
    table: Any = type(row).__dict__["__table__"]
    for column in table.columns:
        value, what = getattr(row, column.key), f"the {table.name}'s {column.key.replace('_', ' ')}"
        place = f"({table.name}.{column.key})"
        if value == "" and column.key in _NEEDED:
            raise Conflict(f"{what} is empty {place}")
        length = getattr(column.type, "length", None)
        if length is not None and isinstance(value, str) and len(value) > length:
            raise Conflict(f"{what} has {len(value)} characters, and at most {length} are kept {place}")
        if isinstance(column.type, Integer) and value is not None and value > LARGEST_ID:
            raise Conflict(f"{what} is out of range, at most {LARGEST_ID} is kept {place}")
