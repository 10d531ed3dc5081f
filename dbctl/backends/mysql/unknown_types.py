"""Types of the server's that SQLAlchemy and PyMySQL do not know, as those of vectors and of places on a map."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING, Any

from pymysql import connections
from sqlalchemy.types import NullType

if TYPE_CHECKING:
    from sqlalchemy import Dialect

VECTOR = 242
"""MySQL's type code of vectors: https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html."""


class _Unknown(NullType):
    """What SQLAlchemy takes for such a type, with whatever stands behind its name, which alone is an error there."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__()


class _Types(ChainMap[str, Any]):
    """Types by their names, of which none is missing."""

    def __missing__(self, name: str) -> type[NullType]:
        return _Unknown


def pass_over(dialect: Dialect) -> None:
    """Have a dialect read tables that have them without a warning, and PyMySQL read vectors as the bytes they are."""
    vars(dialect)["ischema_names"] = _Types(dialect.ischema_names)  # type: ignore[attr-defined]
    vars(connections).get("TEXT_TYPES", set()).add(VECTOR)  # what it does not know PyMySQL takes for ASCII
