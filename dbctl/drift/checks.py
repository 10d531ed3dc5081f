"""Comparing a table's check constraints."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from dbctl.backends.compiled import undoubled
from dbctl.drift.facts import compiler_of, quoted_name
from dbctl.drift.state import Difference, State

if TYPE_CHECKING:
    from sqlalchemy import CheckConstraint, Table
    from sqlalchemy.engine import Inspector


def compare_checks(state: State, inspector: Inspector, there: Table, model: Table) -> None:
    """Hold a model's checks against a table's, by their names, and note what differs.

    Args:
        state: The comparison.
        inspector: Of the connection.
        there: The table that is there.
        model: The model's.
    """
    from alembic.operations.ops import DropConstraintOp
    from sqlalchemy import CheckConstraint

    declared = [one for one in model.constraints if isinstance(one, CheckConstraint)]
    have = state.checks(inspector, there.schema, there.name)
    if not (declared or have) or _said_alike(declared, have, state):
        return
    made = state.scratch.made_of(model)
    want = dict(made.checks) if made else _by_name(declared, have, state)
    for name in sorted({*have, *want}):
        declares, has = want.get(name), have.get(name)
        if state.scratch.same(model, declares, has):
            continue
        drop = [DropConstraintOp(name, there.name, "check", schema=there.schema)] if has is not None else []
        create = [_create(name, declares, declared, state, there)] if declares is not None else []
        shown = "" if name[0] == "(" else f" {name}"
        state.differences.append(
            Difference(state.name(there.name, there.schema), f"check{shown}", declares, has, [*drop, *create])
        )


def _create(name: str, words: str, declared: Collection[CheckConstraint], state: State, there: Table) -> Any:
    """Return what creates a check: in the model's own words where it has one of the name, else in the database's."""
    from alembic.operations.ops import CreateCheckConstraintOp
    from sqlalchemy import literal_column

    dialect = state.connection.dialect
    quoted = dialect.identifier_preparer.quote(name)
    model = next((one for one in declared if quoted_name(one, dialect) == quoted), None)
    said = None if model is None else _said(model, state)
    options = {} if model is None else model.dialect_kwargs
    called = None if name[0] == "(" else name
    return CreateCheckConstraintOp(called, there.name, literal_column(said or words), schema=there.schema, **options)


def _said_alike(declared: Collection[Any], have: Mapping[str, str], state: State) -> bool:
    """Tell whether names and words are the same but for blanks, quoted names and parentheses around all of it."""
    quote = state.connection.dialect.identifier_preparer.initial_quote
    words = {name: _bare(said, quote) for name, said in _words(declared, state).items()}
    return len(words) == len(declared) and words == {name: _bare(said, quote) for name, said in have.items()}


def _words(declared: Collection[Any], state: State) -> dict[str, str]:
    """Return what a model's checks say, by their names; those without one are left out."""
    said = {str(one.name): _said(one, state) for one in declared if isinstance(one.name, str)}
    return {name: words for name, words in said.items() if words is not None}


def _said(check: CheckConstraint, state: State) -> str | None:
    """Return what a model's check says, as its DDL has it; None where that is not to be had."""
    from sqlalchemy.exc import CompileError

    dialect: Any = state.connection.dialect
    try:
        said = compiler_of(dialect).sql_compiler.process(check.sqltext, include_table=False, literal_binds=True)
    except CompileError:
        return None
    return undoubled(said, dialect)


def _by_name(declared: Collection[Any], have: Mapping[str, str], state: State) -> dict[str, str]:
    """Return a model's checks, in the database's words where it has one of the name."""
    return {name: have.get(name, words) for name, words in _words(declared, state).items()}


def _bare(words: str, quote: str) -> str:
    bare = re.sub(r"\s+", " ", words.replace(quote, "").strip())
    return bare[1:-1].strip() if bare.startswith("(") and bare.endswith(")") and ")" not in bare[1:-1] else bare
