"""What is to be said of a revision that failed: where in it, and what stays in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext

from dbctl.connections.echoing import without_passwords
from dbctl.connections.watching import watched_by
from dbctl.errors import ConfigError, DbctlError, Remedy, WorkRefused
from dbctl.migrations.halfway import Halfway, HalfwayTable, staying
from dbctl.migrations.rendering import count_of
from dbctl.migrations.steps import Failure, Steps, revision_of
from dbctl.runtime.foreign_errors import place_of

if TYPE_CHECKING:
    from dbctl.migrations.access import Migrations

_LONGEST = 120
"""Characters of a statement that are shown."""


def explained(error: DbctlError, steps: Sequence[Steps], migrations: Migrations, before: Sequence[str]) -> DbctlError:
    """Return an error with what it left behind, where a revision has raised it; any other as it is.

    Args:
        error: What the run ended with.
        steps: The steps of the run, if any were begun; those of each context by themselves, and the last ones failed.
        migrations: Whose.
        before: The revisions that the database had.
    """
    failure = steps[-1].failure if steps else None
    if failure is None:
        return error
    *earlier, last = steps
    told = _translated(failure, error, migrations)
    told.message = f"{_where(failure, last.context)}{_in_schema(last) if earlier else ''}: {told.message}"
    if told.hint is Remedy.CREATE_TABLES:
        told.hint = ""  # that is what migrations are for
    if migrations.dry_run:
        return told
    done = failure.statements.lasting
    with _in_doubt(told), watched_by(None):  # who ends the work is not to end these questions
        before_it = _what_stays(last, migrations, before)
        if done:
            of_it = staying(done)
            if migrations.supervisor.ended:  # and who ended it tells no more than that
                told.left = last.left()
            elif failure.statements.went_on:  # else what the earlier run has written down holds
                _write_down(last.table, failure)
                told.hint = ""
            told.hint = told.hint or Remedy.RESUME
        else:
            of_it = "nothing of it stays"
            if last.wrote:
                last.table.remove()
            if not before and failure.step.is_upgrade and _creates_table(failure):
                told.hint = told.hint or Remedy.STAMP_MADE
        told.message += f"; {of_it}, {before_it}" if before_it else f"; {of_it}"
        if remains := _remains(migrations, str(getattr(failure.error, "statement", None) or "")):
            told.message += f"; {remains}"
            if migrations.supervisor.ended:
                told.left = "; ".join(filter(None, [told.left, remains]))
        if stays := [_applied(one) + _in_schema(one) for one in earlier if _has_stayed(one, migrations)]:
            told.message += f"; what was run before that stays: {', '.join(stays)}"
    return told


def _translated(failure: Failure, error: DbctlError, migrations: Migrations) -> DbctlError:
    """Return dbctl's error for what a revision raised: it is refused work, unless it is known to be something else."""
    if isinstance(failure.error, DbctlError):
        return failure.error
    if type(error) is not ConfigError:
        return error
    words = error.message.partition(".py: ")[2].partition(" (")[0]
    return WorkRefused(words or error.message)


def _creates_table(failure: Failure) -> bool:
    statement = str(getattr(failure.error, "statement", None) or "")
    return statement.split()[:2] == ["CREATE", "TABLE"]


def _where(failure: Failure, context: MigrationContext) -> str:
    name, description = revision_of(failure.step)
    texts = failure.statements.texts
    told = f"revision {name} ({description})" if description else f"revision {name}"
    failed = getattr(failure.error, "statement", None)
    if failed and failed not in texts[-1:]:  # one that only looks, and is not counted
        told += f", {_shortened(failed)}"
    elif failed:
        total = count_of(context, failure.step, failure.arguments)
        of = f" of {total}" if total and total >= len(texts) else ""
        told += f", statement {len(texts)}{of} ({_shortened(texts[-1])})"
    place = "" if failure.statements.ended_early else place_of(failure.error)
    return f"{told}, {place}" if place else told


def _what_stays(steps: Steps, migrations: Migrations, before: Sequence[str]) -> str:
    heads = _heads(steps, migrations)
    if not steps.applied:
        return ""
    if set(heads) == set(before):
        return f"nor of what was run before it: {_applied(steps)}"
    return f"and what was run before it stays: {_applied(steps)}"


def _remains(migrations: Migrations, statement: str) -> str:
    """Return what a statement has left that has failed; "" for nothing."""
    if not migrations.backend.remains_of(statement):
        return ""
    with migrations.engine.connect() as connection:
        return migrations.backend.remains(connection, statement)


def _has_stayed(steps: Steps, migrations: Migrations) -> bool:
    return bool(steps.applied) and steps.applied[-1].revision in _heads(steps, migrations)


def _heads(steps: Steps, migrations: Migrations) -> Sequence[str]:
    context = steps.context
    places = {"version_table": context.version_table, "version_table_schema": context.version_table_schema}
    with migrations.engine.connect() as connection:
        return MigrationContext.configure(connection, opts=places).get_current_heads()


def _applied(steps: Steps) -> str:
    return ", ".join(one.revision for one in steps.applied)


def _in_schema(steps: Steps) -> str:
    schema = steps.context.version_table_schema
    return f" in schema {schema}" if schema else ""


def _write_down(table: HalfwayTable, failure: Failure) -> None:
    name, _ = revision_of(failure.step)
    statements = failure.statements
    failed = getattr(failure.error, "statement", None)
    text = _shortened(failed) if failed else "what follows them"
    direction = "upgrade" if failure.step.is_upgrade else "downgrade"
    table.write(Halfway(name, direction, statements.lasting, statements.digest, text))


@contextmanager
def _in_doubt(told: DbctlError) -> Iterator[None]:
    """Say where the database can't be asked what stays, which is no other error than the one that is told."""
    try:
        yield
    except Exception as error:
        told.add_note(f"what stays could not be asked: {error}")
        told.message += "; what stays of it can't be asked"


def _shortened(text: str) -> str:
    line = " ".join(without_passwords(text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
