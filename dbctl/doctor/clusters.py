"""What is said of a cluster: primaries that do not know of each other, standbys that are missing, or far behind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dbctl.backends.findings import Finding, Level
from dbctl.backends.nodes import View
from dbctl.profiles import Profile
from dbctl.topology import Answer, ask_all

_BEHIND_S = 60.0
"""Seconds for which a standby may be behind before that is a warning, where the profile's `max_lag` says nothing."""


def findings_of(profile: Profile, view: View) -> Iterator[Finding]:
    """Judge what one server says of itself and of those that follow it.

    Args:
        profile: The profile.
        view: What the server says.
    """
    if view.missing:
        yield Finding(
            Level.ERROR,
            "synchronous_standby",
            f"synchronous_standby_names waits for {view.missing}, and no such standby is there",
            "Each COMMIT that writes waits until one is: without an error, and past every statement_timeout.",
            "start the standby, or take it out of synchronous_standby_names and reload",
        )
    if view.lag_s is not None:
        yield _lag(profile, view, view.lag_s)


def findings_among(profile: Profile) -> Iterator[Finding]:
    """Ask all hosts of a profile, where there are several, and judge what they are to each other.

    Args:
        profile: The profile.
    """
    if len(profile.hosts) < 2:
        return
    answers = ask_all(profile)
    for answer in answers:
        if answer.view is None:
            told = answer.error.message.removeprefix(f"{profile.called}: ") if answer.error else "it does not answer"
            why, fix = "It can't take over, and nobody is led there.", "bring it back, or take it out of hosts"
            yield Finding(Level.WARNING, "hosts", f"{answer.place}: {told}", why, fix)
    yield from _primaries(answers)
    pool, workers = profile.pool, profile.workers
    if math.isfinite(pool.capacity):
        measured = f"{len(profile.hosts)} hosts, of which one may get all {workers * int(pool.capacity)} connections"
        yield Finding(Level.OK, "hosts", measured, value=workers * pool.capacity, unit="connections")


def _primaries(answers: Sequence[Answer]) -> Iterator[Finding]:
    """Hold those that call themselves a primary of the same data against each other, each on a timeline of its own."""
    there = [each for each in answers if each.view and each.view.role == "primary" and each.view.timeline is not None]
    for cluster in {each.view.cluster for each in there if each.view}:
        same = [each for each in there if each.view and each.view.cluster == cluster]
        if len(same) < 2:
            continue
        told = ", ".join(f"{each.place} on timeline {each.view.timeline}" for each in same if each.view)
        yield Finding(
            Level.ERROR,
            "primaries",
            f"{len(same)} primaries of the same data: {told}",
            "Each takes writes that the others never get: they grow apart with every COMMIT.",
            "stop the one on the lower timeline, and make it a standby again with pg_rewind",
        )


def _lag(profile: Profile, view: View, seconds: float) -> Finding:
    role, state = view.role or "server", f": {view.state}" if view.state else ""
    most = _BEHIND_S if profile.max_lag is None else profile.max_lag
    bad = seconds > most
    return Finding(
        Level.WARNING if bad else Level.OK,
        "lag",
        f"this {role} replays nothing{state}" if math.isinf(seconds) else f"this {role} is {seconds:.3f} s behind",
        "What is read here is as old as that." if bad else None,
        "dbctl topology shows who follows whom; max_lag takes none that is further behind" if bad else None,
        value=None if math.isinf(seconds) else round(seconds, 3),
        limit=most,
        unit="s",
    )
