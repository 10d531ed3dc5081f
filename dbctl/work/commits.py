"""How a unit of work ends: the one implementation behind the sync and the async form.

It is committed only where all of it is sound, and what is said of it afterwards is true: a connection that is lost
during COMMIT leaves it open whether the server still did it, so the server is asked, where it can be.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.exc import InvalidRequestError, PendingRollbackError
from sqlalchemy.util import await_only

from dbctl.connections.aborted import doom_of
from dbctl.connections.response_timeouts import answering, cut_after
from dbctl.errors import ConnectError, DbctlError, OutcomeUnknown, WorkRefused
from dbctl.runtime.deadlines import connect_until
from dbctl.work.forks import refuse_parents

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlmodel import Session

    from dbctl.backends.base import Backend
    from dbctl.work.deadlines import Deadline
    from dbctl.work.own_commits import OwnCommits

_PAUSE = 0.1
"""Seconds between two questions what became of a COMMIT."""

_AFTER_SILENCE = 1.0
"""Seconds for which a server is asked that was silent to the COMMIT itself."""

_GRACE = 0.3
"""Seconds that a server has beyond the deadline to answer a COMMIT: not to know what became of it is worse."""

_STAYS = "what the work has committed by itself stays"

_log = logging.getLogger("dbctl")


@dataclass
class Ending:
    """The end of one unit of work.

    Args:
        session: The unit's session.
        backend: The backend of its database.
        dry_run: Whether it is rolled back also where all went well.
        strict: Whether to ask for the transaction's id before COMMIT, by which its outcome can be asked for after it.
        writes: Whether the unit means to write; a strict one that does not can't.
        before_commit: Called when all is ready to be committed; what it raises rolls all back.
        deadline: By when the COMMIT has to be answered, or the connection is cut.
        commits: What hears of the unit's own commits.
        by: What commits the session; its own method unless given.
    """

    session: Session
    backend: Backend
    dry_run: bool = False
    strict: bool = False
    writes: bool = True
    before_commit: Callable[[], None] | None = None
    deadline: Deadline | None = None
    commits: OwnCommits | None = None
    by: Callable[[], None] | None = None
    _awaited_standby: bool = field(default=False, init=False)
    """Whether the COMMIT was seen to wait for a synchronous standby."""
    _committing: bool = field(default=False, init=False)
    """Whether it is this that commits, and not the unit's own block."""
    _was_committed: bool = field(default=False, init=False)
    """Whether the unit's own block has committed."""

    def hear_commit(self) -> None:
        """Hear that the session is about to commit.

        Raises:
            WorkRefused: The unit's own block does, in a dry run.
        """
        if self._committing or self.commits is not None:
            return
        if self.dry_run:
            raise WorkRefused(
                "the work commits by itself, which is refused in a dry run; all of it is rolled back",
                "leave the commit to dbctl, which makes it at the end",
            )
        self._was_committed = True

    def conclude(self) -> None:
        """Load what is missing, commit, and close; in a dry run, roll back.

        Raises:
            OutOfTime: The COMMIT was not answered by the deadline, and all is rolled back.
            OutcomeUnknown: The connection was lost during COMMIT, and the server can't be asked.
        """
        if not self.dry_run:
            self.keep()
            self.session.close()
            return
        refuse_parents(self.session)
        self._refuse_doomed()
        _complete(self.session)
        if self.backend.check_deferred:
            self.session.connection().exec_driver_sql(self.backend.check_deferred)
        self.session.expunge_all()  # a rollback would empty the objects, which are to be shown
        self.session.close()

    def keep(self) -> None:
        """Load what is missing and commit; the session stays open, with its objects.

        Raises:
            OutOfTime: The COMMIT was not answered by the deadline, and all is rolled back.
            OutcomeUnknown: The connection was lost during COMMIT, and the server can't be asked.
        """
        refuse_parents(self.session)
        begun = self._refuse_doomed()
        _complete(self.session)
        self._commit(begun or (self.session.connection() if self.session.in_transaction() else None))

    def abandon(self, error: BaseException) -> DbctlError | None:
        """Roll back, and return dbctl's error for this one, or None where it is none of the database's."""
        translated = self.backend.translate(error)
        if type(translated) is WorkRefused:
            translated = self._doom() or translated
        try:
            own = translated is None and isinstance(error, Exception) and not isinstance(error, DbctlError)
            if self.commits is not None and own and self.session.in_transaction():
                self.commits.recall(self.session.connection(), self.backend)
            if self.commits is not None and self.commits.places:
                self.session.close()  # its transaction may be another's by now: SQLAlchemy would warn of that
            else:
                self.session.rollback()
        except Exception as failure:
            # Without a connection there is nothing to roll back with: the server does it by itself.
            error.add_note(f"the rollback failed too: {failure}")
        told = translated or error
        if self._was_committed and isinstance(told, DbctlError):
            told.left, told.heals = _STAYS, False  # a further run would do it twice
        return translated

    def _doom(self) -> DbctlError | None:
        """Return the error that had doomed the transaction, of which what the server refuses later is a consequence."""
        try:
            return doom_of(self.session.connection(), self.backend)
        except InvalidRequestError:
            return None  # the session has let the transaction go already

    def _refuse_doomed(self) -> Connection | None:
        """Commit nothing after an error that ended the transaction, which the unit may have caught and passed over.

        Returns the connection that is in a transaction, if one has begun.

        PostgreSQL answers the COMMIT of such a transaction with a ROLLBACK and no error, and so does Galera after a
        deadlock; after a lock timeout MySQL would commit all but the one statement. SQLAlchemy may not have seen the
        error, as where it was a raw cursor's, and SQLite have no transaction any more.
        """
        if not self.session.in_transaction():
            return None
        connection = self.session.connection()
        if error := doom_of(connection, self.backend):
            raise error
        if self.commits is not None:
            self.commits.look(connection, self.backend)
        if self.backend.has_ended(connection):
            raise PendingRollbackError("the transaction has ended")
        return connection

    def _commit(self, connection: Connection | None) -> None:
        transaction_id = None
        if self.strict and not self.writes:
            transaction_id = ""
        elif self.strict and connection is not None:
            transaction_id = self.backend.transaction_id(connection)
        if self.before_commit:
            self.before_commit()
        began = time.monotonic()
        own = None if connection is None else (connection.connection.driver_connection, connection.info)
        try:
            self._committing = True
            with self._in_time(connection):
                (self.by or self.session.commit)()
            if own is not None and self.backend.gave_up_standby(*own):
                raise self._not_replicated("the wait for it was ended")
        except Exception as error:
            failure = self.backend.translate(error, committing=True)
            if not isinstance(failure, ConnectError):
                if failure is None:
                    raise
                raise failure from error
            failure.__cause__ = error
            self._settle(failure, transaction_id, time.monotonic() - began)

    def _in_time(self, connection: Connection | None) -> AbstractContextManager[None]:
        """Return what cuts the connection where a COMMIT in the block is not answered by the deadline."""
        if self.deadline is None or connection is None:
            return nullcontext()
        return cut_after(self.backend, connection.connection.dbapi_connection, self.deadline.left + _GRACE)

    def _settle(self, failure: ConnectError, transaction_id: str | None, seconds: float) -> None:
        """Return where a COMMIT without an answer, which took so many seconds to fail, is found to be done.

        Raises:
            ConnectError: All is rolled back.
            OutOfTime: All is rolled back, and the deadline is over.
            OutcomeUnknown: Nobody can tell.
        """
        engine: Engine = self.session.get_bind()  # type: ignore[assignment]  # a unit's session is bound to its engine
        self.session.expunge_all()  # a session whose COMMIT failed would empty the objects
        self.session.invalidate()
        lost = f"the connection was lost during COMMIT: {failure.message}"
        if transaction_id == "":
            raise self._rolled_back(f"{lost}; nothing was to be written") from failure.__cause__
        committed = None
        if transaction_id is not None:
            committed = self._ask(engine, transaction_id, self._time_to_ask(seconds))
        if committed is None:
            raise OutcomeUnknown(
                f"the outcome is unknown, the work may or may not be there: {lost}",
                "look before you run it again",
            ) from failure.__cause__
        if committed and self._awaited_standby:
            raise self._not_replicated(f"the COMMIT waited for it, and {lost}") from failure.__cause__
        if not committed:
            raise self._rolled_back(f"{lost}; the server says that all was rolled back") from failure.__cause__
        _log.info("%s; the server says that it is committed", lost)

    def _not_replicated(self, why: str) -> OutcomeUnknown:
        """Return the error for what is committed on its server, where a synchronous standby did not say that it is."""
        return OutcomeUnknown(
            f"committed on this server, and not known to be on its synchronous standby: {why}",
            "don't run it again; a fail-over to the standby may lose it: dbctl topology shows who is there",
        )

    def _rolled_back(self, message: str) -> DbctlError:
        """Return the error of a unit of which it is known that nothing of it is committed."""
        if self.deadline is not None and not self.deadline.left:
            return self.deadline.error()
        return ConnectError(message, "COMMIT", "run it again")

    def _time_to_ask(self, seconds: float) -> float:
        """Return for how many seconds to ask what became of a COMMIT that took so many to fail."""
        limit = self.backend.profile.connect_timeout
        if seconds > (self.backend.profile.statement_timeout or limit):
            return _AFTER_SILENCE
        return limit if self.deadline is None else min(limit, max(_AFTER_SILENCE, self.deadline.left))

    def _ask(self, engine: Engine, transaction_id: str, seconds: float) -> bool | None:
        """Ask on new connections, for so many seconds, whether the transaction is committed; None if nobody tells.

        COMMIT may be under way, or still on its way. When half of the time is over, that is ended.
        """
        end = time.monotonic() + seconds
        while True:
            left = max(_PAUSE, end - time.monotonic())
            connect_until(time.monotonic() + left)
            try:
                with (
                    self.backend.translating(),
                    engine.connect() as connection,
                    answering(self.backend, connection.connection.dbapi_connection, left),
                ):
                    self._awaited_standby |= self.backend.awaits_standby(connection, transaction_id)
                    committed = self.backend.committed(connection, transaction_id, insist=left < seconds / 2)
                    connection.rollback()  # in the bound
            except DbctlError as error:
                _log.debug("asked in vain what became of transaction %s: %s", transaction_id, error)
                committed = None
            finally:
                connect_until(0.0)  # where an idle connection was asked, the time is left for no other connect
            if committed is not None or time.monotonic() + _PAUSE > end:
                return committed
            _sleep(engine, _PAUSE)


def _sleep(engine: Engine, seconds: float) -> None:
    if engine.dialect.is_async:
        import asyncio

        await_only(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


def _complete(session: Session) -> None:
    """Flush, and load whatever the database made of it that is not loaded yet."""
    session.flush()
    for loaded in list(session.identity_map.values()):
        if expired := inspect(loaded).expired_attributes:
            try:
                session.refresh(loaded, expired)
            except InvalidRequestError:
                continue  # its row is gone by a statement of the unit's own: there is nothing to load
