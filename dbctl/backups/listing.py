"""The backups in a directory, and whether the newest is new enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path

from dbctl.backups.keeping import found_in
from dbctl.errors import CheckFailed, UsageError
from dbctl.records import record

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_STEPS = ("bytes", "kB", "MB", "GB", "TB")


@record
class Listed:
    """A backup that is there: its age when it was listed, and what its manifest says; `doubt` is why it may be none."""

    backup: str
    database: str
    server: str
    age: str
    size: str
    rows: int
    verified: str | None
    profile: str
    contents: str
    doubt: str | None = field(metadata={"across": True})
    snapshot: str = field(metadata={"table": False})
    age_s: int = field(metadata={"table": False})
    bytes: int = field(metadata={"table": False})


def list_backups(directory: Path, max_age: float | None = None) -> Sequence[Listed]:
    """Return a directory's backups, the newest first.

    Args:
        directory: The directory.
        max_age: How old the newest whole one of each database may be, in seconds; one that is in doubt is none.

    Raises:
        UsageError: It is no directory.
        CheckFailed: The newest of one is older than that, or there is none.
    """
    if not directory.is_dir():
        raise UsageError(f"there is no directory {directory}", "name the one that backups are made in")
    now = datetime.now(UTC)
    newest: dict[tuple[str, str, str], Listed | None] = {}
    listed = []
    for one in reversed(list(found_in(directory))):
        made = one.manifest
        age = max(0, round((now - made.at).total_seconds()))
        found = Listed(
            backup=one.path.name, database=made.database, server=made.server, age=in_words(age),
            size=size_in_words(made.bytes), rows=made.rows, verified=made.verified, profile=made.profile,
            contents=made.contents, doubt=one.doubt or None, snapshot=made.snapshot, age_s=age, bytes=made.bytes,
        )  # fmt: skip
        if not one.doubt:
            counts = found if made.contents == "all" else None
            newest[made.series] = newest.get(made.series) or counts
        listed.append(found)
    if max_age is not None:
        _refuse_old(directory, newest, max_age, listed)
    return listed


def _refuse_old(
    directory: Path, newest: Mapping[tuple[str, str, str], Listed | None], max_age: float, listed: Sequence[Listed]
) -> None:
    if not newest:
        raise CheckFailed(f"{directory} holds no backup", listed)
    if missing := [f"{database} of {profile}" for (profile, _, database), one in newest.items() if one is None]:
        raise CheckFailed(f"{directory} holds no whole backup of {', '.join(missing)}", listed)
    if old := [one for one in newest.values() if one and one.age_s > max_age]:
        said = ", ".join(f"{one.database} of {one.profile} is {one.age} old" for one in old)
        raise CheckFailed(f"the newest backup of {said}; at most {in_words(round(max_age))} is allowed", listed)


def seconds_of(text: str) -> float:
    """Return the seconds that a length of time says: 26h, 7d, 90m, 45s, or a bare number of seconds.

    Raises:
        UsageError: It says none.
    """
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1.0)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"{text}: it is no length of time", "say 26h, 7d or 90m")
    return seconds


def in_words(seconds: int) -> str:
    """Return a length of time in its two largest units: 1 d 3 h, 5 min 2 s."""
    parts = [("d", seconds // 86_400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60), ("s", seconds % 60)]
    first = next((place for place, (_, number) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for unit, number in parts[first : first + 2] if number) or "0 s"


def size_in_words(size: float) -> str:
    """Return a size with its unit, by powers of 1000: 1.5 MB."""
    step = 0
    while size >= 1000 and step < len(_STEPS) - 1:
        size, step = size / 1000, step + 1
    return f"{size:.0f} bytes" if step == 0 else f"{size:.1f} {_STEPS[step]}"
