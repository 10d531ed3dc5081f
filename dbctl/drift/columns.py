"""Comparing a column's type, server default, computation, identity and numbering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbctl.drift.facts import Facts, declared_default, facts_of, type_text
from dbctl.drift.state import Difference, State, running
from dbctl.errors import ConnectError, OutOfTime

if TYPE_CHECKING:
    from alembic.operations.ops import AlterColumnOp
    from sqlalchemy import Column, Dialect


def compare_column(state: State, change: AlterColumnOp, there: Column[Any], model: Column[Any]) -> None:
    """Hold a model's column against the database's, and note on alembic's operation what has to be altered.

    Args:
        state: The comparison.
        change: The operation.
        there: The column that is there.
        model: The model's.
    """
    dialect = state.connection.dialect
    state.models[change.schema, change.table_name, change.column_name] = model
    have = facts_of(there, dialect)
    change.existing_type = there.type
    change.existing_server_default = there.server_default
    numbered = model is model.table.autoincrement_column
    if numbered:
        change.kw["autoincrement"] = True
    if _declared(model, dialect, numbered) == have:
        return
    want = state.scratch.column(model)
    differing = want.differing(have) if want else _by_words(state, there, model)
    if want:
        differing = [each for each in differing if not _means_the_same(state, model, each, want, have)]
    if not differing:
        return
    state.columns[change.schema, change.table_name, change.column_name] = (want, have)
    if "computed" in differing:
        _replace(state, change, there, model, want, have)
        return
    if "type" in differing:
        _convert(state, change, model, want, have)
    if "identity" in differing and want and want.identity and have.identity:
        _count(state, change, model, want.identity, have.identity)
        differing.remove("identity")
    if not {"default", "identity"}.isdisjoint(differing):
        change.modify_server_default = model.server_default
    if "autoincrement" in differing and "identity" not in differing:
        _number(state, change, there, model)


def _declared(model: Column[Any], dialect: Dialect, numbered: bool) -> Facts | None:
    """Return the facts as far as the model's own words may be the database's; None where they are not to be had."""
    if model.computed is not None or model.identity is not None:
        return None
    return Facts(type_text(model.type, dialect), declared_default(model, dialect), autoincrement=numbered)


def _means_the_same(state: State, model: Column[Any], what: str, want: Facts, have: Facts) -> bool:
    """Tell whether a default, or what a column is computed of, is only written in another way."""
    if what not in {"default", "computed"}:
        return False
    wants, has = getattr(want, what), getattr(have, what)
    if what == "computed" and wants and has:
        wants, _, kept = wants.rpartition(" ")
        has, _, keeps = has.rpartition(" ")
        if kept != keeps:
            return False
    return state.scratch.same(model.table, wants, has)


def _by_words(state: State, there: Column[Any], model: Column[Any]) -> list[str]:
    """Compare as alembic does, where the database could not be asked."""
    from alembic.migration import MigrationContext

    impl = MigrationContext.configure(state.connection).impl
    differing = ["type"] if impl.compare_type(there, model) else []
    if model.computed is None and model.identity is None and there.computed is None and there.identity is None:
        declared = declared_default(model, state.connection.dialect)
        have = facts_of(there, state.connection.dialect).default
        if declared != have and (None in (declared, have) or _differs(state, impl, there, model, declared, have)):
            differing.append("default")
    elif (model.computed is None) != (there.computed is None):
        differing.append("computed")
    elif (model.identity is None) != (there.identity is None):
        differing.append("identity")
    return differing


def _differs(
    state: State, impl: Any, there: Column[Any], model: Column[Any], declared: str | None, have: str | None
) -> bool:
    """Let alembic compare two defaults, of which it may ask the database; where that can't say, by their words."""
    from sqlalchemy.exc import DBAPIError

    nested = state.connection.begin_nested()
    try:
        return bool(impl.compare_server_default(there, model, declared, have))
    except DBAPIError as error:
        if isinstance(translated := state.backend.translate(error), ConnectError | OutOfTime):
            raise translated from error
        return declared not in {have, (have or "").rpartition("::")[0]}
    finally:
        nested.rollback()


def _convert(state: State, change: AlterColumnOp, model: Column[Any], want: Facts | None, have: Facts) -> None:
    """Have a column get its type, without a default that may not be converted as its values are."""
    from alembic.operations.ops import AlterColumnOp

    change.modify_type = model.type
    how = state.scratch.retyping(model, have.type, want.type) if want else {}
    if not how:
        return
    change.kw.update(how)
    if have.default is not None:
        without = AlterColumnOp(
            change.table_name,
            change.column_name,
            schema=change.schema,
            existing_type=change.existing_type,
            modify_server_default=None,
        )
        state.before[id(change)] = [without]
        change.modify_server_default = model.server_default


def _replace(
    state: State, change: AlterColumnOp, there: Column[Any], model: Column[Any], want: Facts | None, have: Facts
) -> None:
    """Have a column dropped and added: what it is computed of can't be altered everywhere."""
    from alembic.operations.ops import AddColumnOp, DropColumnOp

    change.modify_nullable, change.modify_comment = None, False
    schema, table = change.schema, change.table_name
    state.differences.append(
        Difference(
            state.name(table, schema),
            f"column {model.name}, computed",
            want.computed if want else None,
            have.computed,
            [
                DropColumnOp.from_column_and_tablename(schema, table, there),
                AddColumnOp.from_column_and_tablename(schema, table, model),
            ],
        )
    )


def _count(state: State, change: AlterColumnOp, model: Column[Any], want: str, have: str) -> None:
    """Have a column's identity count in another way, from where it is."""
    preparer = state.connection.dialect.identifier_preparer
    quoted = preparer.format_table(model.table), preparer.format_column(model)
    mend = running(state.backend.catalog.identity_statement(quoted, want.split(", ")))
    table = state.name(change.table_name, change.schema)
    state.differences.append(Difference(table, f"column {model.name}, identity", want, have, [mend]))


def _number(state: State, change: AlterColumnOp, there: Column[Any], model: Column[Any]) -> None:
    """Have a column number its rows, or not."""
    from alembic.operations.ops import AlterColumnOp

    numbered = model is model.table.autoincrement_column
    preparer = state.connection.dialect.identifier_preparer
    quoted = preparer.format_table(model.table), preparer.format_column(model)
    statements = state.backend.catalog.autoincrement_statements(model.table, model, quoted) if numbered else ()
    alter = AlterColumnOp(
        change.table_name,
        change.column_name,
        schema=change.schema,
        existing_type=there.type,
        existing_nullable=there.nullable,
        modify_server_default=None if not numbered else False,
        modify_type=model.type,
        autoincrement=numbered,
    )
    state.differences.append(
        Difference(
            state.name(change.table_name, change.schema),
            f"column {model.name}, autoincrement",
            "yes" if numbered else "no",
            "no" if numbered else "yes",
            [running(statement) for statement in statements] or [state.altering(alter)],
        )
    )
