"""What `dbctl doctor` says of a machine of a cluster, and of the service that works there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dbctl.backends.findings import Figures, Finding, Level

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.mysql.clusters import Node
    from dbctl.profiles.model import Profile

_UNFIT = """
SELECT table_name FROM information_schema.tables t
WHERE table_schema = database() AND table_type = 'BASE TABLE' AND (engine <> 'InnoDB' OR NOT EXISTS (
    SELECT 1 FROM information_schema.table_constraints c
    WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name AND c.constraint_type = 'PRIMARY KEY'
)) ORDER BY table_name
"""
_SHOWN = 5
"""Tables that are named; the rest is counted."""


def unfit_tables(connection: Connection) -> Sequence[str]:
    """Return the database's tables that a cluster does not keep alike, or takes no writes for."""
    return [str(name) for (name,) in connection.exec_driver_sql(_UNFIT)]


def findings(
    node: Node, profile: Profile, limit: int | None, variables: Mapping[str, str], unfit: Sequence[str] | None
) -> Iterator[Finding]:
    """Yield what `doctor` says of a machine that takes part.

    Args:
        node: The machine.
        profile: Who works there.
        limit: How many connections one machine takes at a time.
        variables: The session's, as far as they are asked for.
        unfit: What `unfit_tables` returns; None where it can't be told.
    """
    figures: Figures = {"value": node.size, "limit": 3, "unit": "nodes"}
    measured = f"{node.kind} of {node.size}; this is {node.name}: {node.state}"
    if node.size % 2 and node.size > 1:
        yield Finding(Level.OK, "cluster", measured, **figures)
    else:
        level = Level.WARNING if node.size < 3 else Level.NOTE
        why = (
            "More than half have to be there, or none takes writes: of an even number no more may go than of one less."
        )
        yield Finding(level, "cluster", measured, why, "three machines, or five", **figures)
    why = "GET_LOCK and LOCK TABLES exclude nobody on another machine, and are gone when another one takes over."
    if node.writers:
        why = "GET_LOCK, LOCK TABLES and SELECT … FOR UPDATE exclude nobody on another machine; who commits first wins."
    fix = "a lock by --lock NAME is a row, which holds on all; run again what ends in error 1213, as dbctl.run does"
    yield Finding(Level.NOTE, "cluster_locks", "locks of a session are the machine's own", why, fix)
    if unfit is not None:
        yield _tables(unfit)
    yield from _read_your_writes(variables)
    yield from _connections(node, profile, limit)


def _tables(unfit: Sequence[str]) -> Finding:
    if not unfit:
        return Finding(Level.OK, "cluster_tables", "all are InnoDB's and have a primary key")
    told = ", ".join([*unfit[:_SHOWN], *([f"and {len(unfit) - _SHOWN} more"] if len(unfit) > _SHOWN else [])])
    why = "Galera does not keep such tables alike on all machines; a group takes no writes for most of them."
    fix = "ALTER TABLE … ENGINE = InnoDB; ALTER TABLE … ADD PRIMARY KEY"
    return Finding(Level.WARNING, "cluster_tables", f"no primary key, or not InnoDB's: {told}", why, fix)


def _read_your_writes(variables: Mapping[str, str]) -> Iterator[Finding]:
    why = (
        "What was committed on one machine may not be seen yet on another: a request may miss what the last one wrote."
    )
    if (wait := variables.get("wsrep_sync_wait")) is not None:
        if int(wait) & 1:
            yield Finding(Level.OK, "cluster_reads", f"wsrep_sync_wait = {wait}")
        else:
            fix = 'options.init_command = "SET wsrep_sync_wait = 1", where a balancer leads to several machines'
            yield Finding(Level.NOTE, "cluster_reads", f"wsrep_sync_wait = {wait}", why, fix)
    elif (level := variables.get("group_replication_consistency")) is not None:
        measured = f"group_replication_consistency = {level}"
        if level in {"BEFORE", "AFTER", "BEFORE_AND_AFTER"}:
            yield Finding(Level.OK, "cluster_reads", measured)
        else:
            statement = "SET group_replication_consistency = 'BEFORE'"
            fix = f'options.init_command = "{statement}", where a balancer leads to several machines'
            yield Finding(Level.NOTE, "cluster_reads", measured, why, fix)


def _connections(node: Node, profile: Profile, limit: int | None) -> Iterator[Finding]:
    """Hold the pools against what is left when one machine is gone, and all that is had there goes to the rest."""
    if limit is None or node.size < 2 or profile.pool.capacity == float("inf"):
        return
    demand, left = profile.workers * int(profile.pool.capacity), (node.size - 1) * limit
    figures: Figures = {"value": demand, "limit": left, "unit": "connections"}
    measured = f"{demand} of all workers; {node.size} machines take {limit} each, and without one of them {left}"
    if demand <= left:
        yield Finding(Level.OK, "cluster_connections", measured, **figures)
    else:
        why = "When a machine is lost, the rest refuses the connections that come over from it."
        fix = f"raise max_connections to {-(-demand // (node.size - 1))} or more on each, or make the pools smaller"
        yield Finding(Level.WARNING, "cluster_connections", measured, why, fix, **figures)
