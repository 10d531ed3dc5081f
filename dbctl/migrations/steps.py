"""The steps of one run, each a revision's: timed, told, and run again where it waited too long for a lock."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dbctl.errors import Remedy
from dbctl.migrations.halfway import Halfway, staying
from dbctl.migrations.results import Applied
from dbctl.migrations.statements import Statements
from dbctl.records import record
from dbctl.work import progress

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.migrations.access import Migrations
    from dbctl.migrations.halfway import HalfwayTable

LOCK_TIMEOUT = "dbctl_lock_timeout"
"""The name by which a revision's script has a limit of its own on what it waits for locks; 0 is none."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
"""Seconds; each pause is twice the one before, and up to a half shorter."""

_SAVEPOINT = "dbctl_revision"

_log = logging.getLogger("dbctl")


@record
class Failure:
    """A revision that failed.

    Attributes:
        step: alembic's step.
        error: What it raised.
        statements: Its statements; the last of them failed, if any did.
        arguments: What the env.py has all revisions be called with.
    """

    step: Any
    error: BaseException
    statements: Statements
    arguments: dict[str, Any]


class Steps:
    """The steps of one run, in one context of alembic's.

    Args:
        migrations: Whose.
        context: alembic's context.
        table: Where it is kept that a revision is done in part.
        halfway: What an earlier run has done of the first step.
    """

    def __init__(
        self,
        migrations: Migrations,
        context: MigrationContext,
        table: HalfwayTable,
        halfway: Halfway | None,
    ) -> None:
        self.applied: list[Applied] = []
        self.failure: Failure | None = None
        self.wrote = halfway is not None
        """Whether the table of what is done in part is there."""
        self._migrations = migrations
        self.context = context
        self.table = table
        self._halfway = halfway
        self._under_way: tuple[Any, Statements] | None = None
        self._is_noted = False
        self._ran: tuple[Any, float] | None = None
        """The step whose script is at its end, and its seconds."""

    def left(self) -> str:
        """Return what no rollback undoes of the revision under way, and what to do then; "" where none is noted."""
        if self._under_way is None or not self._is_noted:
            return ""
        step, statements = self._under_way
        name, _ = revision_of(step)
        stays = staying(statements.lasting)
        return f"half-way in the {_direction(step)} of {name}: {stays}; {Remedy.RUN_THE_REST}"

    def done(self) -> None:
        """Take note that a step is at its end, in alembic's table too, and where it is committed done in whole."""
        self._tell()
        if self._connection.in_transaction():
            return
        self._under_way = None
        if self.wrote:
            self.table.clear()

    def _tell(self) -> None:
        if self._ran is None:
            return
        step, seconds = self._ran
        self._ran = None
        name, description = revision_of(step)
        if any(one.revision == name for one in self.applied):
            return  # a stamp takes each of several heads to the same place
        self.applied.append(Applied(name, description, round(seconds, 3)))
        _log.info("%s %s %s: %.2f s", _direction(step), name, description, seconds)

    def prepared(self, step: Any, number: int, total: int) -> Any:
        """Return a step of alembic's that is run as those here are."""
        run = step.migration_fn

        def run_here(**arguments: Any) -> None:
            self._migrations.supervisor.pause(0)
            if guard := self._migrations.supervisor.guard:
                guard()
            name, description = revision_of(step)
            progress.report(number, total, "revisions", f"{name} {description}")
            began = time.monotonic()
            self._run(step, run, arguments)
            self._migrations.supervisor.pause(0)
            self._ran = (step, time.monotonic() - began)

        step.migration_fn = run_here
        return step

    def _run(self, step: Any, run: Callable[..., None], arguments: dict[str, Any]) -> None:
        earlier, self._halfway = self._halfway, None
        done, digest = (earlier.done, earlier.digest) if earlier else (0, "")
        statements = Statements(self._migrations.backend, done, digest, lambda some: self._write(step, some))
        self._under_way, self._is_noted = (step, statements), earlier is not None
        if not earlier and not self._migrations.backend.transactional_ddl and not self._migrations.dry_run:
            statements.begins = lambda: self._write(step, statements)
        for attempt in range(self._migrations.retries + 1):
            try:
                self._attempt(step, run, arguments, statements)
            except Exception as error:
                if attempt == self._migrations.retries or not self._may_run_again(error, statements):
                    self.failure = Failure(step, error, statements, arguments)
                    raise
                self._pause(step, attempt)
                statements.begin_again()
            except SystemExit as end:
                self.failure = Failure(step, end, statements, arguments)
                raise
            else:
                return

    def _attempt(self, step: Any, run: Callable[..., None], arguments: dict[str, Any], statements: Statements) -> None:
        connection = self._connection
        backend, usual = self._migrations.backend, self._migrations.profile.lock_timeout
        own = getattr(getattr(step, "revision", None), "module", None)
        limit = getattr(own, LOCK_TIMEOUT, usual)
        if self._rolls_back:
            connection.exec_driver_sql(f"SAVEPOINT {_SAVEPOINT}")
        begun = connection.get_transaction()
        if limit is not None:
            backend.limit_lock_waits(connection, limit)
        with statements.noted(connection):
            run(**arguments)
        if limit != usual:
            backend.limit_lock_waits(connection, usual)
        if self._rolls_back and connection.get_transaction() is begun:  # else it has ended with that transaction
            connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")

    def _may_run_again(self, error: Exception, statements: Statements) -> bool:
        """Tell whether a revision can be run again; where DDL commits by itself, only what follows that."""
        backend: Backend = self._migrations.backend
        if not backend.is_lock_timeout(error):
            return False
        if self._rolls_back and statements.lasting:
            return False  # what has been committed was the savepoint's end too
        self._connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}" if self._rolls_back else "ROLLBACK")
        return True

    def _pause(self, step: Any, attempt: int) -> None:
        pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1)
        _log.info(
            "revision %s did not get a lock in time, which others hold, and is rolled back; retry %d of %d in %.1f s",
            revision_of(step)[0],
            attempt + 1,
            self._migrations.retries,
            pause,
        )
        self._migrations.supervisor.pause(pause)

    def _write(self, step: Any, statements: Statements) -> None:
        self.wrote = self._is_noted = True
        self.table.write(Halfway(revision_of(step)[0], _direction(step), statements.lasting, statements.digest))

    @property
    def _connection(self) -> Connection:
        connection = self.context.connection
        assert connection is not None
        return connection

    @property
    def _rolls_back(self) -> bool:
        return bool(self.context.impl.transactional_ddl)


def revision_of(step: Any) -> tuple[str, str]:
    """Return a step's revision, or where a stamp leads, and what its script says it is."""
    script = getattr(step, "revision", None)
    if script is None:
        return ", ".join(step.to_revisions) or "base", "stamped"
    return str(script.revision), " ".join((script.doc or "").split())


def _direction(step: Any) -> str:
    if getattr(step, "revision", None) is None:
        return "stamp"
    return "upgrade" if step.is_upgrade else "downgrade"
