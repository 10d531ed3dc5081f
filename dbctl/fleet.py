"""Doing the same on several profiles at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dbctl.errors import ConfigError, ConnectError, DbctlError, OutOfTime
from dbctl.probe import PingReport
from dbctl.runtime.waits import result_of, started

_BY_WEIGHT = (ConfigError, ConnectError, OutOfTime)
"""What may be wrong with a profile, the worst last."""


@dataclass(frozen=True)
class ProfilePing:
    """One profile of several: the database that answered, or the step that failed and why."""

    profile: str
    server: str | None = None
    version: str | None = None
    tls: str | None = None
    connect_ms: float | None = None
    round_trip_ms: float | None = None
    failed_stage: str | None = None
    error: str | None = None


def ping_each(names: Sequence[str], ping: Callable[[str], PingReport]) -> list[ProfilePing]:
    """Ping several profiles at once, each in a thread of its own, and return a row for each, in their order.

    Args:
        names: The profiles' names.
        ping: Pings one.

    Raises:
        DbctlError: Some failed. It is of the worst one's type, and its `result` is the rows.
    """
    failures: dict[str, DbctlError] = {}

    def row(name: str) -> ProfilePing:
        try:
            found = ping(name)
        except DbctlError as error:
            failures[name] = error
            stage = _stage(error)
            said = str(error).removeprefix(f"profile {name}: ").removeprefix(f"{stage} failed: ")
            return ProfilePing(name, failed_stage=stage, error=said)
        return ProfilePing(name, found.server, found.version, found.tls, found.connect_ms, found.round_trip_ms)

    rows = [result_of(pinging) for pinging in [started(partial(row, name)) for name in names]]
    if not failures:
        return rows
    worst = max(failures.values(), key=lambda error: _BY_WEIGHT.index(type(error)) if type(error) in _BY_WEIGHT else -1)
    failed = [name for name in names if name in failures]
    error = type(worst)(f"{len(failed)} of {len(names)} profiles failed: {', '.join(failed)}")
    error.result = rows
    raise error


def _stage(error: DbctlError) -> str | None:
    """Name what failed: the step of the last try, the configuration, or nothing where there is no name for it."""
    if isinstance(error, ConfigError):
        return "configuration"
    while not isinstance(error, ConnectError) and isinstance(error.__cause__, DbctlError):
        error = error.__cause__
    return getattr(error, "stage", None)
