"""Doing the same on several profiles at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, fields
from typing import Generic, TypeVar

from dbctl.errors import ConfigError, ConnectError, DbctlError, worst_of
from dbctl.probe import PingReport, Stages
from dbctl.profiles.model import Profile, called
from dbctl.records import record
from dbctl.runtime.waits import result_of, started
from dbctl.spread import Spread
from dbctl.work.progress import report

T = TypeVar("T")

_NAMED = 10
"""How many of those that have failed are named; each has its row."""


def listed(names: Sequence[str], most: int) -> str:
    """Return names on one line, at most so many of them and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


@record
class Outcome(Generic[T]):
    """What came of the work on one profile: its result, or the error that ended it."""

    name: str
    result: T | None = None
    error: DbctlError | None = None


@record
class ProfilePing:
    """One profile of several: a `PingReport` of the database that answered, or the step that failed and why."""

    profile: str
    server: str | None = None
    version: str | None = None
    user: str | None = None
    database: str | None = None
    host: str | None = None
    port: int | None = None
    role: str | None = None
    encrypted: bool | None = None
    tls: str | None = None
    connect_ms: float | None = None
    round_trip_ms: float | None = None
    round_trips: Spread | None = None
    stages: Stages | None = None
    failed_stage: str | None = None
    error: str | None = field(default=None, metadata={"across": True})


@record
class Several:
    """Profiles that are looked at together.

    Args:
        names: Their names.
        select: Returns the profile of a name.
        code_of: Returns the exit code that an error has.
        at_a_time: How many are looked at at a time.
    """

    names: Sequence[str]
    select: Callable[[str], Profile]
    code_of: Callable[[DbctlError], int] = lambda error: 1
    at_a_time: int = 32


def on_each(names: Sequence[str], work: Callable[[str], T], at_a_time: int | None = None) -> list[Outcome[T]]:
    """Do the same on several profiles at once, each in a thread of its own, and return what came of it in their order.

    Args:
        names: The profiles' names.
        work: Does it on one.
        at_a_time: How many at a time; all unless given.
    """
    waiting = list(enumerate(names))[::-1]
    outcomes: dict[int, Outcome[T]] = {}

    def worker() -> None:
        while waiting:
            try:
                place, name = waiting.pop()
            except IndexError:  # another thread has taken the last one
                return
            try:
                outcomes[place] = Outcome(name, work(name))
            except DbctlError as error:
                outcomes[place] = Outcome(name, error=error)
            report(len(outcomes), len(names), "profiles")

    try:
        for working in [started(worker) for _ in range(min(at_a_time or len(names), len(names)))]:
            result_of(working)
    finally:
        waiting.clear()  # where this was interrupted no more is begun
    return [outcomes[place] for place in range(len(names))]


def ping_each(
    names: Sequence[str], ping: Callable[[str], PingReport], at_a_time: int | None = None
) -> list[ProfilePing]:
    """Ping several profiles at once, and return a row for each, in their order.

    Args:
        names: The profiles' names.
        ping: Pings one.
        at_a_time: How many at a time, for they may be of one server; all unless given.

    Raises:
        DbctlError: Some failed. It is of the worst one's type, and its `result` is the rows.
    """
    outcomes = on_each(names, ping, at_a_time)
    rows = [_row(outcome) for outcome in outcomes]
    failed = {outcome.name: outcome.error for outcome in outcomes if outcome.error}
    if failed:
        message = f"{len(failed)} of {len(names)} profiles failed: {listed([*failed], _NAMED)}"
        raise worst_of(failed.values(), message, rows)
    return rows


def _row(outcome: Outcome[PingReport]) -> ProfilePing:
    if (found := outcome.result) is not None:
        return ProfilePing(**{each.name: getattr(found, each.name) for each in fields(found)})
    assert outcome.error is not None, "there is a result or an error"
    stage = _stage(outcome.error)
    said = str(outcome.error).removeprefix(f"{called(outcome.name)}: ").removeprefix(f"{stage} failed: ")
    return ProfilePing(outcome.name, failed_stage=stage, error=said)


def _stage(error: DbctlError) -> str | None:
    """Name what failed: the step of the last try, the configuration, or nothing where there is no name for it."""
    if isinstance(error, ConfigError):
        return "configuration"
    while not isinstance(error, ConnectError) and isinstance(error.__cause__, DbctlError):
        error = error.__cause__
    return getattr(error, "stage", None)
