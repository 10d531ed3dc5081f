"""Emptying the tables that a copy fills, in its transaction: till its end who reads them has the old rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbctl.backends.exports import run_as_it_stands
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.bulk.plans import Plan


def empty(connection: Connection, backend: Bulk, plans: Sequence[Plan]) -> None:
    """Delete all rows, of those tables first that refer to others.

    Args:
        connection: The target's connection, in the transaction.
        backend: That of the target.
        plans: How tables are copied, in the order in which they are filled.

    Raises:
        WorkRefused: A table that is not copied refers to one: its rows would refer to none, or go with the others.
    """
    tables = [plan.pair.target for plan in plans]
    copied = {name for one in tables for name in (one.name, f"{one.schema}.{one.name}")}
    for one in tables:
        for key in backend.catalog.references_there(connection, one):
            if (other := (key.table or "").replace('"', "")) not in copied:
                text = f"{other} refers to {one.name}, and is not copied: --truncate would take from its rows"
                raise WorkRefused(text, "copy it too, or leave --truncate out")
    for one in reversed(tables):
        run_as_it_stands(connection, f"DELETE FROM {backend.behind_from(one)}")
