"""How each table is copied into its like: column by column, and what is lost by that."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from dbctl.backends.kinds import Kind
from dbctl.bulk import reading_out
from dbctl.bulk.mapping import Convert, comparable, convert, loss
from dbctl.bulk.models import with_uuids
from dbctl.bulk.reading_out import usual_schema
from dbctl.errors import NotFound, WorkRefused
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.exports import Texts
    from dbctl.backends.inventory import Relation
    from dbctl.backends.kinds import BulkColumn
    from dbctl.bulk.crossing import Wish
    from dbctl.bulk.reading_out import Moment

_log = logging.getLogger("dbctl")


@record
class Pair:
    """A table, and the one that its rows come into.

    Args:
        source: The table.
        target: The other database's.
        name: What it is called.
    """

    source: Relation
    target: Relation
    name: str


@record
class Plan:
    """How a table is copied.

    Args:
        pair: The table.
        columns: The source's columns that are copied.
        own: The target's, in the same order.
        converts: What makes the target's texts of the source's, where they differ.
        losses: What columns lose, by their names.
        readable: The rows.
        where: The condition that they are chosen by.
        key: The target's primary key.
        masked: The SQL that masks columns, by their names.
        uncertain: Columns that lose what can't be told beforehand, so that there is nothing to compare them with.
        where_there: The condition that tells the copied rows of the target from those that it had before.
        asked: A digest of which rows are chosen, and how they are masked.
        before: How many rows are copied before these.
        exact: Whether a value is refused that the target would change.
        alike: What makes one text of all values of which a column of the target keeps the same, by its name.
    """

    pair: Pair
    columns: Sequence[BulkColumn]
    own: Sequence[BulkColumn]
    converts: Sequence[Convert | None]
    losses: Mapping[str, str]
    readable: reading_out.Readable
    where: str = ""
    key: Sequence[str] = ()
    masked: Mapping[str, str] = field(default_factory=dict)
    uncertain: Collection[str] = ()
    where_there: str = ""
    asked: str = ""
    before: int = 0
    exact: bool = True
    alike: Mapping[str, Convert] = field(default_factory=dict)

    @classmethod
    def of(cls, moment: Moment, backend: Bulk, connection: Connection, pair: Pair, wish: Wish) -> Plan:
        """Plan for a table.

        Raises:
            NotFound: The target has no such column, or computes them all.
        """
        from sqlalchemy import inspect

        there = {one.name: one for one in backend.table_columns(connection, pair.target)}
        columns = reading_out.writable(moment.backend.table_columns(moment.connection, pair.source))
        if moment.backend.made_up_key not in there:
            columns = reading_out.declared(moment.backend, columns)
        if missing := [one.name for one in columns if one.name not in there]:
            raise NotFound(f"{pair.name}: {backend.profile.called} has no column {', '.join(missing)}")
        columns = [one for one in columns if not there[one.name].generated]
        if not columns:
            raise NotFound(f"{pair.name}: {backend.profile.called} computes all columns", "leave the table out")
        own = _own(connection, backend, pair.target, columns, [there[one.name] for one in columns])
        both = list(zip(columns, own, strict=True))
        lost = {one.name: loss(backend, one, mine) for one, mine in both}
        losses = {name: what for name, what in lost.items() if what}
        masked = wish.masks.expressions(moment.backend, pair.name, columns)
        uncertain = {one.name for one, mine in both if not comparable(backend, one, mine)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
            key = inspect(connection).get_pk_constraint(pair.target.name, pair.target.schema)["constrained_columns"]
        if moment.backend.__class__ is backend.__class__:
            both = _stored(backend, both, key if wish.resume else ())  # of a key a text tells the place
            columns, own = [one for one, _ in both], [mine for _, mine in both]
        where = wish.where.get(pair.name, wish.where.get("", ""))
        selection = moment.backend.selected(pair.source, columns, where=where, instead=masked)
        readable = reading_out.Readable(None, pair.name, selection)
        other = moment.backend.__class__ is not backend.__class__
        padded = other and moment.backend.pads_char and backend.pads_char
        converts = [
            _unpadded if padded and one.of_char and mine.of_char else convert(backend, one, mine) for one, mine in both
        ]
        asked = hashlib.sha256(json.dumps([where, masked], sort_keys=True).encode()).hexdigest()
        plan = cls(pair, columns, own, converts, losses, readable, where, key, masked, uncertain, where, asked)
        return replace(plan, exact=not wish.lossy, alike=_alike(backend, own, converts))

    def converted(self, values: Sequence[Texts]) -> Sequence[Texts]:
        """Return columns of the source as the target's."""
        return [
            column if change is None else [None if value is None else change(value) for value in column]
            for change, column in zip(self.converts, values, strict=True)
        ]


def _unpadded(value: str) -> str:
    """Return a text of one length without the blanks that it is filled up with."""
    return value.rstrip(" ")


def _alike(backend: Bulk, own: Sequence[BulkColumn], converts: Sequence[Convert | None]) -> Mapping[str, Convert]:
    found = {}
    for mine, change in zip(own, converts, strict=True):
        exact = backend.exact(mine)
        alike = _unpadded if change is _unpadded else exact and exact.alike
        if alike:
            found[mine.name] = alike
    return found


def _own(
    connection: Connection, backend: Bulk, target: Relation, columns: Sequence[BulkColumn], own: Sequence[BulkColumn]
) -> Sequence[BulkColumn]:
    """Return the target's columns, those as UUIDs that such come into; of others of 32 characters ask the models."""
    found = [
        replace(mine, kind=Kind.UUID) if mine.of_32 and one.kind is Kind.UUID else mine
        for one, mine in zip(columns, own, strict=True)
    ]
    unknown = [mine for one, mine in zip(columns, found, strict=True) if mine.kind is Kind.TEXT and not one.of_32]
    modelled = {one.name: one for one in with_uuids(backend.profile, target, usual_schema(connection), unknown)}
    return [modelled.get(one.name, one) for one in found]


def _stored(
    backend: Bulk, both: Sequence[tuple[BulkColumn, BulkColumn]], texts: Collection[str]
) -> list[tuple[BulkColumn, BulkColumn]]:
    """Return columns, each with the target's, of which those that store the same are read and written as stored."""
    return [
        (replace(one, kind=Kind.STORED), replace(mine, kind=Kind.STORED))
        if one.name not in texts and backend.stores_the_same(one, mine)
        else (one, mine)
        for one, mine in both
    ]


def refuse_losses(plans: Sequence[Plan], *, lossy: bool) -> None:
    """Do nothing where no column loses anything; say what is lost where that is allowed.

    Raises:
        WorkRefused: Something would be lost.
    """
    columns: dict[str, list[str]] = {}
    for plan in plans:
        for name, what in plan.losses.items():
            columns.setdefault(what, []).append(f"{plan.pair.name}.{name}")
    losses = [f"{', '.join(names)} {'lose' if names[1:] else 'loses'} {what}" for what, names in columns.items()]
    if losses and not lossy:
        raise WorkRefused("; ".join(losses), "alter the columns, leave the tables out, or say --lossy")
    for text in losses:
        _log.warning("%s", text)
