"""What is known of the one command that this process runs, whichever way it ends: for its metrics and its events."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

INTERRUPTED = (130, 143)

_NAMED = 10
"""How many profiles are named, where many were said one by one."""


@dataclass
class Outcome:
    """What is known of a command by now.

    Args:
        command: The words of the command, without options; "" where the line names none.
        said: The profiles that were named, or `--url`; one of them may not be there to be chosen.
        metrics: The file that is to be told how it ended.
        started: Whether it was run, and not refused before.
        several: Whether several profiles are wanted, by a pattern or the like.
        dry: Whether it is a dry run.
        skipped: Whether it has left the work to another run.
        rows: How many rows it has returned or changed; None where it has none to count.
        retries: How often its work was run again.
        concluded: Whether all that is to be told of it is told.
        rows_asked: The rows that were asked for, which are profiles, by where the profile file names their source.
    """

    command: str = ""
    said: frozenset[str] = frozenset()
    metrics: str | None = None
    started: bool = False
    several: bool = False
    dry: bool = False
    skipped: bool = False
    rows: int | None = None
    retries: int = 0
    concluded: bool = False
    rows_asked: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    _chosen: set[str] = field(default_factory=set)
    _began: float = field(default_factory=time.monotonic)

    @property
    def profile(self) -> str:
        """The profile that was named or chosen, or with commas between those that were; else "".

        Of several it is what was said of them: a pattern stays one, whatever it names today.
        """
        names = sorted(self.said if self.several else self._chosen | self.said)
        more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
        return ",".join([*names[:_NAMED], *more])

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def chose(self, profile: str) -> None:
        """Take note of a profile that it works on."""
        self._chosen.add(profile)

    def count(self, rows: int) -> None:
        """Take note of rows that it has returned or changed."""
        self.rows = (self.rows or 0) + rows

    def word(self, code: int) -> str:
        """Return what became of it, by its exit code, in one word."""
        if code in INTERRUPTED:
            return "interrupted"
        if code:
            return "failed"
        return "skipped" if self.skipped else "dry-run" if self.dry else "done"


_current = Outcome()


def current() -> Outcome:
    """Return what is known of the command that this process runs."""
    return _current


def renew() -> Outcome:
    """Take note of another command from now on."""
    global _current  # noqa: PLW0603  # one process runs one command
    _current = Outcome()
    return _current
