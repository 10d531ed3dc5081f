"""Comparing what is of the schema itself, and no table's: types with members, and sequences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.definitions import EnumType
from dbctl.drift.state import Difference, State, running

if TYPE_CHECKING:
    from sqlalchemy import Connection, Enum, MetaData
    from sqlalchemy import Sequence as SQLSequence
    from sqlalchemy.engine import Inspector

Key = tuple[str | None, str]


def compare_enum_types(
    state: State, inspector: Inspector, schemas: Collection[str | None], metadata: Sequence[MetaData]
) -> Iterator[Difference]:
    """Yield in which types with members the models and some schemas of the database differ."""
    have = state.backend.catalog.enum_types(inspector)
    if have is None:
        return
    want, columns = _declared_types(state.connection, metadata)
    for key in sorted({*have, *want}, key=lambda key: (key[0] or "", key[1])):
        declared, found = want.get(key), have.get(key)
        if key[0] not in schemas or state.ignores(key[1], key[0]) or _members(declared) == _members(found):
            continue
        quoted = _quoted(state.connection, *key)
        statements = state.backend.catalog.enum_statements(
            quoted, _members(found), _members(declared), columns.get(key, ())
        )
        yield Difference(
            state.name(key[1], key[0]),
            "type",
            _shown(declared),
            _shown(found),
            [running(statement) for statement in statements],
        )


def compare_sequences(
    state: State, schemas: Collection[str | None], metadata: Sequence[MetaData]
) -> Iterator[Difference]:
    """Yield in which sequences, those of columns apart, the models and some schemas of the database differ."""
    from alembic.operations.ops import ExecuteSQLOp
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.schema import CreateSequence

    declared = _declared_sequences(state.connection, metadata)
    for schema in sorted(schemas, key=str):
        have = state.backend.catalog.sequences(state.connection, schema)
        if have is None:
            return
        want = {name: sequence for (of_schema, name), sequence in declared.items() if of_schema == schema}
        for name in sorted({*have, *want}):
            if state.ignores(name, schema):
                continue
            sequence, has = want.get(name), have.get(name)
            says = None
            if sequence is not None:
                try:
                    says = state.backend.catalog.scratch_sequence(state.connection, sequence)
                except SQLAlchemyError as error:
                    says = state.scratch.words_of(sequence, error, has)
            if says == has:
                continue
            drop = [running(f"DROP SEQUENCE {_quoted(state.connection, schema, name)}")] if has else []
            create = [ExecuteSQLOp(CreateSequence(sequence))] if sequence is not None else []
            yield Difference(state.name(name, schema), "sequence", says, has, [*drop, *create])


def _declared_types(
    connection: Connection, metadata: Sequence[MetaData]
) -> tuple[Mapping[Key, EnumType], Mapping[Key, list[tuple[str, str]]]]:
    """Return the types that the models' columns have, and which columns those are, as SQL."""
    dialect = connection.dialect
    preparer = dialect.identifier_preparer
    types: dict[Key, EnumType] = {}
    columns: dict[Key, list[tuple[str, str]]] = defaultdict(list)
    for each in metadata:
        for table in each.tables.values():
            for column in table.columns:
                found = _enum_of(column.type, dialect)
                if found is not None and found.name:
                    schema = None if found.schema == dialect.default_schema_name else found.schema
                    types[schema, found.name] = EnumType(schema, found.name, tuple(found.enums))
                    columns[schema, found.name].append((preparer.format_table(table), preparer.format_column(column)))
    return types, columns


def _enum_of(type_: Any, dialect: Any) -> Enum | None:
    """Return the type with members that a type is, or is an array of, in a dialect."""
    from sqlalchemy import ARRAY, Enum, TypeDecorator

    while isinstance(type_, TypeDecorator):
        type_ = type_.load_dialect_impl(dialect)
    found = type_.dialect_impl(dialect)
    if isinstance(found, ARRAY):
        return _enum_of(found.item_type, dialect)
    return found if isinstance(found, Enum) and found.native_enum else None


def _declared_sequences(connection: Connection, metadata: Sequence[MetaData]) -> Mapping[Key, SQLSequence]:
    default = connection.dialect.default_schema_name
    return {
        (None if sequence.schema == default else sequence.schema, sequence.name): sequence
        for each in metadata
        for sequence in each._sequences.values()
        if not (sequence.optional and connection.dialect.sequences_optional)
    }


def _members(type_: EnumType | None) -> Sequence[str] | None:
    return None if type_ is None else type_.members


def _shown(type_: EnumType | None) -> str | None:
    return None if type_ is None else f"ENUM ({', '.join(type_.members)})"


def _quoted(connection: Connection, schema: str | None, name: str) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in (schema, name) if part)
