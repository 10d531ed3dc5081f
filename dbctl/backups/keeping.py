"""Which of several backups are kept: so many of the newest, and the newest of so many weeks and months."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from dbctl.backups.files import GLOBALS, hide
from dbctl.backups.manifest import ENDING, Manifest, read
from dbctl.errors import CheckFailed

_log = logging.getLogger("dbctl")


@dataclass(frozen=True)
class Rules:
    """What is kept; None says nothing, and where all are None all is kept.

    Args:
        newest: How many of the newest.
        weekly: Of how many weeks the newest.
        monthly: Of how many months the newest.
    """

    newest: int | None = None
    weekly: int | None = None
    monthly: int | None = None

    @property
    def say_something(self) -> bool:
        """Whether any backup may have to go."""
        return any(number is not None for number in (self.newest, self.weekly, self.monthly))


@dataclass(frozen=True)
class Found:
    """A backup that is there, with its manifest."""

    path: Path
    manifest: Manifest


def found_in(directory: Path) -> Iterator[Found]:
    """Yield the backups of a directory, the oldest first; what has no manifest is none."""
    found = []
    for path in directory.glob(f"*{ENDING}"):
        backup = path.with_name(path.name.removesuffix(ENDING))
        try:
            if backup.exists():
                found.append(Found(backup, read(path)))
        except (CheckFailed, OSError) as error:
            _log.warning("%s: left alone: %s", backup, getattr(error, "message", error))
    yield from sorted(found, key=lambda one: (one.manifest.at, one.path.name))


def superseded(backups: Sequence[Found], rules: Rules) -> Sequence[Found]:
    """Return those of one database's backups that no rule keeps; the newest is always kept.

    Args:
        backups: The backups, the oldest first.
        rules: What is kept.
    """
    if not rules.say_something:
        return []
    newest_first = list(reversed(backups))
    kept = {id(one) for one in newest_first[: max(1, rules.newest or 0)]}
    kept |= _newest_of(newest_first, rules.weekly or 0, lambda manifest: manifest.at.isocalendar()[:2])
    kept |= _newest_of(newest_first, rules.monthly or 0, lambda manifest: (manifest.at.year, manifest.at.month))
    return [one for one in backups if id(one) not in kept]


def _newest_of(newest_first: Sequence[Found], count: int, period: Callable[[Manifest], object]) -> set[int]:
    periods: dict[object, int] = {}
    for one in newest_first:
        periods.setdefault(period(one.manifest), id(one))
    return set(list(periods.values())[:count])


def remove_superseded(directory: Path, manifest: Manifest, rules: Rules) -> Sequence[str]:
    """Remove what the rules do not keep of the backups that were made as a new one was, and return their names.

    Args:
        directory: Where they are.
        manifest: The new one's: those of other databases, profiles and contents are left alone.
        rules: What is kept.
    """

    def series(one: Manifest) -> object:
        return one.profile, one.server, one.database, one.contents

    alike = [one for one in found_in(directory) if series(one.manifest) == series(manifest)]
    removed = []
    for one in superseded(alike, rules):
        if one.path.is_dir():
            rmtree(hide(one.path), ignore_errors=True)  # another run may take it for what it is called
        else:
            one.path.unlink()
        one.path.with_name(one.path.name + GLOBALS).unlink(missing_ok=True)
        one.path.with_name(one.path.name + ENDING).unlink()
        removed.append(one.path.name)
    return removed
