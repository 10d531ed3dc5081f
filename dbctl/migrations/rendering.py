"""The SQL of revisions, without running it, as alembic's offline mode makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from io import StringIO
from typing import TYPE_CHECKING, Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from dbctl.migrations.results import Sql
from dbctl.migrations.statements import is_counted
from dbctl.records import record
from dbctl.runtime.foreign import guarded

if TYPE_CHECKING:
    from alembic.runtime.migration import RevisionStep


@record
class Rendered:
    """The SQL of steps.

    Attributes:
        sql: All of it, as far as it could be made.
        stopped: The revision at which it had to stop, which asks the live database; None where it did not.
        error: What that one raised.
    """

    sql: Sequence[Sql]
    stopped: str | None = None
    error: Exception | None = None


def rendered(context: MigrationContext, heads: Sequence[str], steps: Iterable[Any]) -> Rendered:
    """Return the SQL of steps, the changes of the version table among it.

    Args:
        context: The context of an env.py, whose dialect and options hold.
        heads: The revisions that the database has.
        steps: The steps from there.
    """
    parts: list[Sql] = []
    now = ""
    buffer = StringIO()

    def each(*_: Any) -> Iterable[Any]:
        nonlocal now
        for step in steps:
            now = step.revision.revision
            yield step
            parts.append(Sql(buffer.getvalue()))
            buffer.seek(0)
            buffer.truncate()

    offline = _offline(context, buffer, starting_rev=tuple(heads) or None, fn=each, transactional_ddl=False)
    try:
        with Operations.context(offline):
            offline.run_migrations()
    except Exception as error:
        return Rendered(parts, now, error)
    return Rendered(parts)


def count_of(context: MigrationContext, step: RevisionStep, arguments: Mapping[str, Any]) -> int | None:
    """Return how many statements a revision has, or None where it does not tell without a live database."""
    if getattr(step, "revision", None) is None:
        return None
    run = getattr(step.revision.module, "upgrade" if step.is_upgrade else "downgrade")
    offline = _offline(context, StringIO())
    texts: list[str] = []
    vars(offline.impl)["static_output"] = texts.append
    try:
        with guarded(), Operations.context(offline):
            run(**arguments)
    except Exception:
        return None
    return sum(map(is_counted, texts))


def _offline(context: MigrationContext, buffer: StringIO, **options: Any) -> MigrationContext:
    dialect = copy(context.dialect)
    dialect.identifier_preparer = copy(dialect.identifier_preparer)
    vars(dialect.identifier_preparer)["_double_percents"] = False  # no driver takes a % for a parameter's here
    vars(dialect).pop("_type_memos", None)  # what writes a type's literals holds on to its dialect
    kept = {key: value for key, value in context.opts.items() if key != "on_version_apply"}
    said = {"as_sql": True, "literal_binds": True, "output_buffer": buffer, **options}
    return MigrationContext.configure(dialect=dialect, opts={**kept, **said})
