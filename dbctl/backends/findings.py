"""What a check says: how bad it is, what was measured, why it matters, what to change."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, TypedDict

from dbctl.records import record


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


class Figures(TypedDict, total=False):
    """What a script compares, where a check measures a number.

    `value` is what was measured, `limit` what it is held against, and `used` how much of that limit others have, all in
    `unit`: `s`, `days`, `connections`, `errors`. None stands for what has no number: a time limit that there is not, a
    pool without an end.
    """

    value: float | None
    limit: float | None
    used: float | None
    unit: str


_FOR_PROGRAMS: Mapping[str, Any] = {"table": False}


@record
class Finding:
    """One answer of a check.

    `check` names it for scripts, `measured` is what was found, in words; `value`, `limit`, `used` and `unit` are its
    `Figures`.
    From a note on, `why` says why that matters, and `fix` is the line to change, where there is one.
    """

    level: Level
    check: str
    measured: str
    value: float | None = field(default=None, kw_only=True, metadata=_FOR_PROGRAMS)
    limit: float | None = field(default=None, kw_only=True, metadata=_FOR_PROGRAMS)
    used: float | None = field(default=None, kw_only=True, metadata=_FOR_PROGRAMS)
    unit: str | None = field(default=None, kw_only=True, metadata=_FOR_PROGRAMS)
    why: str | None = field(default=None, metadata={"below": ""})
    fix: str | None = field(default=None, metadata={"below": "→ "})
