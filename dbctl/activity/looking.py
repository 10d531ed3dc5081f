"""Who does what in a database now, and now again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

from dbctl.activity.tree import Placed, placed
from dbctl.backends.sessions import SessionsThere, State
from dbctl.connections.connector import opened
from dbctl.connections.watching import raise_if_ended
from dbctl.profiles import Profile
from dbctl.records import record
from dbctl.results import Frame, Frames

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

_STEP = 0.1
"""Seconds after which a pause looks whether all is to end."""


@record
class Session:
    """A session. `blocked_by` are those that it waits for, `root` the one at the top of that, `suspects` who may be.

    `seconds` is for how long it is in its state, `transaction_seconds` how old its transaction is. `at` is when it was
    looked at.
    """

    at: datetime = field(metadata={"table": False})
    tree: str = field(metadata={"programs": False})
    session: int | str = field(metadata={"table": False})
    state: str
    seconds: float | None
    transaction: float | None = field(metadata={"programs": False})
    transaction_seconds: float | None = field(metadata={"table": False})
    who: str | None = field(metadata={"programs": False})
    waiting: str | None = field(metadata={"programs": False, "across": True})
    waits_for: str | None = field(metadata={"table": False})
    blocked_by: Sequence[int | str] = field(metadata={"table": False})
    suspects: Sequence[int | str] = field(metadata={"table": False})
    root: int | str | None = field(metadata={"table": False})
    user: str | None = field(metadata={"table": False})
    database: str | None = field(metadata={"table": False})
    application: str | None = field(metadata={"table": False})
    client: str | None = field(metadata={"table": False})
    statement: str | None = field(metadata={"across": "cut"})


@record
class Wanted:
    """Which sessions are wanted.

    Args:
        every: Whether also those of other databases, the server's own, and those that are idle.
        min_duration: Seconds for which they have to be at it, or their transaction to be old.
        blocked: Whether only those that wait for others, and those that they wait for.
    """

    every: bool = False
    min_duration: float = 0.0
    blocked: bool = False


def activity(profile: Profile, wanted: Wanted) -> Frame[Session]:
    """Look once at who does what.

    Args:
        profile: Where.
        wanted: Which sessions are wanted; those that they wait for are there too.

    Raises:
        ConnectError: The database can't be reached.
    """
    with _asking(profile) as (connection, backend):
        return _frame(backend.activity.sessions_there(connection), wanted)


def watched_activity(profile: Profile, wanted: Wanted, every: float) -> Frames[Session]:
    """Look at who does what, again and again, on one connection and in no transaction.

    Args:
        profile: Where.
        wanted: Which sessions are wanted.
        every: Seconds between two looks.
    """

    seen_enough = Event()

    def frames() -> Iterator[Frame[Session]]:
        with _asking(profile) as (connection, backend):
            while not seen_enough.is_set():
                began = time.monotonic()
                yield _frame(backend.activity.sessions_there(connection), wanted)
                while (left := began + every - time.monotonic()) > 0 and not seen_enough.wait(min(_STEP, left)):
                    raise_if_ended()

    return Frames(frames(), seen_enough.set)


@contextmanager
def _asking(profile: Profile) -> Iterator[tuple[Connection, Backend]]:
    """Connect without a transaction, which would stand there as one that is idle; each answer has its time."""
    from dbctl.connections.response_timeouts import bound_questions

    with opened(profile) as connector:
        bound_questions(connector.engine, connector.backend)
        with connector.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT"), connector.backend


def _frame(there: SessionsThere, wanted: Wanted) -> Frame[Session]:
    from dbctl.connections.echoing import without_passwords

    at = datetime.now(UTC).replace(microsecond=0)
    found = placed([each for each in there.sessions if not each.is_own])
    kept = {each.session.id for each in found if _is_wanted(each, there, wanted)}
    kept |= {above for each in found if each.session.id in kept for above in _ways_up(each, found)}
    rows = [_row(each, at, without_passwords) for each in found if each.session.id in kept]
    return Frame(rows, [*there.untold, *_left_out(found, kept, there, wanted)])


def _is_wanted(each: Placed, there: SessionsThere, wanted: Wanted) -> bool:
    session = each.session
    if wanted.blocked and each.root is None and session.state is not State.WAITING:
        return False
    if max(session.seconds or 0.0, session.transaction_seconds or 0.0) < wanted.min_duration:
        return False
    if wanted.every or each.root is not None:
        return True
    is_idle = session.state is State.IDLE and not there.lists_idle
    return session.database == there.database and session.is_client and not is_idle


def _ways_up(each: Placed, found: Sequence[Placed]) -> Iterator[int | str]:
    """Yield all whom a session waits for, directly or not."""
    by_id = {one.session.id: one for one in found}
    seen: set[int | str] = set()
    waiting = [each]
    while waiting:
        session = waiting.pop().session
        for above in (*session.blocked_by, *session.suspects):
            if above not in seen:
                seen.add(above)
                yield above
                waiting.append(by_id[above])


def _left_out(found: Sequence[Placed], kept: set[int | str], there: SessionsThere, wanted: Wanted) -> Iterator[str]:
    if wanted.every or wanted.blocked or wanted.min_duration:
        return
    out = [each.session for each in found if each.session.id not in kept and each.session.is_client]
    elsewhere = sum(each.database != there.database for each in out)
    for number, what in ((len(out) - elsewhere, "idle"), (elsewhere, "in other databases or in none")):
        if number:
            yield f"{number} more {'session is' if number == 1 else 'sessions are'} {what}"


def _row(each: Placed, at: datetime, without_passwords: Callable[[str], str]) -> Session:
    session = each.session
    mark = f"{'   ' * (each.depth - 1)}`{'?' if each.suspected else '-'} " if each.depth else ""
    return Session(
        at=at,
        tree=f"{mark}{session.id}",
        session=session.id,
        state=session.state.value,
        seconds=_rounded(session.seconds),
        transaction=_rounded(session.transaction_seconds),
        transaction_seconds=_rounded(session.transaction_seconds),
        who=session.who or None,
        waiting=session.waits_for and f"waits for {session.waits_for}",
        waits_for=session.waits_for,
        blocked_by=list(session.blocked_by),
        suspects=list(session.suspects),
        root=each.root,
        user=session.user,
        database=session.database,
        application=session.application,
        client=session.client,
        statement=session.statement and without_passwords(session.statement),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
