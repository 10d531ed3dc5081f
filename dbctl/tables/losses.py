"""What dropping a service's tables would take away.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dbctl.backends.relations import TABLE
from dbctl.tables.catalog import Catalog, in_order
from dbctl.work.database import Database

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def lost_by_dropping(database: Database, metadata: Iterable[MetaData]) -> str:
    """Count the tables that are there, and the rows in them: `3 tables with 1,204 rows`.

    Args:
        database: Where to look.
        metadata: The tables that would be dropped.

    Returns:
        What would be lost, as the object of a sentence.
    """
    from sqlalchemy import func, select

    connection = database.session.connection()
    catalog = Catalog(connection, database.backend)
    tables = [table for each in metadata for table in in_order(each) if catalog.kind(table) == TABLE]
    rows = sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables)
    return f"{_counted(len(tables), 'table')} with {_counted(rows, 'row')}" if tables else "no tables"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
