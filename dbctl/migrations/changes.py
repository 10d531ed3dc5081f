"""Moving a database from revision to revision: one run at a time, and without a lock where nothing is to be done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from alembic.script import ScriptDirectory
from sqlalchemy import event

from dbctl.connections.engines import WRITES
from dbctl.connections.watching import told_if_ended
from dbctl.errors import DbctlError, Remedy, WorkRefused
from dbctl.migrations.environment import Environment
from dbctl.migrations.failing import explained
from dbctl.migrations.halfway import Halfway, HalfwayTable
from dbctl.migrations.rendering import rendered
from dbctl.migrations.results import Applied, Sql
from dbctl.migrations.revisions import heads_of, refuse_unknown, steps_of, warn_if_gone
from dbctl.migrations.steps import Steps

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

    from dbctl.migrations.access import Migrations

_log = logging.getLogger("dbctl")

Compute = Callable[[ScriptDirectory, tuple[str, ...]], Sequence[Any]]


def upgrade(
    migrations: Migrations, revision: str = "head", *, resume: bool = False, x: Sequence[str] = ()
) -> list[Applied] | list[Sql]:
    """Run the revisions that lead to one.

    Args:
        migrations: Whose.
        revision: Where to: an id, or part of one, `head`, `heads`, `+1`, as alembic takes it.
        resume: Go on with a revision that has been done in part.
        x: What an env.py asks for by `context.get_x_argument()`.

    Returns:
        What was run; of a dry run its SQL.

    Raises:
        NotFound: There is no such revision.
        ConfigError: The scripts or the env.py are wrong, or lead elsewhere.
        LockHeld: Another run has been at it for too long.
        WorkRefused: A revision failed; the message says which statement of it, and what stays.
    """
    return _Change(migrations, "upgrade", steps_of("upgrade", revision), revision, resume, x).run()


def downgrade(
    migrations: Migrations, revision: str, *, resume: bool = False, x: Sequence[str] = ()
) -> list[Applied] | list[Sql]:
    """Run the revisions back to one, as `upgrade` does; `base` is none, and `-1` the one before."""
    return _Change(migrations, "downgrade", steps_of("downgrade", revision), revision, resume, x).run()


def stamp(
    migrations: Migrations, revisions: Sequence[str], *, purge: bool = False, x: Sequence[str] = ()
) -> list[Applied] | list[Sql]:
    """Say that a database is at these revisions, and run nothing.

    Args:
        migrations: Whose.
        revisions: The revisions.
        purge: Forget first what is said of it now, also what no script knows.
        x: What an env.py asks for.
    """
    change = _Change(migrations, "stamp", steps_of("stamp", tuple(revisions)), tuple(revisions), True, x)
    return change.run(purge=purge)


class _RolledBack(BaseException):
    """A dry run is at its end, and nothing of it is to be committed."""


class _Change:
    """One change, in however many contexts an env.py configures."""

    def __init__(
        self, migrations: Migrations, name: str, compute: Compute, target: Any, resume: bool, x: Sequence[str]
    ) -> None:
        self._migrations = migrations
        self._environment = Environment(migrations, name, x)
        self._compute = compute
        self._target = target
        self._resume = resume
        self._stamps = name == "stamp"
        self._purge = False
        self._stack = ExitStack()
        self._locked = False
        self._steps: list[Steps] = []
        self._tables: list[HalfwayTable] = []
        self._sql: list[Sql] = []
        self._before: tuple[str, ...] = ()
        self._at_end: MigrationContext | None = None
        """The context of which all steps have been run."""

    def run(self, purge: bool = False) -> list[Applied] | list[Sql]:
        self._purge = purge
        if self._migrations.dry_run:
            self._migrations.before_commits.append(self._refuse_early_commit)
        terms = {"purge": True} if purge and not self._migrations.dry_run else {}
        with self._stack, told_if_ended(self._left):
            try:
                self._environment.run(self._todo, self._look, destination_rev=self._target, **terms)
                if self._steps:
                    self._environment.refuse_idle()
            except _RolledBack:
                return self._sql
            except DbctlError as error:
                raise explained(error, self._steps, self._migrations, self._before) from error.__cause__
            except BaseException as error:
                vars(error)["left"] = self._left()
                raise
            if self._migrations.dry_run:
                return self._sql
            self._forget_halves()
        applied = [one for steps in self._steps for one in steps.applied]
        if self._stamps and not applied:  # it was there already, or has forgotten where it was
            applied = [Applied(("" if purge else ", ".join(self._before)) or "base", "stamped", 0.0)]
            _log.info("stamp %s stamped: 0.00 s", applied[0].revision)
        if not applied and not self._locked:
            _log.info("nothing to do: the database is at %s", ", ".join(self._before) or "base")
        return applied

    def _left(self) -> str:
        return self._steps[-1].left() if self._steps else ""

    def _look(self, context: MigrationContext) -> None:
        """See whether there is anything to do, without a lock; only then take it, and look again."""
        heads, steps = self._pending(context)
        self._before = self._before or heads
        table = HalfwayTable(self._migrations.engine, context)
        if not steps and not self._stamps and table.read() is None:
            warn_if_gone(context, self._environment.scripts, heads)
            return
        self._lock(context)
        heads, steps = self._pending(context)
        halfway = table.read()
        if halfway and not self._stamps:
            self._refuse(halfway, table, steps)
        if self._migrations.dry_run:
            self._render(context, heads, steps)
            if not self._migrations.backend.transactional_ddl:
                return
            vars(context)["autocommit_block"] = self._refuse_autocommit
        self._have_committed(context)
        self._tables.append(table)
        self._steps.append(Steps(self._migrations, context, table, None if self._stamps else halfway))

    def _pending(self, context: MigrationContext) -> tuple[tuple[str, ...], Sequence[Any]]:
        """Return the revisions that the database has, and the steps from there."""
        heads = heads_of(context, self._environment)
        if not self._purge:
            refuse_unknown(self._environment.scripts, heads)
        return heads, self._compute(self._environment.scripts, () if self._purge else heads)

    def _todo(self, heads: tuple[str, ...], context: MigrationContext) -> Iterator[Any]:
        """Yield the steps, which are looked for once more under the lock."""
        if not self._steps or self._steps[-1].context is not context:
            return
        steps = self._compute(self._environment.scripts, heads)
        if not steps and not self._stamps:
            _log.info("another run has done it meanwhile")
        for number, step in enumerate(steps):
            yield self._steps[-1].prepared(step, number, len(steps))
            self._steps[-1].done()
        self._at_end = context

    def _lock(self, context: MigrationContext) -> None:
        if not self._locked:
            self._stack.enter_context(self._migrations.locked())
            self._locked = True
        connection: Any = context.connection
        if self._migrations.backend.locks_to_write:
            connection.execution_options(**{WRITES: True})
        event.listen(connection, "commit", self._before_commit)
        # Behind a commit in the middle, as an autocommit_block begins with.
        event.listen(connection, "begin", lambda _: self._migrations.supervisor.go_on())

    def _have_committed(self, context: MigrationContext) -> None:
        """Have what the steps do committed also where the env.py begins no transaction around them."""
        run, connection = context.run_migrations, context.connection
        assert connection is not None

        def run_committed(**arguments: Any) -> None:
            begun = connection.in_transaction()
            run(**arguments)
            if not begun and connection.in_transaction():
                connection.commit()

        vars(context)["run_migrations"] = run_committed

    def _before_commit(self, connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return  # that is no COMMIT: an autocommit_block ends so, also where what is in it has failed
        if not self._migrations.dry_run:
            self._migrations.supervisor.before_commit(writes=True)
        elif not self._steps or self._at_end is self._steps[-1].context:
            # Nothing is committed then, and an env.py goes on, as to its next schema; what it sets for that stays set.
            if self._migrations.backend.has_written(connection) is not False:
                connection.engine.dialect.do_rollback(connection.connection)
        else:
            _log.info("the dry run ends in a revision that commits by itself")
            raise _RolledBack

    def _refuse_early_commit(self, connection: Connection) -> None:
        """Refuse a commit of an env.py's own in a dry run, before there are steps: that would not be rolled back."""
        if any(steps.context.connection is connection for steps in self._steps):
            return
        if self._migrations.backend.has_written(connection):
            raise WorkRefused(
                f"a dry run stops here: {self._environment.env} commits by itself what it has written before its"
                " migrations, which no rollback undoes",
                "take --sql, for which nothing is run",
            )

    def _refuse(self, halfway: Halfway, table: HalfwayTable, steps: Sequence[Any]) -> None:
        """Refuse to go on past a revision that is done in part, unless this run is to do the rest of it."""
        name = self._environment.name
        first = steps[0].revision.revision if steps else None
        if self._resume and halfway.direction == name and first == halfway.revision:
            return
        remedy = Remedy.RESUME
        if halfway.direction != name:
            remedy = Remedy.RESUME_UPGRADE if halfway.direction == "upgrade" else Remedy.RESUME_DOWNGRADE
        profile = self._migrations.profile
        raise WorkRefused(f"{profile.called}: {halfway} (kept in table {table.name})", remedy)

    def _refuse_autocommit(self) -> Any:
        raise WorkRefused("a dry run stops here: the revision has an autocommit_block, which no rollback undoes")

    def _render(self, context: MigrationContext, heads: tuple[str, ...], steps: Sequence[Any]) -> None:
        if self._stamps:
            return
        found = rendered(context, heads, steps)
        self._sql += found.sql
        if found.stopped:
            _log.info("the SQL ends before revision %s, which asks the live database", found.stopped)

    def _forget_halves(self) -> None:
        for steps, table in zip(self._steps, self._tables, strict=True):
            if steps.wrote or self._stamps:
                table.remove()
