"""What a command works on. Light, so that reading a command's help loads no SQLAlchemy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlmodel import Session

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile


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
