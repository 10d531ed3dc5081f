"""Comparing what is of the schema itself, and no table's: types with members, and sequences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.definitions import EnumType
from dbctl.drift.state import Difference, State, running

if TYPE_CHECKING:
    from sqlalchemy import Connection, Enum, MetaData
    from sqlalchemy import Sequence as SQLSequence

    from dbctl.backends.base import Backend

Key = tuple[str | None, str]


Types = Mapping[Key, tuple[EnumType | None, EnumType | None]]
"""Types that differ, by schema and name: as the models declare them, and as the database has them."""


def differing_types(connection: Connection, backend: Backend, metadata: Sequence[MetaData]) -> Types:
    """Return in which types with members the models and the database differ.

    Args:
        connection: The database's.
        backend: Its backend.
        metadata: What the models declare.
    """
    from sqlalchemy import inspect

    have = backend.catalog.enum_types(inspect(connection))
    if have is None:
        return {}
    want = _declared_types(connection, metadata)
    keys = sorted({*have, *want}, key=lambda key: (key[0] or "", key[1]))
    return {key: (want.get(key), have.get(key)) for key in keys if _members(want.get(key)) != _members(have.get(key))}


def scratch_types(connection: Connection, backend: Backend, types: Types) -> Sequence[str]:
    """Return what makes types as the models declare them, for tables that only this session sees."""
    return [
        statement
        for declared, found in types.values()
        if declared is not None
        for statement in backend.catalog.scratch_enum(connection, declared, found)
    ]


def compare_enum_types(
    state: State, schemas: Collection[str | None], types: Types, told: Sequence[Difference]
) -> Iterator[Difference]:
    """Yield in which types with members the models and the database differ.

    Args:
        state: The comparison.
        schemas: Those in which also types are looked for that no model has.
        types: What differs in all of them.
        told: In what tables differ.
    """
    operations = [op for each in told for op in each.operations]
    dropped = {name for op in operations if (name := _dropped_name(op)) is not None}
    for key, (declared, found) in types.items():
        if (declared is None and key[0] not in schemas) or state.ignores(key[1], key[0]):
            continue
        statements = state.backend.catalog.enum_statements(
            state.connection, key, _members(found), _members(declared), dropped
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
            quoted = _quoted(state.connection, schema, name)
            if sequence is None:
                mend = running(f"DROP SEQUENCE {quoted}")
            elif says and has:
                mend = running(state.backend.catalog.sequence_statement(quoted, says))
            else:
                mend = ExecuteSQLOp(CreateSequence(sequence))
            yield Difference(state.name(name, schema), "sequence", says, has, [mend])


def _declared_types(connection: Connection, metadata: Sequence[MetaData]) -> Mapping[Key, EnumType]:
    """Return the types that the models' columns have, each with the schema that it says, if any."""
    dialect = connection.dialect
    types: dict[Key, EnumType] = {}
    for each in metadata:
        for table in each.tables.values():
            for column in table.columns:
                found = _enum_of(column.type, dialect)
                if found is not None and found.name:
                    schema = None if found.schema == dialect.default_schema_name else found.schema
                    types[schema, found.name] = EnumType(found.schema, found.name, tuple(found.enums))
    return types


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


def _dropped_name(op: Any) -> str | None:
    from alembic.operations.ops import DropConstraintOp, DropIndexOp

    name: Any = op.index_name if isinstance(op, DropIndexOp) else None
    name = op.constraint_name if isinstance(op, DropConstraintOp) else name
    return None if name is None else str(name)


def _members(type_: EnumType | None) -> Sequence[str] | None:
    return None if type_ is None else type_.members


def _shown(type_: EnumType | None) -> str | None:
    return None if type_ is None else f"ENUM ({', '.join(type_.members)})"


def _quoted(connection: Connection, schema: str | None, name: str) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in (schema, name) if part)
