"""Comparing a table's parts beside its columns: keys, indexes, and constraints; checks have a module of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.definitions import Definition
from dbctl.drift.checks import compare_checks
from dbctl.drift.facts import quoted_name, uniques_of
from dbctl.drift.state import Difference, State

if TYPE_CHECKING:
    from alembic.operations.ops import ModifyTableOps
    from sqlalchemy import Dialect, ForeignKeyConstraint, Table
    from sqlalchemy.engine import Inspector


def compare_parts(state: State, changes: ModifyTableOps, inspector: Inspector, there: Table, model: Table) -> None:
    """Hold a model's keys, indexes and constraints against a table's.

    Args:
        state: The comparison, to which is added what differs.
        changes: alembic's own findings, of which those are taken away that are none.
        inspector: Of the connection.
        there: The table that is there.
        model: The model's.
    """
    _compare_primary_key(state, there, model)
    _keep_true_foreign_keys(state, changes)
    _note_left_indexes(state, changes, inspector, there, model)
    _compare_indexes(state, changes, inspector, there, model)
    compare_checks(state, inspector, there, model)


def _compare_primary_key(state: State, there: Table, model: Table) -> None:
    from alembic.operations.ops import CreatePrimaryKeyOp, DropConstraintOp

    want, have = ([column.name for column in table.primary_key.columns] for table in (model, there))
    if want == have or (not want and _is_made_up(state, there, have)):
        return
    drop = [DropConstraintOp.from_constraint(there.primary_key)] if have else []
    create = [CreatePrimaryKeyOp.from_constraint(model.primary_key)] if want else []
    declared = f"({', '.join(want)})" if want else None
    found = f"({', '.join(have)})" if have else None
    state.differences.append(
        Difference(state.name(there.name, there.schema), "primary key", declared, found, [*drop, *create])
    )


def _is_made_up(state: State, there: Table, key: Sequence[str]) -> bool:
    """Tell whether the server has made a primary key by itself, because nobody declares one."""
    backend = state.backend
    return key == [backend.made_up_key] and backend.has_made_up_key(state.connection, there.schema, there.name)


# --- foreign keys ---


def _keep_true_foreign_keys(state: State, changes: ModifyTableOps) -> None:
    """Take away the pairs that drop and create the same key, once with the default schema's name and once without."""
    from alembic.operations.ops import CreateForeignKeyOp, DropConstraintOp

    default = state.connection.dialect.default_schema_name

    def said(operation: Any) -> object:
        key: ForeignKeyConstraint = operation.to_constraint()
        targets = [element.target_fullname.removeprefix(f"{default}.") for element in key.elements]
        options = [
            None if value is not None and value.upper() in {"NO ACTION", "RESTRICT"} else value and value.upper()
            for value in (key.ondelete, key.onupdate)
        ]
        return [column.name for column in key.columns], targets, options, bool(key.deferrable), key.initially

    dropped = [op for op in changes.ops if isinstance(op, DropConstraintOp) and op.constraint_type == "foreignkey"]
    for create in [op for op in changes.ops if isinstance(op, CreateForeignKeyOp)]:
        twin = next((drop for drop in dropped if said(drop) == said(create)), None)
        if twin is not None:
            dropped.remove(twin)
            changes.ops.remove(twin)
            changes.ops.remove(create)


def _note_left_indexes(state: State, changes: ModifyTableOps, inspector: Inspector, there: Table, model: Table) -> None:
    """Note which indexes would be left of the keys that are dropped, where the database has made some for them."""
    from alembic.operations.ops import DropConstraintOp, DropIndexOp

    declared = {index.name for index in model.indexes}
    for op in changes.ops:
        if isinstance(op, DropConstraintOp) and op.constraint_type == "foreignkey":
            key: Any = op.to_constraint()
            for name, index in state.indexes(inspector, there.schema, there.name).items():
                if name not in declared and state.backend.catalog.is_made_for_key(name, index.text, [key]):
                    state.left_by_key[id(op)] = DropIndexOp(name, there.name, schema=there.schema)


# --- indexes and unique constraints ---


def _compare_indexes(state: State, changes: ModifyTableOps, inspector: Inspector, there: Table, model: Table) -> None:
    """Let alembic's findings stand where all is plain; else let the database say what it makes of the model."""
    own = [op for op in changes.ops if _is_of_index(op)]
    have = dict(state.indexes(inspector, there.schema, there.name))
    if not own and all(one.plain for one in have.values()) and _is_plain(model):
        return
    made = state.scratch.made_of(model)
    if made is None:
        return
    have |= uniques_of(inspector.get_unique_constraints(there.name, there.schema), have)
    for op in own:
        if _name_of(op) not in made.unknown:
            changes.ops.remove(op)
    keys, dialect = there.foreign_key_constraints, state.connection.dialect
    for name in sorted({*have, *made.indexes} - made.unknown):
        want, has = made.indexes.get(name), have.get(name)
        if want is None and has and state.backend.catalog.is_made_for_key(name, has.text, keys):
            continue
        if want == has or (want and has and _means_the_same(state, model, want, has)):
            continue
        drop = [_drop(own, name, has, there)] if has else []
        create = [_create(own, name, want, model, dialect)] if want else []
        kind = "unique constraint" if (want or has).text.startswith("UNIQUE (") else "index"  # type: ignore[union-attr]
        state.differences.append(
            Difference(
                state.name(there.name, there.schema),
                f"{kind} {name}",
                want.text if want else None,
                has.text if has else None,
                [*drop, *filter(None, create)],
            )
        )


def _means_the_same(state: State, model: Table, want: Definition, has: Definition) -> bool:
    """Tell whether two definitions differ only in how their expressions are written."""
    if want.constraint != has.constraint or len(want.expressions) != len(has.expressions):
        return False
    words = state.scratch.understood(model, *want.expressions, *has.expressions)
    return want.worded(words) == has.worded(words)


def _is_of_index(op: Any) -> bool:
    from alembic.operations.ops import CreateIndexOp, CreateUniqueConstraintOp, DropConstraintOp, DropIndexOp

    unique = isinstance(op, DropConstraintOp) and op.constraint_type == "unique"
    return unique or isinstance(op, CreateIndexOp | DropIndexOp | CreateUniqueConstraintOp)


def _is_plain(model: Table) -> bool:
    """Tell whether all indexes and constraints are of columns alone, and nothing is said for one database only."""
    from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

    known = CheckConstraint | ForeignKeyConstraint | PrimaryKeyConstraint
    for index in model.indexes:
        if any(index.dialect_kwargs.values()) or not all(isinstance(one, Column) for one in index.expressions):
            return False
    for constraint in model.constraints:
        if isinstance(constraint, UniqueConstraint):
            if constraint.deferrable or any(constraint.dialect_kwargs.values()):
                return False
        elif not isinstance(constraint, known):
            return False
    return True


def _name_of(op: Any) -> str | None:
    return getattr(op, "index_name", None) or getattr(op, "constraint_name", None)


def _drop(own: Collection[Any], name: str, has: Definition, there: Table) -> Any:
    from alembic.operations.ops import DropConstraintOp, DropIndexOp

    found = next((op for op in own if isinstance(op, DropIndexOp | DropConstraintOp) and _name_of(op) == name), None)
    if found is not None:
        return found
    if has.constraint:
        return DropConstraintOp(name, there.name, "unique", schema=there.schema)
    return DropIndexOp(name, there.name, schema=there.schema)


def _create(own: Collection[Any], name: str, want: Definition, model: Table, dialect: Dialect) -> Any:
    """Return what creates an index or a constraint; of a constraint without a name by its columns."""
    from copy import copy

    from alembic.operations.ops import CreateIndexOp, CreateUniqueConstraintOp, ExecuteSQLOp
    from sqlalchemy import CheckConstraint, UniqueConstraint
    from sqlalchemy.schema import AddConstraint

    for op in own:
        if isinstance(op, CreateIndexOp | CreateUniqueConstraintOp) and _name_of(op) == name:
            return op
    quoted = dialect.identifier_preparer.quote(name)
    for index in model.indexes:
        if quoted_name(index, dialect) == quoted:
            return CreateIndexOp.from_index(index)
    for constraint in model.constraints:
        named = quoted_name(constraint, dialect)
        columns = f"({', '.join(column.name for column in constraint.columns)})"  # type: ignore[attr-defined]
        if isinstance(constraint, UniqueConstraint):
            if named == quoted or (named is None and columns in want.text):
                return CreateUniqueConstraintOp.from_constraint(constraint)
        elif named == quoted and not isinstance(constraint, CheckConstraint):
            return ExecuteSQLOp(AddConstraint(copy(constraint)))
    return None
