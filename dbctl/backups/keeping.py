"""Which of several backups are kept: so many of the newest, and the newest of so many weeks and months."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree

from dbctl.backups.files import GLOBALS, hide, size_of
from dbctl.backups.manifest import ENDING, Manifest, read
from dbctl.errors import CheckFailed
from dbctl.records import record

_log = logging.getLogger("dbctl")

_SKEW = timedelta(minutes=10)
"""How far the clocks of two machines that write to one directory may be apart."""


@record
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


@record
class Found:
    """A backup that is there, with its manifest."""

    path: Path
    manifest: Manifest

    @property
    def doubt(self) -> str:
        """Why it is not to be relied on, as far as that can be told without reading it; "" where nothing says so."""
        made = self.manifest
        if (size := size_of(self.path)) != made.bytes:
            return f"it has {size} bytes, and {made.bytes} were written"
        if made.refuted is not None:
            return f"verify found at {made.refuted} that it is no backup"
        if made.at > datetime.now(UTC) + _SKEW:
            return f"it is of a time that has not come, {made.snapshot}: a clock was wrong"
        return ""


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
    # Those of one second are numbered: the second has a longer name.
    yield from sorted(found, key=lambda one: (one.manifest.at, len(one.path.name), one.path.name))


def reliable_in(directory: Path) -> Iterator[Found]:
    """Yield those of them that nothing speaks against, and tell what does of the others."""
    for one in found_in(directory):
        if one.doubt:
            _log.warning("%s: left alone: %s", one.path, one.doubt)
        else:
            yield one


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


def remove_superseded(new: Found, rules: Rules) -> Sequence[str]:
    """Remove what the rules do not keep of the backups that were made as a new one was, and return their names.

    Args:
        new: The new one, which is kept whatever they say: those of other databases, profiles and contents beside it
            are left alone, and so are those that are not to be relied on.
        rules: What is kept.
    """
    if not rules.say_something:
        return []

    def kind(one: Manifest) -> object:
        return one.series, one.contents, tuple(one.lacks) if one.contents == "part" else ()

    alike = [one for one in reliable_in(new.path.parent) if kind(one.manifest) == kind(new.manifest)]
    others = [one for one in alike if one.path.name != new.path.name]
    removed = []
    for one in superseded([*others, new], rules):
        if one.path.is_dir():
            rmtree(hide(one.path), ignore_errors=True)  # another run may take it for what it is called
        else:
            one.path.unlink()
        one.path.with_name(one.path.name + GLOBALS).unlink(missing_ok=True)
        one.path.with_name(one.path.name + ENDING).unlink()
        removed.append(one.path.name)
    return removed
