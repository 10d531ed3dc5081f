"""What alembic's operations say, one difference each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dbctl.drift.facts import declared_default, facts_of, type_text
from dbctl.drift.state import Difference, State

if TYPE_CHECKING:
    from alembic.operations.ops import AlterColumnOp, UpgradeOps
    from sqlalchemy import Column, Dialect, ForeignKeyConstraint


def differences_of(upgrade: UpgradeOps, state: State) -> Iterator[Difference]:
    """Yield what operations that would mend a database say of it."""
    from alembic.operations.ops import CreateTableOp, DropTableOp, ModifyTableOps

    whole = {(op.schema, op.table_name) for op in upgrade.ops if isinstance(op, CreateTableOp | DropTableOp)}
    default = state.connection.dialect.default_schema_name
    whole |= {(None, name) for schema, name in whole if schema == default}
    for op in upgrade.ops:
        if isinstance(op, CreateTableOp):
            yield Difference(_of(op, state), "table", "declared", None, [op])
        elif isinstance(op, DropTableOp):
            yield Difference(_of(op, state), "table", None, "there", [op])
        elif isinstance(op, ModifyTableOps) and (op.schema, op.table_name) not in whole:
            for part in op.ops:
                yield from _part(part, state)


def _part(op: Any, state: State) -> Iterator[Difference]:
    from alembic.operations import ops

    dialect = state.connection.dialect
    match op:
        case ops.AlterColumnOp():
            yield from _altered(op, state)
        case ops.AddColumnOp():
            said = _column(op.column, declared_default(op.column, dialect), dialect)
            yield Difference(_of(op, state), f"column {op.column.name}", said, None, [op])
        case ops.DropColumnOp():
            column = op.to_column()
            said = _column(column, facts_of(column, dialect).default, dialect)
            yield Difference(_of(op, state), f"column {op.column_name}", None, said, [op])
        case ops.CreateForeignKeyOp():
            yield Difference(_of(op, state, op.source_table), *_key(op), None, [op])
        case ops.DropConstraintOp(constraint_type="foreignkey"):
            part, text = _key(op)
            left = state.left_by_key.get(id(op))
            yield Difference(_of(op, state), part, None, text, [op] if left is None else [op, left])
        case ops.CreateTableCommentOp():
            yield Difference(_of(op, state), "comment", op.comment, op.existing_comment, [op])
        case ops.DropTableCommentOp():
            yield Difference(_of(op, state), "comment", None, op.existing_comment, [op])
        case ops.CreateUniqueConstraintOp():
            columns = f"UNIQUE ({', '.join(map(str, op.columns))})"
            yield Difference(
                _of(op, state), f"unique constraint {op.constraint_name or ''}".strip(), columns, None, [op]
            )
        case ops.DropConstraintOp():
            yield Difference(_of(op, state), f"constraint {op.constraint_name or ''}".strip(), None, "there", [op])
        case ops.CreateIndexOp():
            yield Difference(_of(op, state), f"index {op.index_name}", ", ".join(map(str, op.columns)), None, [op])
        case ops.DropIndexOp():
            yield Difference(_of(op, state), f"index {op.index_name}", None, "there", [op])
        case _:
            yield Difference(_of(op, state), type(op).__name__, "declared", None, [op])


def _altered(op: AlterColumnOp, state: State) -> Iterator[Difference]:
    """Yield a difference for each property of a column; all are mended by the one operation, which the first has."""
    dialect = state.connection.dialect
    want, have = state.columns.get((op.schema, op.table_name, op.column_name), (None, None))
    found: list[tuple[str, str | None, str | None]] = []
    if op.modify_type is not None:
        found.append(
            ("type", want.type if want else type_text(op.modify_type, dialect), type_text(op.existing_type, dialect))
        )
    if op.modify_nullable is not None:
        words = {True: "NULL", False: "NOT NULL", None: None}
        found.append(("nullable", words[op.modify_nullable], words[op.existing_nullable]))
    if op.modify_server_default is not False:
        declared = (want.identity or want.default) if want else _default(op.modify_server_default)
        found.append(("default", declared, (have.identity or have.default) if have else None))
    if op.modify_comment is not False:
        found.append(("comment", op.modify_comment, op.existing_comment))
    operations = [*state.before.get(id(op), ()), state.altering(op)] if found else []
    for what, models, database in found:
        yield Difference(_of(op, state), f"column {op.column_name}, {what}", models, database, operations)
        operations = []


def _default(default: Any) -> str | None:
    return None if default is None else str(getattr(default, "arg", default))


def _column(column: Column[Any], default: str | None, dialect: Dialect) -> str:
    said = [type_text(column.type, dialect), "" if column.nullable else "NOT NULL", default and f"DEFAULT {default}"]
    return " ".join(filter(None, said))


def _key(op: Any) -> tuple[str, str]:
    """Return what a foreign key is called, and what it says."""
    key: ForeignKeyConstraint = op.to_constraint()
    columns = ", ".join(column.name for column in key.columns)
    target = key.elements[0].target_fullname.rpartition(".")[0]
    referred = ", ".join(element.target_fullname.rpartition(".")[2] for element in key.elements)
    rules = [("ON DELETE", key.ondelete), ("ON UPDATE", key.onupdate), ("INITIALLY", key.initially)]
    said = "".join(f" {name} {value}" for name, value in rules if value) + (" DEFERRABLE" if key.deferrable else "")
    return f"foreign key ({columns})", f"{target} ({referred}){said}"


def _of(op: Any, state: State, table: str | None = None) -> str:
    schema = getattr(op, "schema", None) or (getattr(op, "kw", None) or {}).get("source_schema")
    return state.name(table or op.table_name, schema)
