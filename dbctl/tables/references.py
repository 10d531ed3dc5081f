"""Foreign keys whose other table is not there: its module was not imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbctl.errors import ConfigError
from dbctl.runtime.foreign_errors import described

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def check_references(metadata: MetaData, others: Sequence[str]) -> None:
    """Check that the tables can be put in order: that each refers to tables and columns that are there.

    Args:
        metadata: The tables.
        others: Modules beside them that define tables too.

    Raises:
        ConfigError: One does not; the message names it, and what to do.
    """
    from sqlalchemy.exc import NoReferencedColumnError, NoReferencedTableError, SQLAlchemyError

    named = f", such as {others[0]}" if len(others) == 1 else f", one of {', '.join(others[:5])}" if others else ""
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            place = f"{table}.{key.parent.name}"
            try:
                _ = key.column
            except NoReferencedTableError as error:
                raise ConfigError(
                    f"models: {place} refers to the table {error.table_name}, which none of them defines",
                    f"name the module that does too{named}",
                ) from error
            except NoReferencedColumnError as error:
                raise ConfigError(
                    f"models: {place} refers to {error.table_name}.{error.column_name}, a column that is not there",
                    f"correct the foreign key of {place}",
                ) from error
            except SQLAlchemyError as error:
                raise ConfigError(f"models: the foreign key of {place}: {described(error)}") from error
