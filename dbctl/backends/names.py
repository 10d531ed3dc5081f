"""A table's name as somebody types it, everywhere the same: `hero`, `audit.entry`, or quoted as SQL has it, `"a.b"`.

What is typed is first taken as it stands: a table may be called `a.b`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dbctl.errors import Ambiguous, NotFound
from dbctl.profiles.words import meant

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.backends.inventory import Relation

_PART = r'"(?:[^"]|"")+"|`(?:[^`]|``)+`|[^".`]+'
_QUOTED = re.compile(r'"(?:[^"]|"")+"|`(?:[^`]|``)+`')
_NAME = re.compile(rf"(?:({_PART})\.)?({_PART})")


def parts_of(name: str) -> tuple[str | None, str]:
    """Return the schema, or None, and the table of a name; quotes are taken from them, as SQL would."""
    found = _NAME.fullmatch(name)
    if found is None:
        schema, _, table = name.rpartition(".")
        return schema or None, table
    return _bare(found[1]) if found[1] else None, _bare(found[2])


def _bare(part: str) -> str:
    return part[1:-1].replace(part[0] * 2, part[0]) if part[0] in '"`' else part


def unquoted(name: str) -> str:
    """Return a name without its parts' quotes, as lists and messages have it; a pattern stays one."""
    return _QUOTED.sub(lambda found: _bare(found[0]), name)


def called(relation: Relation, usual: str | None) -> str:
    """Return how a table is called: with its schema where that is not the usual one."""
    return relation.name if relation.schema in {None, usual} else f"{relation.schema}.{relation.name}"


def relation_named(connection: Connection, backend: Backend, name: str, *, place: str = "") -> Relation:
    """Return the table or view of a name, in any schema; of several that in the one which is looked in first.

    Args:
        connection: Where.
        backend: The connection's backend.
        name: The name as it was typed, in letters that the database takes for the same.
        place: Which database it is, where there are several.

    Raises:
        NotFound: There is none.
        Ambiguous: There are several, and not just one of them in the usual schema.
    """
    from sqlalchemy import inspect

    inspector, fold = inspect(connection), backend.name_folder(connection)
    usual = inspector.default_schema_name
    schema, table = parts_of(name)
    there = backend.catalog.inventory(connection, None)

    found = [one for one in there if name in {one.name, f"{one.schema}.{one.name}"}]
    found = found or [one for one in there if fold(name) == fold(one.name)]
    found = found or [one for one in there if fold(table) == fold(one.name) and schema in {None, one.schema}]
    if not found and schema in inspector.get_schema_names():  # as another database of MySQL's
        found = [one for one in backend.catalog.inventory(connection, schema) if fold(one.name) == fold(table)]
    first = [one for one in found if called(one, usual) == name] or [one for one in found if one.schema == usual]
    chosen = first if len(first) == 1 else found
    if len(chosen) > 1:
        raise Ambiguous(f"{name} stands for several tables", f"name one of {', '.join(map(_in_full, chosen))}")
    if not chosen:
        message = f"{place} has no table {name}" if place else f"there is no table {name}"
        raise NotFound(message, meant(unquoted(name), [called(one, usual) for one in there]))
    return chosen[0]


def _in_full(relation: Relation) -> str:
    parts = filter(None, (relation.schema, relation.name))
    return ".".join(f'"{part}"' if "." in part else part for part in parts)
