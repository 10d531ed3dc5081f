"""Which revisions a database has, which scripts there are, and the steps from one to the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from dbctl.errors import ConfigError, NotFound, Remedy, UsageError
from dbctl.migrations.scripts import places_of

if TYPE_CHECKING:
    from dbctl.migrations.environment import Environment

_log = logging.getLogger("dbctl")


def heads_of(context: MigrationContext, environment: Environment) -> tuple[str, ...]:
    """Return the revisions that a database has, and leave no transaction begun that was not.

    Where the env.py has begun one, they are asked for on another connection: what is waited for before anything is run
    there is waited for without having read anything.
    """
    connection = context.connection
    assert connection is not None
    if not connection.in_transaction():
        found = context.get_current_heads()
        connection.rollback()
        return tuple(sorted(found))
    own = environment.connection()
    places = {"version_table": context.version_table, "version_table_schema": context.version_table_schema}
    found = MigrationContext.configure(own, opts=places).get_current_heads()
    own.rollback()
    return tuple(sorted(found))


def warn_if_gone(context: MigrationContext, scripts: ScriptDirectory, heads: Sequence[str]) -> None:
    """Warn where a database has all revisions, and none of the tables is there that the env.py's models have.

    Args:
        context: What the env.py has configured; no transaction is begun that was not.
        scripts: The service's revisions.
        heads: Those that the database has.
    """
    from sqlalchemy import inspect

    own: Any = context.opts.get("target_metadata")
    models = own if isinstance(own, Sequence) else [own] if own is not None else ()
    tables = [table for each in models for table in each.tables.values()]
    if not tables or not heads or set(heads) != set(scripts.get_heads()) or context.connection is None:
        return
    begun = context.connection.in_transaction()
    inspector = inspect(context.connection)
    is_there = any(inspector.has_table(table.name, table.schema) for table in tables)
    if not begun:
        context.connection.rollback()
    if not is_there:
        text = "the database is said to be at %s, but none of the models' tables is there: if they were dropped, %s"
        _log.warning(text, ", ".join(heads), "dbctl migrate stamp base says so, and dbctl migrate upgrade makes them")


def refuse_unknown(scripts: ScriptDirectory, heads: Sequence[str]) -> None:
    """Do nothing where there is a script of each revision that a database has.

    Raises:
        ConfigError: There is none of one: the database has been migrated by a newer release, or by another service.
    """
    for head in heads:
        if not is_known(scripts, head):
            places = " and ".join(places_of(scripts))
            message = f"the database is at revision {head}, of which there is no script in {places}"
            raise ConfigError(message, Remedy.STAMP)


def is_known(scripts: ScriptDirectory, revision: str) -> bool:
    """Tell whether there is a script of a revision."""
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False


def steps_of(name: str, target: Any) -> Callable[[ScriptDirectory, tuple[str, ...]], Sequence[Any]]:
    """Return what computes the steps to a revision from those that a database has.

    Args:
        name: `upgrade`, `downgrade` or `stamp`.
        target: The revision, or for a stamp a tuple of them.
    """

    def compute(scripts: ScriptDirectory, heads: tuple[str, ...]) -> Sequence[Any]:
        if not all(target if isinstance(target, tuple) else (target,)):
            raise UsageError("a revision is empty", "name one, such as head or base")
        try:
            return list(getattr(scripts, f"_{name}_revs")(target, heads))
        except CommandError as error:
            raise _told(scripts, target, error) from error
        except AssertionError as error:  # alembic's, as of one step back in a branch that the database is not in
            at = ", ".join(heads) or "base"
            raise NotFound(
                f"no {name} leads to {target} from {at}, where the database is", Remedy.LIST_REVISIONS
            ) from error

    return compute


def _told(scripts: ScriptDirectory, target: Any, error: CommandError) -> ConfigError | NotFound:
    """Return dbctl's error for one of alembic's."""
    text = " ".join(str(error).split())
    found = scripts.get_heads()
    if len(found) > 1 and target == "head":
        return ConfigError(
            f"there are several heads: {', '.join(found)}",
            Remedy.MERGE_HEADS,
        )
    return NotFound(f"alembic: {text}", Remedy.LIST_REVISIONS)
