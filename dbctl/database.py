"""What a command works on, and what it says of itself. Light, so that reading a command's help loads no SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from sqlmodel import Session

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


@dataclass(frozen=True)
class Database:
    """One open session on one profile, inside the unit of work that commits or rolls it back.

    Args:
        session: The session. The unit of work commits it; a command never does.
        backend: What differs between databases.
        profile: Where the session is connected to.
        dry_run: Whether the unit of work will be rolled back at its end.
    """

    session: Session
    backend: Backend
    profile: Profile
    dry_run: bool = False


@dataclass(frozen=True)
class Nature:
    """What running a command does to the database.

    Args:
        writes: It means to write; it gets `--dry-run`, and a transaction that may write.
        creates: Connecting for it may create the database where that is a file.
        unless: The option with which it only looks.
        repeatable: It may be run again, in a new transaction, where other transactions got in its way: all that it does
            is in the database, and is rolled back before that. What only reads may always.
    """

    writes: bool = False
    creates: bool = False
    unless: str | None = None
    repeatable: bool = True

    def in_a_run(self, arguments: Mapping[str, Any]) -> Nature:
        """Return what it does when it is run with these arguments."""
        return replace(self, writes=False) if self.unless and arguments.get(self.unless) else self


def writes(
    *, creates: bool = False, unless: str | None = None, repeatable: bool = False
) -> Callable[[CommandFunction], CommandFunction]:
    """Mark a command function as one that writes: `@writes()`.

    Args:
        creates: Connecting for it may create the database where that is a file.
        unless: The name of its option with which it only looks.
        repeatable: Whether it may be run again where other transactions got in its way.
    """

    def mark(function: CommandFunction) -> CommandFunction:
        function.dbctl_nature = Nature(True, creates, unless, repeatable)  # type: ignore[attr-defined]
        return function

    return mark


def nature_of(command: Callable[..., Any]) -> Nature:
    """Return what a command function was marked as; one without a mark only reads."""
    nature: Nature = getattr(command, "dbctl_nature", Nature())
    return nature


class PlainText:
    """Base of result rows that are text to be read, or piped on, as it is, such as SQL."""

    def __str__(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say what its text is")
