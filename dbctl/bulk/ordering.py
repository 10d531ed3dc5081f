"""In which order tables are filled: behind those that their foreign keys refer to, as far as that can be."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from dbctl.backends.inventory import Relation
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk


@record
class Order:
    """Tables in the order in which they are filled.

    Args:
        tables: The tables.
        loose: Those whose rows refer to others behind them, or to rows of their own table.
        behind: Which of them each refers to.
    """

    tables: Sequence[Relation]
    loose: Sequence[Relation]
    behind: Mapping[Relation, Collection[Relation]]


def ordered(connection: Connection, backend: Bulk, relations: Sequence[Relation]) -> Order:
    """Return the order of tables by the foreign keys that a database has."""
    from sqlalchemy import inspect

    inspector, fold = inspect(connection), backend.name_folder(connection)
    usual = inspector.default_schema_name
    by_name = {(one.schema or usual, fold(one.name)): one for one in relations}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
        refers = {
            place: {
                (key["referred_schema"] or one.schema or usual, fold(key["referred_table"]))
                for key in inspector.get_foreign_keys(one.name, one.schema)
            }
            & by_name.keys()
            for place, one in by_name.items()
        }
    loose = [by_name[place] for place, to in refers.items() if place in to]
    done: list[tuple[str | None, str]] = []
    left = list(by_name)
    while left:
        ready = [place for place in left if refers[place] <= {*done, place}]
        if not ready:
            loose += [by_name[place] for place in left if by_name[place] not in loose]
            ready = left
        done += ready
        left = [place for place in left if place not in ready]
    behind = {by_name[place]: [by_name[one] for one in to] for place, to in refers.items()}
    return Order([by_name[place] for place in done], loose, behind)
