"""What a command works on. Light, so that reading a command's help loads no SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from dbctl.errors import UsageError
from dbctl.records import record

if TYPE_CHECKING:
    from sqlmodel import Session

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile
    from dbctl.work.deadlines import Deadline


def _nobody(whose: str) -> str:
    raise UsageError(f"{whose}: there is no password, and nobody to ask for one", "name its source")


class Consent(Protocol):
    """What is asked before something is done for good."""

    def __call__(self, what: str, *, by_rule: bool = False) -> None:
        """Do nothing where it is agreed to."""


def _agreed(what: str, *, by_rule: bool = False) -> None:
    """Agree: a program that calls this has its own way of asking."""


@record
class Database:
    """One open session on one profile, inside the unit of work that commits or rolls it back.

    Args:
        session: The session. The unit of work commits it; a command never does.
        backend: What differs between databases.
        profile: Where the session is connected to.
        dry_run: Whether the unit of work will be rolled back at its end.
        agree: Called with what is about to be committed, as the beginning of a sentence; raises ConfirmationNeeded
            where whoever runs the work says no to that.
        ask: Asks whoever runs the work for a new password, and returns it; called with whose it is to be. Raises
            UsageError where there is nobody to ask.
        consent: Called before what can't be rolled back is done, with what that is, as a verb and its object; raises
            the same. It is asked for on a protected profile, and with `by_rule` on each: nobody has named what a rule
            has chosen.
    """

    session: Session
    backend: Backend
    profile: Profile
    dry_run: bool = False
    agree: Callable[[str], None] = lambda _what: None
    ask: Callable[[str], str] = _nobody
    consent: Consent = _agreed


@record
class Turn:
    """A profile for what connects by itself, confirmed where it is protected, with its lock held meanwhile.

    Args:
        backend: What differs between databases, bound to the profile.
        guard: Raises an error where the lock has been lost; None where there is none.
        deadline: When its time is over, or None.
    """

    backend: Backend
    guard: Callable[[], None] | None = None
    deadline: Deadline | None = None
