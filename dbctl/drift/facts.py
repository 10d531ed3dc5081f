"""What a database tells of a table's parts, in its own words, and what a model's DDL says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dbctl.backends.compiled import undoubled
from dbctl.backends.definitions import Definition
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Column, Dialect
    from sqlalchemy.engine import Inspector

    from dbctl.backends.base import Backend


@record
class Facts:
    """What a database tells of a column, in its own words; None where there is nothing to tell.

    Args:
        type: The type.
        default: What the server puts where nothing is given.
        computed: What it is computed of.
        identity: How its identity counts: ALWAYS or BY DEFAULT, and the sequence's options, between commas.
        autoincrement: Whether it numbers its rows.
    """

    type: str
    default: str | None = None
    computed: str | None = None
    identity: str | None = None
    autoincrement: bool = False

    def differing(self, other: Facts) -> list[str]:
        """Return the names of what differs."""
        return [each.name for each in fields(self) if getattr(self, each.name) != getattr(other, each.name)]


def facts_of_reflected(column: Any, dialect: Dialect) -> Facts:
    """Return the facts of a column as an inspector tells it."""
    computed, identity = column.get("computed"), column.get("identity")
    return Facts(
        type_text(column["type"], dialect),
        None if computed or identity else column.get("default"),
        computed and _computed(computed["sqltext"], computed.get("persisted")),
        identity and _identity(identity),
        column.get("autoincrement") is True,
    )


def facts_of(column: Column[Any], dialect: Dialect) -> Facts:
    """Return the facts of a column of a reflected table."""
    computed, identity, default = column.computed, column.identity, column.server_default
    return Facts(
        type_text(column.type, dialect),
        None if computed or identity or default is None else default.arg.text,  # type: ignore[attr-defined]
        _computed(computed.sqltext.text, computed.persisted) if computed is not None else None,
        _identity({name: getattr(identity, name, None) for name in _IDENTITY}) if identity is not None else None,
        column.autoincrement is True,
    )


def declared_default(column: Column[Any], dialect: Dialect) -> str | None:
    """Return a model's server default as its DDL has it; None where there is none."""
    from sqlalchemy.exc import CompileError

    if column.server_default is None or column.computed is not None or column.identity is not None:
        return None
    try:
        found: str | None = compiler_of(dialect).get_column_default_string(column)
    except CompileError:
        return None
    return found if found is None else undoubled(found, dialect)


def quoted_name(part: Any, dialect: Dialect) -> str | None:
    """Return the name of a constraint or an index as SQL, by its convention; None where the database gives it one."""
    named: str | None = None if part.name is None else dialect.identifier_preparer.format_constraint(part)
    return named


def type_text(type_: Any, dialect: Dialect) -> str:
    """Return a type as DDL has it; of what SQLAlchemy does not know, its name."""
    from sqlalchemy.exc import CompileError

    try:
        return str(type_.compile(dialect=dialect))
    except CompileError:
        return repr(type_)


def indexes_of(backend: Backend, inspector: Inspector, schema: str | None, table: str) -> dict[str, Definition]:
    """Return what `Backend.index_definitions` tells of one table, and the unique constraints that it does not."""
    found = dict(backend.catalog.index_definitions(inspector, schema, table).get(table, {}))
    return found | uniques_of(if_any(inspector.get_unique_constraints, table, schema), found)


def uniques_of(constraints: Any, known: Mapping[str, Definition]) -> dict[str, Definition]:
    """Return the unique constraints that are no known index; one without a name by its columns."""
    found = {}
    for each in constraints:
        columns = ", ".join(each["column_names"])
        name = each["name"] or f"({columns})"
        if name not in known:
            found[name] = Definition(f"UNIQUE ({columns})", True, True)
    return found


def checks_of(constraints: Any) -> dict[str, str]:
    """Return check constraints by their names; one without a name by what it says."""
    return {each["name"] or f"({each['sqltext']})": each["sqltext"] for each in constraints}


def if_any(ask: Callable[[str, str | None], Any], table: str, schema: str | None) -> Any:
    """Ask for the constraints of a temporary table; of one without any SQLAlchemy may say that it is not there."""
    from sqlalchemy.exc import NoSuchTableError

    try:
        return ask(table, schema)
    except NoSuchTableError:
        return []


def compiler_of(dialect: Any) -> Any:
    """Return what writes a dialect's DDL."""
    return dialect.ddl_compiler(dialect, None)


_COUNTING = {
    "start": "START WITH",
    "increment": "INCREMENT BY",
    "minvalue": "MINVALUE",
    "maxvalue": "MAXVALUE",
    "cache": "CACHE",
}
_IDENTITY = ("always", "cycle", *_COUNTING)


def _computed(text: str, persisted: bool | None) -> str:
    return f"{text}{'' if persisted is None else ' STORED' if persisted else ' VIRTUAL'}"


def _identity(options: Mapping[str, Any]) -> str:
    said = [f"{words} {options[name]}" for name, words in _COUNTING.items() if options.get(name) is not None]
    return ", ".join(
        ["ALWAYS" if options.get("always") else "BY DEFAULT", *said, "CYCLE" if options.get("cycle") else "NO CYCLE"]
    )
