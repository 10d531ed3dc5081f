"""What `dbctl doctor` does: ask the database, and judge what it says by the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbctl.backends.audit import Questions
from dbctl.backends.findings import Finding, Level
from dbctl.connections.connector import opened
from dbctl.connections.nodes import refuse_nodes
from dbctl.doctor.clusters import findings_among, findings_of
from dbctl.doctor.rules import RULES
from dbctl.errors import CheckFailed
from dbctl.profiles import Profile

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend


def diagnose(profile: Profile, level: Level = Level.WARNING, *, deep: bool = False) -> Sequence[Finding]:
    """Do what `examine` does, and raise where a finding is as bad as `level`.

    Raises:
        CheckFailed: One is; `result` holds all.
        ConnectError: The database can't be reached.
    """
    findings = examine(profile, deep=deep)
    bad = [finding for finding in findings if finding.level.rank >= level.rank]
    if bad:
        counts = ((each, sum(finding.level is each for finding in bad)) for each in reversed(Level))
        told = ", ".join(f"{count} {each}{'s' if count > 1 else ''}" for each, count in counts if count)
        raise CheckFailed(f"{profile.called}: doctor found {told}", findings)
    return findings


def examine(profile: Profile, *, deep: bool = False) -> Sequence[Finding]:
    """Ask the database for its limits and hold the profile against them, on one connection, without writing.

    Args:
        profile: The profile to examine.
        deep: Whether to read all data, where the database can check them (SQLite).

    Of several hosts each is asked besides, on a connection of its own, what it is to the others.

    Returns:
        The findings, the worst first.

    Raises:
        ConnectError: The database can't be reached, or takes no part in its cluster.
    """
    from dbctl.connections.response_timeouts import bound_questions

    with opened(profile) as connector:
        bound_questions(connector.engine, connector.backend)
        refuse_nodes(connector.engine, connector.backend)
        with connector.engine.connect() as connection:
            facts = connector.backend.facts(connection, deep=deep)
            cluster = _cluster(connector.backend, connection)
    cluster += findings_among(profile)
    found = [*(finding for rule in RULES for finding in rule(profile, facts)), *facts.findings, *cluster]
    return sorted(found, key=lambda finding: -finding.level.rank)


def _cluster(backend: Backend, connection: Connection) -> list[Finding]:
    if not backend.needs_host:
        return []
    questions = Questions(backend, connection, introduces=False)
    view = questions.ask("topology", backend.view)
    return [*questions.findings, *(findings_of(backend.profile, view) if view else ())]
