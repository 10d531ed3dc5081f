"""Ending what sessions run, or the sessions: chosen by their numbers, or by a rule."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from dbctl.activity.tree import placed
from dbctl.backends.sessions import IN_TRANSACTION, SessionThere, State
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import NotFound, Remedy, WorkRefused
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.backends.sessions import SessionsThere
    from dbctl.work.database import Database

_log = logging.getLogger(__name__)

_TO_GO = 5.0
"""Seconds for which is looked whether what was ended is gone."""

_BETWEEN = 0.1
"""Seconds between two looks."""

_TO_SETTLE = 0.2
"""Seconds after which is looked whom a session still blocks whose statement was cancelled: MySQL tells that late."""

_SHOWN = 100
"""Characters of a statement that is named before it is ended."""


@record
class Ended:
    """A session that was ended, or whose statement was.

    `gone` tells whether that is seen to be over, `blocks` how many sessions wait for it still, directly or not;
    the state and its seconds are those from before.
    """

    session: int | str
    action: str
    gone: bool | None
    blocks: int
    state: str
    seconds: float | None
    user: str | None
    database: str | None = field(metadata={"table": False})
    application: str | None
    client: str | None
    statement: str | None = field(metadata={"across": "cut"})


@record
class Rule:
    """Which sessions of the profile's database are chosen, of those that are none of a superuser's.

    Args:
        idle_in_transaction: Those that hold a transaction and have done nothing for so many seconds.
        blocking: Those that keep others waiting, and wait for nobody themselves.
        superusers: Whether also a superuser's.
    """

    idle_in_transaction: float | None = None
    blocking: bool = False
    superusers: bool = False

    def chooses(self, there: SessionsThere) -> list[SessionThere]:
        """Return the sessions that it chooses of those that are there, those that keep most waiting first."""
        roots = {each.root for each in placed(there.sessions) if each.root is not None and each.session.blocked_by}
        return [
            each.session
            for each in placed(there.sessions)
            if each.session.database == there.database
            and not each.session.is_own
            and (self._is_idle(each.session) or (self.blocking and each.session.id in roots))
        ]

    def _is_idle(self, session: SessionThere) -> bool:
        if self.idle_in_transaction is None or session.state not in IN_TRANSACTION:
            return False
        return (session.seconds or 0.0) >= self.idle_in_transaction

    def __str__(self) -> str:
        rules = []
        if self.idle_in_transaction is not None:
            rules.append(f"has been idle in a transaction for {self.idle_in_transaction:g} s")
        if self.blocking:
            rules.append("keeps others waiting")
        return " or ".join(rules)


def end_sessions(database: Database, numbers: Sequence[str], *, terminate: bool, force: bool) -> list[Ended]:
    """Cancel what sessions run, or end them.

    Args:
        database: Where.
        numbers: The sessions, as their server numbers them.
        terminate: Whether the sessions are ended, and not only what they run.
        force: Whether also a superuser's, or one of the server's own.

    Raises:
        NotFound: There is no such session.
        WorkRefused: It is this one, or a superuser's, or runs nothing; or it is not gone soon.
        ConfirmationNeeded: It was not agreed to.
    """
    database.backend.activity.refuse_ending()
    there = _look(database)
    by_number = {str(each.id): each for each in there.sessions}
    for number in numbers:
        if number not in by_number:
            raise NotFound(f"there is no session {number}{_hint_at_unseen(there)}")
    chosen = [by_number[number] for number in dict.fromkeys(numbers)]
    for session in chosen:
        _refuse(session, terminate=terminate, force=force)
    _tell(chosen, lambda _: terminate)
    database.consent(_summary(chosen, lambda _: terminate))
    return _end(database, chosen, lambda _: terminate)


def end_by_rule(database: Database, rule: Rule, *, terminate: bool) -> list[Ended]:
    """End the sessions that a rule chooses; of one that runs a statement that is cancelled, unless it is to be ended.

    Those that the rule does not choose any more when that is agreed to are left alone.

    Args:
        database: Where.
        rule: What chooses them.
        terminate: Whether also those are ended that run a statement.

    Raises:
        WorkRefused: One is not gone soon.
        ConfirmationNeeded: It was not agreed to.
    """
    database.backend.activity.refuse_ending()
    chosen = list(_allowed(rule.chooses(_look(database)), rule))
    if not chosen:
        _log.info("no session %s", rule)
        return []

    def terminates(session: SessionThere) -> bool:
        return terminate or session.state in IN_TRANSACTION or session.state is State.IDLE

    _tell(chosen, terminates)
    database.consent(_summary(chosen, terminates), by_rule=True)
    still = {_identity(each): each for each in rule.chooses(_look(database))}
    for session in chosen:
        if _identity(session) not in still:
            _log.info("session %s is left alone: it is not so any more", session.id)
    return _end(database, [still[_identity(each)] for each in chosen if _identity(each) in still], terminates)


def _look(database: Database) -> SessionsThere:
    connection = database.session.connection()  # first: the backend hears there who answers
    return database.backend.activity.sessions_there(connection)


def _hint_at_unseen(there: SessionsThere) -> str:
    return f" that is told of ({there.unseen})" if there.unseen else ""


def _allowed(chosen: Sequence[SessionThere], rule: Rule) -> Iterator[SessionThere]:
    for session in chosen:
        if session.state is State.PREPARED:
            _log.warning("%s keeps others waiting, and has no session to end", session.id)
        elif session.is_superuser and not rule.superusers:
            _log.warning("session %s is %s's, a superuser's, and is left alone", session.id, session.user)
        else:
            yield session


def _refuse(session: SessionThere, *, terminate: bool, force: bool) -> None:
    if session.is_own:
        raise WorkRefused(f"session {session.id} is the one that this runs in")
    if session.is_superuser and not force:
        whose = f"{session.user}'s, a superuser's" if session.is_client else f"the server's own, {session.application}"
        raise WorkRefused(f"session {session.id} is {whose}", Remedy.END_SUPERUSERS)
    if not terminate and session.state in {*IN_TRANSACTION, State.IDLE}:
        raise WorkRefused(f"session {session.id} runs nothing: it is {session.state.value}", Remedy.END_SESSION)


def _tell(chosen: Sequence[SessionThere], terminates: Callable[[SessionThere], bool]) -> None:
    from dbctl.connections.echoing import without_passwords

    for each in chosen:
        line = " ".join(without_passwords(each.statement or "").split())
        what = f": {line[:_SHOWN]}{'…' if len(line) > _SHOWN else ''}" if line else ""
        lasting = "" if each.seconds is None else f" for {each.seconds:.0f} s"
        verb = "terminate" if terminates(each) else "cancel"
        _log.info("%s session %s (%s), %s%s%s", verb, each.id, each.who, each.state.value, lasting, what)


def _summary(chosen: Sequence[SessionThere], terminates: Callable[[SessionThere], bool]) -> str:
    """Return what is about to be done, as a verb and its object."""
    parts = []
    for ending, verb in ((True, "terminates"), (False, "cancels what is run by")):
        numbers = [str(each.id) for each in chosen if terminates(each) is ending]
        if numbers:
            parts.append(f"{verb} session{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}")
    return " and ".join(parts)


def _end(database: Database, chosen: Sequence[SessionThere], terminates: Callable[[SessionThere], bool]) -> list[Ended]:
    if database.dry_run:
        there = _look(database)
        return [_ended(each, there, gone=None, terminate=terminates(each)) for each in chosen]
    connection, backend = database.session.connection(), database.backend
    for session in chosen:
        _signal(connection, backend, session, terminate=terminates(session))
    deadline = time.monotonic() + _TO_GO
    while True:
        raise_if_ended()
        there = _look(database)
        left = {_identity(each) for each in chosen if not _is_gone(each, there, terminate=terminates(each))}
        if not left or time.monotonic() > deadline:
            break
        time.sleep(_BETWEEN)
    if not all(map(terminates, chosen)):
        time.sleep(_TO_SETTLE)
        there = _look(database)
    found = [_ended(each, there, gone=_identity(each) not in left, terminate=terminates(each)) for each in chosen]
    if left:
        numbers = ", ".join(str(each.id) for each in chosen if _identity(each) in left)
        failure = WorkRefused(f"not gone after {_TO_GO:g} s: session {numbers}", "it may roll back still: look again")
        failure.result = found
        raise failure
    return found


def _signal(connection: Connection, backend: Backend, session: SessionThere, *, terminate: bool) -> None:
    from sqlalchemy.exc import DBAPIError

    try:
        with connection.begin_nested():
            backend.activity.end_session(connection, session, terminate=terminate)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        if not backend.activity.is_gone(error.orig or error):
            reason = backend.error_text(error.orig or error)
            raise WorkRefused(f"session {session.id} can't be ended: {reason}") from error


def _is_gone(session: SessionThere, there: SessionsThere, *, terminate: bool) -> bool:
    now = next((each for each in there.sessions if _identity(each) == _identity(session)), None)
    if now is None:
        return True
    if terminate:
        return False
    running = {State.ACTIVE, State.WAITING}
    return now.state not in running or now.statement != session.statement or (now.seconds or 0) < (session.seconds or 0)


def _identity(session: SessionThere) -> tuple[int | str, str]:
    return session.id, session.born


def _ended(session: SessionThere, there: SessionsThere, *, gone: bool | None, terminate: bool) -> Ended:
    from dbctl.connections.echoing import without_passwords

    blocks = sum(each.root == session.id and each.depth > 0 and not each.suspected for each in placed(there.sessions))
    return Ended(
        session=session.id,
        action="terminate" if terminate else "cancel",
        gone=gone,
        blocks=blocks,
        state=session.state.value,
        seconds=None if session.seconds is None else round(session.seconds, 1),
        user=session.user,
        database=session.database,
        application=session.application,
        client=session.client,
        statement=session.statement and without_passwords(session.statement),
    )
