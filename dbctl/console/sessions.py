"""The one session of a console: begun by its first statement, committed only when that is said, usable after errors."""

from __future__ import annotations

import logging
import signal
import threading
import time
from asyncio import Runner
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import Session

from dbctl.backends.errors import refused_by_sqlalchemy
from dbctl.connections.connector import async_opened
from dbctl.connections.watching import current_watcher, end_with_tasks
from dbctl.console.ledger import Ledger
from dbctl.errors import ConnectError, Contention, DbctlError, OutOfTime
from dbctl.work.commits import Ending
from dbctl.work.supervision import Supervisor

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sqlalchemy import Connection, Engine

    from dbctl.backends.base import Backend
    from dbctl.connections.connector import Connector
    from dbctl.profiles import Profile

_TO_WAIT = 0.5
"""Seconds for which tasks that are cancelled are waited for when the console ends."""

_log = logging.getLogger("dbctl")


class CountedSession(Session):
    """A session that knows what its transaction has written, and whose COMMIT is that of a unit of work."""

    ledger: Ledger
    backend: Backend
    supervisor: Supervisor
    writes: bool
    may_commit: Callable[[], None] = staticmethod(lambda: None)
    """Raises where the lock is lost under which it commits."""
    _concluding = False

    def commit(self) -> None:
        """Load what is missing, commit, and say what that has kept; the objects stay in the session.

        Raises:
            DbctlError: It can't be committed, and all is rolled back; or nobody knows what became of it.
        """
        kept = ""

        def before_commit() -> None:
            nonlocal kept
            self.may_commit()
            kept = self.ledger.told()
            self.supervisor.before_commit(writes=self.writes)

        self._concluding = True
        try:
            ending = Ending(self, self.backend, strict=True, writes=self.writes, before_commit=before_commit)
            ending.by = super().commit
            ending.keep()
        finally:
            self._concluding = False
            self.supervisor.pause(0)
        if kept:
            _log.info("committed: %s", kept)

    def rollback(self) -> None:
        """Roll back, and say what that has undone."""
        undone = self.ledger.told()
        super().rollback()
        if undone and not self._concluding:
            _log.info("rolled back: %s", undone)


class Desk:
    """What a console works on.

    Args:
        session: Its session, by the sync driver or by the async one.
        engine: The engine of that.
        backend: What differs between databases.
        read_only: Whether the database refuses to write.
        runner: Runs what is awaited; None where nothing is.
    """

    def __init__(
        self, session: Any, engine: Any, backend: Backend, *, read_only: bool, runner: Runner | None = None
    ) -> None:
        self.session, self.engine, self.backend, self.read_only = session, engine, backend, read_only
        self.runner = runner
        self.last = time.monotonic()
        """When something was run last, in seconds of the monotonic clock."""
        self.turn = threading.RLock()
        """Held by whoever uses the session."""
        self._supervisor = Supervisor()
        sync_engine = getattr(engine, "sync_engine", engine)
        self._sync: CountedSession = getattr(session, "sync_session", session)
        self.ledger = Ledger(self._sync, sync_engine, backend, read_only=read_only)
        self._sync.ledger, self._sync.backend, self._sync.writes = self.ledger, backend, not read_only
        self._sync.supervisor = self._supervisor
        if (around := current_watcher()) is not None:
            self._sync.may_commit = around.check_commit
        _begin_strictly(self._sync, sync_engine, backend, read_only)
        _hear_commits(self._sync)

    @property
    def profile(self) -> Profile:
        """Where it is connected to."""
        return self.backend.profile

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run a person's own code in the block, in the main thread: a signal ends what the server runs for it.

        Raises:
            DbctlError: What the driver raised, translated; whatever else the block raises passes through.
        """
        with self.turn:
            self.ledger.unfinished = False
            try:
                signals = (signal.SIGINT, signal.SIGTERM)
                with _heard_here(), self._supervisor.within(None, signals), self.backend.translating():
                    yield
            finally:
                self.last = time.monotonic()

    def awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what a coroutine returns; an interrupt cancels it."""
        assert self.runner is not None, "only an async console has any"
        return self.runner.run(coroutine)

    def on_session(self, work: Callable[[Any], Any]) -> Any:
        """Call a function with the session as a sync one, and return what that returns."""
        if self.runner is None:
            return work(self._sync)
        return self.awaited(self.session.run_sync(work))

    def settled(self, error: BaseException) -> DbctlError | None:
        """Return dbctl's error for what was raised by code that was run, and roll back where that needs it.

        None is for Python's own error. An error of the database's, or an interrupt, ends the transaction where it came
        from a statement in it; what that has undone is told, by the error where there is one.
        """
        known = error if isinstance(error, DbctlError) else refused_by_sqlalchemy(error)
        fatal = isinstance(error, ConnectError | OutOfTime | Contention) or isinstance(error.__cause__, DBAPIError)
        if self.ledger.unfinished or not self._sync.is_active or (known is not None and fatal):
            undone = self._rolled_back()
            if undone and known is not None:
                known.message += f"; rolled back: {undone}"
            elif undone:
                _log.warning("rolled back: %s", undone)
        return known

    def roll_back(self) -> None:
        """Roll back what is not committed, and say what that has undone."""
        if undone := self._rolled_back():
            _log.warning("rolled back: %s", undone)

    def _rolled_back(self) -> str:
        """Roll back, and return what that has undone."""
        with self.turn:
            undone = self.ledger.told()
            self.on_session(_discard)
            self.ledger.unfinished = False
        return undone

    def close(self) -> None:
        """Roll back what is not committed, and say what was."""
        with self.turn:
            lost = self.ledger.told()
            if self.runner is not None:
                self.awaited(_cancelled())
            self.on_session(_discard)
            self.on_session(lambda session: session.close())
        if lost:
            _log.warning("rolled back at the end: %s; commit() would have kept it", lost)


@contextmanager
def opened_on(connector: Connector[Engine], *, read_only: bool, by_loop: bool = False) -> Iterator[Desk]:
    """Have a console's session for the block, which is rolled back at its end.

    Args:
        connector: Where to connect, on the first statement.
        read_only: Whether the database is to refuse to write.
        by_loop: Whether the session is for asyncio, by the async driver.

    Raises:
        ConfigError: The extra `async` is not installed, and needed.
    """
    with ExitStack() as held:
        if by_loop:
            runner = held.enter_context(Runner())
            opening = async_opened(connector.profile)
            by_async = runner.run(opening.__aenter__())
            held.callback(lambda: runner.run(opening.__aexit__(None, None, None)))
            end_with_tasks(by_async.sync_engine, by_async.backend)
            session: Any = _async_session(by_async.engine)
            desk = Desk(session, by_async.engine, by_async.backend, read_only=read_only, runner=runner)
        else:
            session = CountedSession(connector.engine, expire_on_commit=False)
            desk = Desk(session, connector.engine, connector.backend, read_only=read_only)
        held.callback(desk.close)
        yield desk


def _async_session(engine: Any) -> Any:
    from sqlmodel.ext.asyncio.session import AsyncSession  # which can't be imported without the extra `async`

    return AsyncSession(engine, expire_on_commit=False, sync_session_class=CountedSession)


def _begin_strictly(session: Session, engine: Engine, backend: Backend, read_only: bool) -> None:
    """Have the database refuse to write, on whichever connection of the engine; or watch for this process's end."""
    if read_only:

        @event.listens_for(engine, "begin")
        def begin_reading(connection: Connection) -> None:
            backend.keep_from_writing(connection)
            backend.begin_strictly(connection, writes=False)
    else:

        @event.listens_for(session, "after_begin")
        def begin(_session: Session, transaction: Any, connection: Connection) -> None:
            if transaction.nested:
                return
            backend.begin_strictly(connection, writes=True)


def _hear_commits(session: CountedSession) -> None:
    """Ask for the lock, and tell what is kept, also where a block such as `with session.begin()` commits at its end."""

    def is_by_block() -> bool:
        return not session._concluding and not session.in_nested_transaction()

    @event.listens_for(session, "before_commit")
    def ask(_session: Session) -> None:
        if is_by_block():
            session.may_commit()

    @event.listens_for(session, "after_commit")
    def tell(_session: Session) -> None:
        if is_by_block() and (kept := session.ledger.told()):
            _log.info("committed: %s", kept)


@contextmanager
def _heard_here() -> Iterator[None]:
    """Let signals wake who waits for them in the block, and not the event loop of a prompt, which is not running."""
    import asyncio

    if asyncio._get_running_loop() is not None:
        yield
        return
    before = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


def _discard(session: CountedSession) -> None:
    """Roll back without a word; where there is no connection to do that on, let it go: the server does it by itself."""
    try:
        Session.rollback(session)
    except (SQLAlchemyError, DbctlError):
        session.invalidate()


async def _cancelled() -> None:
    """Cancel what a signal has left in the loop, or what was begun and never awaited."""
    import asyncio

    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_TO_WAIT)
