"""Whose an error is: which database's, and whether it came on the way to a connection.

A driver raises the same classes for every connection of the process, a service's own beside dbctl's. So each error is
marked where an engine's connection raises it, and what bears no mark is nobody's of dbctl's.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from dbctl.errors import Remedy
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine, Pool
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    from dbctl.profiles import Profile
    from dbctl.profiles.places import Place

_ORIGIN = "dbctl_origin"
"""The attribute of an error that says whose it is."""

SILENCE = "dbctl_silence"
"""The attribute of a driver's error that says for how long its server was silent."""

HEARD = "dbctl_heard"
"""The attribute of an error of connecting that says how many lines the tunnel had said before."""

HINT = "dbctl_hint"
"""The attribute of a driver's error that says what to do about it, where more is known than by its code."""

OVERDUE = "dbctl_overdue"
"""The attribute of a driver's error that says which of the profile's times was over, as a text and what would help."""


def note_statement_timeout(error: BaseException, seconds: float, text: str) -> None:
    """Note with a driver's error that it came since a statement took longer than its profile's `statement_timeout`.

    Args:
        error: The error.
        seconds: The profile's.
        text: What the driver says.
    """
    vars(error)[OVERDUE] = f"statement_timeout {seconds:g} s: {text}", Remedy.TAKE_LONGER


def driver_error(error: Exception) -> Exception:
    """Return the driver's own error, or SQLAlchemy's stand-in for an async driver's, where SQLAlchemy has wrapped it.

    Such a stand-in has an `orig` too, behind which `Diagnosis.translate` does not look.
    """
    from sqlalchemy.exc import DBAPIError

    return error.orig if isinstance(error, DBAPIError) and isinstance(error.orig, Exception) else error


@record
class Origin:
    """Where an error came from.

    Attributes:
        profile: The profile of the engine whose connection raised it.
        connecting: Whether the engine was about to connect.
        lost: Whether the connection was closed when it came.
    """

    profile: Profile
    connecting: bool = False
    lost: bool = False


class Attempt:
    """A connection that an engine is about to get: from its driver's connect until its pool hands it out.

    Args:
        profile: The engine's profile.
        seconds: How long all of it may take.
    """

    def __init__(self, profile: Profile, seconds: float) -> None:
        self.profile = profile
        self.seconds = seconds
        self.connection: Any = None
        """The driver's own connection, when it is there."""
        self.heard = 0
        """How many lines the tunnel that it goes through had said before it began."""
        self.place: Place | None = None
        """The one of several hosts whose turn it is, or that was taken."""
        self._whole = seconds
        self._end = self._turns_end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """How many seconds are left, of a host's turn where it is one's; 0 where it has taken too long."""
        return max(0.0, self._turns_end - time.monotonic())

    def begin_turn(self, place: Place, share: float) -> None:
        """Have one of several hosts use no more than a share of the time that is left."""
        self.end_turns()
        self.place, self.seconds = place, self.left * share
        self._turns_end = time.monotonic() + self.seconds

    def end_turns(self) -> None:
        """Leave all the time that is left to the host whose turn it is."""
        self.seconds, self._turns_end = self._whole, self._end


attempt_under_way: ContextVar[Attempt | None] = ContextVar("dbctl_attempt", default=None)
"""The attempt of this thread or task. One that failed stays until the next: what it says is of its connection only."""


def note_origin(
    error: BaseException, profile: Profile, *, connection: Any = None, connecting: bool = False, lost: bool = False
) -> None:
    """Mark an error as that of a profile's engine; one that bears another's mark keeps it.

    Args:
        error: What the driver raised.
        profile: The engine's profile.
        connection: The driver's connection that raised it, where it is known.
        connecting: Whether it is known that the engine was about to connect.
        lost: Whether the connection is closed.
    """
    attempt = attempt_under_way.get()
    if attempt is not None and attempt.profile is profile:
        connecting = connecting or (connection is not None and connection is attempt.connection)
        if connecting and attempt.connection is not None and not attempt.left:
            vars(error).setdefault(SILENCE, f"no answer within {attempt.seconds:g} s")
    if attempt is not None and attempt.profile is profile and connecting:
        vars(error).setdefault(HEARD, attempt.heard)
    known = origin_of(error)
    if known is None or (connecting and are_one_database(known.profile, profile)):
        vars(error)[_ORIGIN] = Origin(profile, connecting, lost)


def heard_before(error: BaseException) -> int | None:
    """Return how many lines the tunnel had said before a connect that failed; None where it was none."""
    attempt = attempt_under_way.get()
    found: int | None = vars(error).get(HEARD, attempt.heard if attempt else None)
    return found


def origin_of(error: BaseException) -> Origin | None:
    """Return where an error came from, or None where it came from no engine of dbctl's.

    Of an async driver's errors SQLAlchemy makes its own, whose cause they are.
    """
    found: Origin | None = vars(error).get(_ORIGIN)
    if found is None and error.__cause__ is not None:
        found = vars(error.__cause__).get(_ORIGIN)
    return found


def are_one_database(one: Profile, other: Profile) -> bool:
    """Tell whether two profiles, of which one may be a copy with other settings, lead to one database."""

    def place(profile: Profile) -> tuple[object, ...]:
        return (profile.name, profile.driver, profile.host, profile.hosts, profile.port, profile.user, profile.database)

    return place(one) == place(other)


_engines: WeakKeyDictionary[Engine, Profile] = WeakKeyDictionary()


def note_engine(engine: Engine, profile: Profile) -> None:
    """Note whose an engine is: SQLAlchemy has no event for a pool in which no connection came free in time."""
    _engines[engine] = profile


def profile_of_pool(error: PoolTimeout) -> Profile | None:
    """Return the profile whose pool raised an error, or None where it is no engine's of dbctl's."""
    from sqlalchemy import Engine, Pool

    waited: list[Dialect | Pool] = []
    step = error.__traceback__
    while step:
        found = step.tb_frame.f_locals.get("self")
        # What an engine has in common with one made from it by execution options, also when its pool is another by now.
        waited += [found.dialect] if isinstance(found, Engine) else [found] if isinstance(found, Pool) else []
        step = step.tb_next
    noted = list(_engines.items())
    return next((its for each in waited for engine, its in noted if each in (engine.dialect, engine.pool)), None)
