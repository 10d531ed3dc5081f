"""Clusters of MySQL's and MariaDB's whose machines all take writes, or take over: Galera, and group replication.

https://galeracluster.com/library/documentation/ and https://dev.mysql.com/doc/refman/8.4/en/group-replication.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Backend
from dbctl.backends.findings import Figures, Finding, Level
from dbctl.backends.lock_statements import TABLE, by_row, later
from dbctl.errors import ConnectError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.profiles.model import Profile

Ask = Callable[[str], Sequence[Sequence[Any]]]
"""Runs a query and returns its rows."""

# A node says by itself that Galera is at work in it; a member has the group's plug-in, and a group's name.
_SIGNS = """
SHOW GLOBAL VARIABLES WHERE variable_name IN (
    'wsrep_on', 'wsrep_node_name', 'wsrep_node_address', 'wsrep_reject_queries', 'group_replication_group_name',
    'group_replication_single_primary_mode', 'super_read_only'
)
"""
_GALERA = """
SHOW GLOBAL STATUS WHERE variable_name IN (
    'wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state_comment', 'wsrep_cluster_size'
)
"""
_MEMBERS = """
SELECT member_id = @@server_uuid, member_host, member_port, member_state, member_role
FROM performance_schema.replication_group_members
"""

_UNFIT = """
SELECT table_name FROM information_schema.tables t
WHERE table_schema = database() AND table_type = 'BASE TABLE' AND (engine <> 'InnoDB' OR NOT EXISTS (
    SELECT 1 FROM information_schema.table_constraints c
    WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name AND c.constraint_type = 'PRIMARY KEY'
)) ORDER BY table_name
"""
_SHOWN = 5
"""Tables that are named; the rest is counted."""

_SELECT_DENIED = 1142

_NOW = "utc_timestamp(6)"

ROW_LOCK = by_row(
    table=f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    name VARCHAR(190) NOT NULL PRIMARY KEY,
    token CHAR(32) NOT NULL,
    holder VARCHAR(255) NOT NULL,
    expires DATETIME(6) NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
""",
    # Assignments see those to their left: the rest of the row is the token's.
    upsert=f"""
INSERT INTO {TABLE} (name, token, holder, expires) VALUES (:name, :token, :holder, {later(_NOW)})
ON DUPLICATE KEY UPDATE token = IF(expires < {_NOW}, :token, token),
    holder = IF(token = :token, :holder, holder), expires = IF(token = :token, {later(_NOW)}, expires)
""",
    now=_NOW,
)


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, as it sees itself.

    Attributes:
        kind: What the cluster is.
        name: What the machine is called, with its address.
        state: How it takes part, in the cluster's own words.
        trouble: Why nothing can be relied upon that it says, or "".
        size: How many there are that it is connected with, itself among them; 0 where it does not tell.
        writers: Whether several take writes.
    """

    kind: str
    name: str
    state: str
    trouble: str
    size: int
    writers: bool


def node_of(ask: Ask) -> Node | None:
    """Ask a server which machine of a cluster it is; None where it is of none."""
    signs = _pairs(ask(_SIGNS))
    if signs.get("wsrep_on") == "ON":
        return _galera_node(signs, _pairs(ask(_GALERA)))
    if signs.get("group_replication_group_name"):
        return _group_member(signs, ask(_MEMBERS))
    return None


def needs_row_locks(connection: Connection) -> bool:
    """Tell whether the server takes writes as one of several, or takes over: each has sessions' locks of its own."""
    signs = _pairs(connection.exec_driver_sql(_SIGNS).all())
    is_one = signs.get("wsrep_on") == "ON" or bool(signs.get("group_replication_group_name"))
    return is_one and signs.get("super_read_only") != "ON"


def _pairs(rows: Sequence[Sequence[Any]]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in rows}


def _galera_node(signs: Mapping[str, str], status: Mapping[str, str]) -> Node:
    ready, part, state = (
        status.get(f"wsrep_{each}", "") for each in ("ready", "cluster_status", "local_state_comment")
    )
    rejects = signs.get("wsrep_reject_queries", "NONE")
    trouble = ""
    if ready != "ON" or part != "Primary":
        trouble = f"wsrep_cluster_status = {part}, wsrep_ready = {ready}, wsrep_local_state_comment = {state}"
    elif rejects != "NONE":
        trouble = f"wsrep_reject_queries = {rejects}"
    name, address = signs.get("wsrep_node_name", ""), signs.get("wsrep_node_address", "")
    size = int(status.get("wsrep_cluster_size", 0))
    return Node("Galera cluster", f"{name} ({address})" if address else name, f"{part}, {state}", trouble, size, True)


def _group_member(signs: Mapping[str, str], members: Sequence[Sequence[Any]]) -> Node:
    single = signs.get("group_replication_single_primary_mode") == "ON"
    own = next((member for member in members if member[0]), None)
    if own is None:
        return Node("replication group", "this server", "OFFLINE", "member_state = OFFLINE", len(members), not single)
    _, host, port, state, role = own
    away = sum(member[3] == "UNREACHABLE" for member in members)
    trouble = "" if state == "ONLINE" else f"member_state = {state}"
    if not trouble and away * 2 >= len(members):
        trouble = f"{away} of {len(members)} members are UNREACHABLE to it, so that nothing can be committed"
    return Node("replication group", f"{host}:{port}", f"{state}, {role}", trouble, len(members) - away, not single)


class MySQLClusters(Backend):
    """Whether a machine takes part in its cluster."""

    def refuse_node(self, driver_connection: Any) -> None:
        """Refuse one that takes no part, and name it; a user who may not see the group's members hears nothing."""
        try:
            node = node_of(asking(driver_connection))
        except self.driver_errors() as error:
            if self.error_code(error) != _SELECT_DENIED:
                raise
            return
        if node and node.trouble:
            message = f"{self.profile.called}: {node.name} takes no part in its {node.kind}: {node.trouble}"
            raise ConnectError(message, "cluster", transient=True)


def asking(driver_connection: Any) -> Ask:
    """Return what asks on a connection of a driver's."""

    def ask(query: str) -> Sequence[Sequence[Any]]:
        with closing(driver_connection.cursor()) as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    return ask


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
