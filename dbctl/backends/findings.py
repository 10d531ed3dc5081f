"""What a check says: how bad it is, what was measured, why it matters, what to change."""

from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is, from the best to the worst."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Its place in that order."""
        return list(Level).index(self)


@dataclass(frozen=True)
class Finding:
    """One answer of a check.

    `check` names it for scripts, `measured` is what was found. From a note on, `why` says why that matters, and `fix`
    is the line to change, where there is one.
    """

    level: Level
    check: str
    measured: str
    why: str | None = field(default=None, metadata={"below": ""})
    fix: str | None = field(default=None, metadata={"below": "→ "})
