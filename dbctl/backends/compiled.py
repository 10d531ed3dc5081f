"""What SQLAlchemy compiles for a driver, as SQL that stands by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Dialect


def undoubled(compiled: str, dialect: Dialect) -> str:
    """Return SQL with each `%` once, that a driver whose parameters are `%s` would be given twice.

    Args:
        compiled: What a dialect's compiler has made.
        dialect: That dialect.
    """
    return compiled.replace("%%", "%") if dialect.paramstyle in {"format", "pyformat"} else compiled
