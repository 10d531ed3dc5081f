"""Where a database is in its history, and whether that is its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.errors import CheckFailed
from dbctl.migrations.environment import Environment
from dbctl.migrations.halfway import Halfway, HalfwayTable
from dbctl.migrations.results import Pending, Revision
from dbctl.migrations.revisions import heads_of, is_known, refuse_unknown, steps_of, warn_if_gone

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import MetaData

    from dbctl.migrations.access import Migrations

_log = logging.getLogger("dbctl")

_Row = TypeVar("_Row", Revision, Pending)

HEAD, BEHIND, UNKNOWN, UNDER_WAY = "head", "behind", "no script", "another run is at it"


def current(migrations: Migrations, *, x: Sequence[str] = ()) -> list[Revision]:
    """Return where a database is, a row for each revision; half-way in one is a row of its own.

    Args:
        migrations: Whose.
        x: What an env.py asks for by `context.get_x_argument()`.

    Raises:
        ConfigError: The scripts or the env.py are wrong, or lead elsewhere.
    """
    environment = Environment(migrations, "current", x)
    looks: list[tuple[str | None, list[Revision]]] = []

    def look(context: MigrationContext) -> None:
        heads = heads_of(context, environment)
        warn_if_gone(context, environment.scripts, heads)
        found = [*_revisions(environment, heads)]
        table = HalfwayTable(migrations.engine, context)
        if halfway := table.read():
            description = _description(environment, halfway.revision)
            found.append(Revision(halfway.revision, description, _told(migrations, halfway, table)))
        looks.append((context.version_table_schema, found))

    environment.run(lambda *_: (), look, dont_mutate=True)
    return _told_apart(looks)


def check(
    migrations: Migrations, metadata: Callable[[], Sequence[MetaData]] | None = None, *, x: Sequence[str] = ()
) -> list[Pending]:
    """Return nothing where all revisions are applied.

    Args:
        migrations: Whose.
        metadata: Returns what the database is to have, where the env.py names none itself; None to compare nothing.
        x: What an env.py asks for.

    Raises:
        CheckFailed: Some are pending, or autogenerate would add something; the message names them.
        ConfigError: The scripts or the env.py are wrong, or lead elsewhere.
    """
    found = pending(migrations, metadata, x=x)
    if found:
        raise CheckFailed(f"pending: {', '.join(_named(found))}", found)
    _log.info("nothing is pending")
    return found


def pending(
    migrations: Migrations,
    metadata: Callable[[], Sequence[MetaData]] | None = None,
    *,
    x: Sequence[str] = (),
    in_empty: bool = False,
) -> list[Pending]:
    """Return what a database lacks.

    Args:
        migrations: Whose.
        metadata: Returns what the database is to have, as in `check`; None to compare nothing.
        x: What an env.py asks for.
        in_empty: Look for all that an empty database would lack, and connect to none.

    Raises:
        ConfigError: The scripts or the env.py are wrong, or lead elsewhere.
    """
    environment = Environment(migrations, "check", x)
    looks: list[tuple[str | None, list[Pending]]] = []

    def revisions(heads: tuple[str, ...]) -> list[Pending]:
        steps = steps_of("upgrade", "heads")(environment.scripts, heads)
        return [Pending(one.revision.revision, _text(one.revision.doc)) for one in steps]

    def look(context: MigrationContext) -> None:
        found: list[Pending] = []
        heads = heads_of(context, environment)
        refuse_unknown(environment.scripts, heads)
        warn_if_gone(context, environment.scripts, heads)
        table = HalfwayTable(migrations.engine, context)
        if halfway := table.read():
            found.append(Pending(halfway.revision, _told(migrations, halfway, table)))
        found += revisions(heads)
        if metadata is not None:
            found.extend(Pending("(models)", one) for one in _differences(context, metadata))
        looks.append((context.version_table_schema, found))

    if in_empty:
        return revisions(())
    environment.run(lambda *_: (), look, dont_mutate=True)
    return _told_apart(looks)


def _told_apart(looks: Sequence[tuple[str | None, list[_Row]]]) -> list[_Row]:
    """Return all that was found; where an env.py goes through several schemas each row says its own."""
    if len({schema for schema, _ in looks}) < 2:
        return [row for _, found in looks for row in found]
    return [
        replace(row, description=f"{row.description} in schema {schema}".strip()) if schema else row
        for schema, found in looks
        for row in found
    ]


def _told(migrations: Migrations, halfway: Halfway, table: HalfwayTable) -> str:
    return UNDER_WAY if migrations.is_under_way() else f"{halfway} (kept in table {table.name})"


def _revisions(environment: Environment, heads: Sequence[str]) -> Iterator[Revision]:
    last = set(environment.scripts.get_heads())
    for head in heads:
        known = is_known(environment.scripts, head)
        state = UNKNOWN if not known else HEAD if head in last else BEHIND
        yield Revision(head, _description(environment, head) if known else "", state)
    if not heads:
        yield Revision(None, "no revision is applied", BEHIND if last else HEAD)


def _description(environment: Environment, revision: str) -> str:
    if not is_known(environment.scripts, revision):
        return ""
    script = environment.scripts.get_revision(revision)
    return _text(script.doc if script else None)


def _named(found: Sequence[Pending]) -> Iterator[str]:
    for one in found:
        yield one.description if one.pending == "(models)" else f"{one.pending} ({one.description})".replace(" ()", "")


def _differences(context: MigrationContext, metadata: Callable[[], Sequence[MetaData]]) -> Iterator[str]:
    """Yield what alembic's autogenerate would add, as the env.py has it compared."""
    from alembic.autogenerate import produce_migrations

    own = context.opts.get("target_metadata")
    target: Any = own if own is not None else list(metadata())
    connection = context.connection
    assert connection is not None
    begun = connection.in_transaction()
    script = produce_migrations(context, target)
    if not begun:
        connection.rollback()
    for ops in script.upgrade_ops_list:
        for diff in ops.as_diffs():
            yield from map(_difference, diff if isinstance(diff, list) else [diff])


def _difference(diff: Sequence[Any]) -> str:
    """Say in words what alembic's tuple says: what is to be done, and to what."""
    what, *rest = diff
    names = []
    for part in rest:
        if isinstance(part, str):
            names.append(part)
        elif (name := getattr(part, "fullname", None) or getattr(part, "name", None)) is not None:
            names.append(str(name))
    return " ".join([what.replace("_", " "), ".".join(names)])


def _text(doc: str | None) -> str:
    return " ".join((doc or "").split())
