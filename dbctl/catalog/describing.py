"""Describing one table: as the server has it, and as the model declares it where one does."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbctl.backends.names import relation_named
from dbctl.catalog.description import (
    ColumnSaid,
    Description,
    DriftSaid,
    IndexSaid,
    PartSaid,
    ReferenceSaid,
    column_text,
)
from dbctl.catalog.tables import counted, size_text
from dbctl.drift.comparison import differences
from dbctl.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData, Table

    from dbctl.backends.base import Backend
    from dbctl.backends.inventory import PartThere, Relation
    from dbctl.connections.connector import Connector
    from dbctl.drift.state import Difference

_log = logging.getLogger(__name__)


def describe_table(
    connector: Connector[Engine], name: str, models: Sequence[MetaData] = (), *, exact: bool = False
) -> Description:
    """Return what there is to say of a table or a view.

    All is read in one transaction that is rolled back; to compare it with its model that makes temporary tables.

    Args:
        connector: Where.
        name: Its name, with its schema before it where it is in another one than the default.
        models: What the models declare, as far as they are known.
        exact: Whether the rows are counted also where there are many.

    Raises:
        NotFound: There is no such table.
        Ambiguous: It is in several schemas, and not in the usual one.
    """
    backend = connector.backend
    with connector.engine.connect() as connection:
        relation = relation_named(connection, backend, name)
        for sentence in backend.catalog.unknown(connection, [relation]):
            _log.info("%s", sentence)
        model = _model_of(connection, backend, relation, models)
        found = _drift(connection, backend, relation, model, models)
        rows, estimated = counted(backend, connection, relation, exact=exact)
        indexes = backend.catalog.indexes_there(connection, relation)
        if backend.catalog.counts_index_reads and indexes and all(index.scans is None for index in indexes):
            _log.info("this server does not tell this user how often an index is read")
        return Description(
            schema=relation.schema,
            table=relation.name,
            kind=relation.kind,
            rows=rows,
            estimated=estimated,
            data=size_text(relation.data_bytes),
            size_of_indexes=size_text(relation.index_bytes),
            comment=relation.comment,
            data_bytes=relation.data_bytes,
            index_bytes=relation.index_bytes,
            columns=_columns(connection, backend, relation, model, found),
            indexes=[
                IndexSaid(each.name, each.definition, size_text(each.bytes), each.scans, each.bytes) for each in indexes
            ],
            constraints=_parts(backend.catalog.constraints_there(connection, relation)),
            referenced_by=[
                ReferenceSaid(each.table or "", each.name, each.definition)
                for each in backend.catalog.references_there(connection, relation)
            ],
            triggers=_parts(backend.catalog.triggers_there(connection, relation)),
            partitions=_parts(backend.catalog.partitions_there(connection, relation)),
            drift=None if found is None else [DriftSaid(each.part, each.models, each.database) for each in found],
        )


def _model_of(connection: Connection, backend: Backend, relation: Relation, models: Sequence[MetaData]) -> Table | None:
    from sqlalchemy import inspect

    fold, default = backend.name_folder(connection), inspect(connection).default_schema_name
    for metadata in models:
        for table in metadata.tables.values():
            same = fold(table.name) == fold(relation.name)
            if same and (table.schema or default) == (relation.schema or default):
                return table
    return None


def _drift(
    connection: Connection, backend: Backend, relation: Relation, model: Table | None, models: Sequence[MetaData]
) -> list[Difference] | None:
    """Return in what the table differs from its model; None where there is none, or it can't be compared."""
    if model is None:
        return None
    others = {name for metadata in models for name in metadata.tables} - {model.key}
    prefix = f"{model.schema}." if model.schema else ""
    others |= {f"{prefix}{name}" for name in backend.relations(connection, model.schema)} - {model.key}
    ignored = [re.sub(r"([*?[])", r"[\1]", other) for other in others]
    try:
        found = differences(connection, backend, models, ignored)
    except ConfigError as error:
        _log.info("it is not compared with its model: %s", error)
        return None
    return [each for each in found if each.table == model.key]


def _columns(
    connection: Connection,
    backend: Backend,
    relation: Relation,
    model: Table | None,
    drift: Sequence[Difference] | None,
) -> list[ColumnSaid]:
    differing = _differing(drift or ())
    said = []
    for each in backend.catalog.columns_there(connection, relation):
        declared: str | None = None
        if model is not None and drift is not None:
            declared = differing.get(each.name, "same") if each.name in model.columns else "missing"
        text = column_text(each.type, nullable=each.nullable, default=each.default)
        said.append(ColumnSaid(each.name, text, declared, each.comment, each.type, each.nullable, each.default))
    return said


def _differing(drift: Sequence[Difference]) -> dict[str, str]:
    """Return what the model declares otherwise of columns, by their names."""
    found: dict[str, list[str]] = {}
    for each in drift:
        if match := re.fullmatch(r"column (.+?)(?:, (type|NULL|default|comment|.+))?", each.part):
            what = "" if match[2] in {None, "type"} else f"{match[2]}: "
            found.setdefault(match[1], []).append(f"{what}{each.models or 'none'}")
    return {name: "; ".join(said) for name, said in found.items()}


def _parts(found: Sequence[PartThere]) -> list[PartSaid]:
    return [PartSaid(each.name, each.definition) for each in found]
