"""Refusing tables that can't be loaded whole or not at all, for their engine has no transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.inventory import Relation


def refuse_without_rollback(backend: Bulk, connection: Connection, relations: Sequence[Relation]) -> None:
    """Do nothing where ROLLBACK takes from tables what came into them.

    Args:
        backend: What differs between databases.
        connection: A connection to the one that has the tables.
        relations: The tables that rows come into.

    Raises:
        WorkRefused: It does not from one: a dry run would write there, and what fails would leave rows.
    """
    found = backend.without_rollback(connection, relations)
    if not found:
        return
    tables = ", ".join(f"{one.name} ({engine})" for one, engine in found.items())
    have = "has an engine" if len(found) == 1 else "have engines"
    raise WorkRefused(
        f"{tables} {have} without transactions, and would keep the rows of what fails or is a dry run",
        "; ".join(f"ALTER TABLE {backend.behind_from(one)} ENGINE = InnoDB" for one in found),
    )
