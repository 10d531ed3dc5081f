"""What migrations are run by: a profile, its engines, and whoever may end them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.errors import ConfigError, LockHeld, Remedy, WorkRefused
from dbctl.profiles import Profile
from dbctl.records import record
from dbctl.runtime.distribution import how_to_install, missing_module
from dbctl.work.supervision import Supervisor

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from dbctl.backends.base import Backend

LOCK = "migrate"
"""The name of the lock that a run holds which changes a schema."""

LOCK_WAIT = 600.0
"""Seconds for which another run is waited for, where the profile says nothing else: a backfill takes its time."""

RETRIES = 3


def require_alembic() -> None:
    """Do nothing where alembic is installed.

    Raises:
        ConfigError: It is not.
    """
    try:
        import_module("alembic.config")
    except ImportError as error:
        message = f"{missing_module(error, 'alembic')} is not installed"
        raise ConfigError(message, how_to_install("migrate")) from error


@record
class Migrations:
    """Migrations of one profile's database; a block, after which its engines are closed.

    Nothing is connected, and no password asked for, before that is needed.

    Args:
        profile: The profile.
        missing: What connecting does where the database is a file that is not there.
        dry_run: Roll back at the end also where all went well.
        retries: How often a revision may be run again that waited too long for a lock.
        supervisor: Who may end the work, and is asked before each commit.
        has_lock: Whether a lock keeps other runs out; else whoever starts this one does.
    """

    profile: Profile
    missing: Missing = Missing.REFUSE
    dry_run: bool = False
    retries: int = RETRIES
    supervisor: Supervisor = field(default_factory=Supervisor)
    has_lock: bool = field(default=True, kw_only=True)

    dialects: list[Any] = field(default_factory=list, init=False)
    """Those of the engines made here, each of which is its engine's alone."""
    before_commits: list[Callable[[Connection], None]] = field(default_factory=list, init=False)
    """What is called before a commit on any of those engines."""

    def __enter__(self) -> Migrations:
        return self

    def __exit__(self, *_: object) -> None:
        if "engine" in vars(self):
            self.engine.dispose()

    @cached_property
    def backend(self) -> Backend:
        """What differs between databases, bound to the profile."""
        return backend_of(self.profile)

    @cached_property
    def engine(self) -> Engine:
        """The profile's engine."""
        from dbctl.connections.engines import engine_on

        engine = engine_on(self.backend, self.missing)
        self._prepare(engine)
        return engine

    def async_engine(self) -> AsyncEngine:
        """Return a new engine of the profile by its async driver, for the event loop that is about to use it."""
        from dbctl.connections.engines import async_engine_on
        from dbctl.connections.watching import tell_watchers_of_tasks

        engine = async_engine_on(self.backend, self.missing)
        self._prepare(engine.sync_engine)
        tell_watchers_of_tasks(engine.sync_engine, self.backend)
        return engine

    def _prepare(self, engine: Engine) -> None:
        from sqlalchemy import event

        def committing(connection: Connection) -> None:
            for call in self.before_commits:
                call(connection)

        self.backend.prepare_migrations(engine)
        self.dialects.append(engine.dialect)
        event.listen(engine, "commit", committing)

    @property
    def lock_wait(self) -> float:
        """For how many seconds another run is waited for."""
        return self.profile.lock_wait if "lock_wait" in self.profile.origins else LOCK_WAIT

    def is_under_way(self) -> bool:
        """Tell whether another run holds the lock."""
        from dbctl.work.locks import advisory_lock

        try:
            with advisory_lock(LOCK, self.profile):
                return False
        except LockHeld:
            return True
        except WorkRefused:
            return False  # no lock can be had here, so that nobody holds it

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other run out for the block, on all machines; what is committed is committed under the lock.

        Nobody else is there where the database is in memory, nor where it is not there yet, and is only looked at.

        Raises:
            LockHeld: Another run has held it for too long.
            WorkRefused: None can be had here that would exclude anybody.
        """
        from dbctl.work.locks import advisory_lock

        alone = not self.has_lock or self.profile.in_memory or self.missing is Missing.PRETEND
        names = [] if alone else [LOCK, self.profile.lock]
        pause = self.supervisor.pause
        with ExitStack() as stack:
            try:
                held = [
                    stack.enter_context(advisory_lock(name, self.profile, wait=self.lock_wait, sleep=pause))
                    for name in dict.fromkeys(names)
                    if name is not None
                ]
            except WorkRefused as error:
                told = "; ".join(filter(None, [error.message, error.hint]))
                raise WorkRefused(told, Remedy.NO_LOCK) from error

            def check() -> None:
                for one in held:
                    one.check()

            self.supervisor.guard = check
            try:
                yield
            finally:
                self.supervisor.guard = None
