"""Everything that a service's database needs before the service starts: there, migrated, and with what it begins with.

It may be run again, and by many at once: who comes second finds it done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Any, cast

from dbctl.backends.base import Missing
from dbctl.connections.watching import told_if_ended
from dbctl.databases import changes
from dbctl.databases.places import is_there
from dbctl.errors import CheckFailed, DbctlError, Remedy, WorkRefused
from dbctl.migrations.access import RETRIES, Migrations, require_alembic
from dbctl.migrations.location import located
from dbctl.probe import when_up
from dbctl.records import record
from dbctl.work.supervision import Supervisor

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from dbctl.profiles import Profile
    from dbctl.work.database import Database

_log = logging.getLogger("dbctl")

LOCK = "setup"
"""The name of the lock under which a database is set up: two seeds at once would both find that a row is missing."""

LOCK_WAIT = 600.0
"""Seconds for which another run is waited for, where the profile says nothing else."""


@record
class Step:
    """A step, what came of it, and how many seconds it took."""

    step: str
    state: str
    seconds: float


def _no_functions(target: str) -> Callable[[], object]:
    raise WorkRefused(f"{target}: nobody here calls a service's own functions", "give what does")


@record
class Undertaking:
    """A database that is to be set up.

    Args:
        profile: Its profile.
        supervisor: Who may end the work, and is asked before each commit.
        function: Finds a service's own function by `package.module:function`, and returns what calls it.
        dry_run: Whether it is only told what would be done.
    """

    profile: Profile
    supervisor: Supervisor = field(default_factory=Supervisor)
    function: Callable[[str], Callable[[], object]] = _no_functions
    dry_run: bool = False


def set_up(
    undertaking: Undertaking, *, wait: float = 0.0, seed: bool = True, maintenance: Sequence[str] = ()
) -> list[Step]:
    """Wait for the server, create the database, migrate it or create its tables, and call the profile's seed.

    Args:
        undertaking: The database.
        wait: For how many seconds the server is waited for.
        seed: Whether the profile's seed is called, which is each time: it is to be idempotent.
        maintenance: The databases by which the server is reached where the database is not there.

    Raises:
        OutOfTime: The server is not there in time.
        LockHeld: Another run has been at it for too long.
        DbctlError: A step failed; `left` says which were done before it.
    """
    return _of(undertaking, seed=seed).run(wait, maintenance)


def reset(
    undertaking: Undertaking, *, force: bool = False, seed: bool = True, maintenance: Sequence[str] = ()
) -> list[Step]:
    """Drop the database, and set it up anew; what would fail for the service's own code fails before that.

    Args:
        undertaking: The database.
        force: Whether other sessions on it are ended.
        seed: Whether the profile's seed is called.
        maintenance: The databases by which the server is reached.

    Raises:
        WorkRefused: Others are connected to it.
        DbctlError: A step failed; `left` says which were done before it.
    """
    setup = _of(undertaking, seed=seed)
    return setup.run(0.0, maintenance, before=lambda: setup.drop(maintenance, force=force))


class _Setup:
    """The steps, and what they have done by now; all that is the service's own is found before the first of them."""

    def __init__(self, undertaking: Undertaking, *, seed: bool) -> None:
        self._profile = undertaking.profile
        self._supervisor = undertaking.supervisor
        self._steps: list[Step] = []
        target = self._profile.seed if seed else None
        self._seed = (target, undertaking.function(target)) if target is not None else None
        self._migrated = located(self._profile) is not None
        self._metadata: Sequence[MetaData] = ()
        if self._migrated:
            require_alembic()
        else:
            from dbctl.tables.models import metadata_for

            self._metadata = metadata_for(self._profile, None, None, None)

    def run(self, wait: float, maintenance: Sequence[str], before: Callable[[], None] = lambda: None) -> list[Step]:
        with told_if_ended(self._left):
            try:
                if wait:
                    when_up(self._profile, wait, lambda profile: is_there(profile, maintenance))
                before()
                with self._step("database") as done:
                    done(self._create(maintenance))
                with self._locked():
                    with self._step("migrations" if self._migrated else "tables") as done:
                        done(self._migrate() if self._migrated else self._init())
                    if self._seed:
                        with self._step("seed") as done:
                            self._call_seed(*self._seed)
                            done(f"{self._seed[0]} called")
            except BaseException as error:
                vars(error)["left"] = "; ".join(filter(None, [self._left(), getattr(error, "left", "")]))
                raise
        return self._steps

    def drop(self, maintenance: Sequence[str], *, force: bool) -> None:
        with self._step("database") as done:
            done(changes.drop(self._profile, maintenance, force=force).state)

    def _create(self, maintenance: Sequence[str]) -> str:
        return changes.create(self._profile, maintenance=maintenance, sleep=self._supervisor.pause).state

    def _left(self) -> str:
        done = ", ".join(f"{step.step}: {step.state}" for step in self._steps)
        return f"done before that: {done}" if done else ""

    @contextmanager
    def _step(self, name: str) -> Iterator[Callable[[str], None]]:
        self._supervisor.pause(0)  # a COMMIT of the step before is over
        began = time.monotonic()
        states: list[str] = []
        yield states.append
        self._steps.append(Step(name, states[0], round(time.monotonic() - began, 3)))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other runs out for the block, where a lock can be had."""
        from dbctl.work.locks import advisory_lock

        profile = self._profile
        wait = profile.lock_wait if "lock_wait" in profile.origins else LOCK_WAIT
        with ExitStack() as stack:
            try:
                if profile.lock != LOCK:  # which the steps take themselves
                    stack.enter_context(advisory_lock(LOCK, profile, wait=wait, sleep=self._supervisor.pause))
            except WorkRefused as error:
                _log.warning("%s; what is done is done without one", error.message)
            yield

    def _migrate(self) -> str:
        migrations = Migrations(self._profile, Missing.CREATE, False, RETRIES, self._supervisor)
        with migrations, migrations.backend.translating():
            applied = self._upgraded(migrations)
        return f"{len(applied)} applied" if applied else "nothing to do"

    def _upgraded(self, migrations: Migrations) -> Sequence[Any]:
        from dbctl.migrations.changes import upgrade

        try:
            return upgrade(migrations, "heads")
        except DbctlError as error:
            if error.hint is Remedy.RESUME:  # which is not this command's
                error.hint = Remedy.RESUME_UPGRADE
            raise

    def _init(self) -> str:
        from dbctl.connections.connector import opened
        from dbctl.tables.changes import create_missing
        from dbctl.work.runs import perform
        from dbctl.work.terms import Terms

        with opened(self._profile) as connector:
            states = perform(
                connector, lambda database: create_missing(database, self._metadata), Terms(), self._supervisor
            )
        return _counted([one.state for one in states])

    def _call_seed(self, target: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except DbctlError as error:
            error.message = f"seed {target}: {error.message}"
            raise


class _Rehearsal(_Setup):
    """The same steps, of which none is done: each tells what would become of it."""

    _is_new = False
    """Whether the database would be an empty one, in which there is nothing to look for."""

    def drop(self, maintenance: Sequence[str], *, force: bool) -> None:
        with self._step("database") as done:
            done(changes.drop(self._profile, maintenance, force=force, dry_run=True).state)
        self._is_new = True

    def _create(self, maintenance: Sequence[str]) -> str:
        if not self._is_new:
            self._is_new = not is_there(self._profile, maintenance)
        return "created" if self._is_new else "exists"

    def _left(self) -> str:
        return ""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        yield

    def _migrate(self) -> str:
        from dbctl.migrations.states import pending

        with Migrations(self._profile, supervisor=self._supervisor) as migrations, migrations.backend.translating():
            found = pending(migrations, in_empty=self._is_new)
        return f"{len(found)} applied" if found else "nothing to do"

    def _init(self) -> str:
        from dbctl.connections.connector import opened
        from dbctl.tables.catalog import in_order
        from dbctl.tables.changes import TableState, check_tables
        from dbctl.work.runs import perform
        from dbctl.work.terms import Terms

        def states(database: Database) -> list[TableState]:
            try:
                return check_tables(database, self._metadata)
            except CheckFailed as lacking:
                return cast("list[TableState]", lacking.result)

        if self._is_new:
            return _counted(["created" for metadata in self._metadata for _ in in_order(metadata)])
        with opened(self._profile) as connector:
            found = perform(connector, states, Terms(writes=False), self._supervisor)
        return _counted([one.state.replace("missing", "created") for one in found])

    def _call_seed(self, target: str, call: Callable[[], Any]) -> None:
        """Leave it: what it begins with may be what is not there yet."""


def _of(undertaking: Undertaking, *, seed: bool) -> _Setup:
    return (_Rehearsal if undertaking.dry_run else _Setup)(undertaking, seed=seed)


def _counted(states: Sequence[str]) -> str:
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
