"""Clusters of MySQL's and MariaDB's whose machines all take writes, or take over: Galera, and group replication.

https://galeracluster.com/library/documentation/ and https://dev.mysql.com/doc/refman/8.4/en/group-replication.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Backend
from dbctl.backends.hosts import APART
from dbctl.backends.lock_statements import TABLE, LockStatements, by_row, later
from dbctl.errors import ConnectError, WorkRefused
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

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

_SELECT_DENIED = 1142

_NOW = "utc_timestamp(6)"

_TABLE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    name VARCHAR(190) NOT NULL PRIMARY KEY,
    token CHAR(32) NOT NULL,
    holder VARCHAR(255) NOT NULL,
    expires DATETIME(6) NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
"""
_UPSERT = f"""
INSERT INTO {TABLE} (name, token, holder, expires) VALUES (:name, :token, :holder, {later(_NOW)})
ON DUPLICATE KEY UPDATE token = token
"""

GALERA_LOCK = by_row(table=_TABLE, upsert=_UPSERT, now=_NOW, fresh=["SET STATEMENT wsrep_sync_wait = 1 FOR {}"])
GROUP_LOCK = by_row(
    table=_TABLE, upsert=_UPSERT, now=_NOW, fresh=["SET SESSION group_replication_consistency = 'BEFORE'", "{}"]
)


@record
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
            raise ConnectError(message, APART, transient=True)

    def row_lock(self, connection: Connection) -> LockStatements | None:
        """Return a row's where the server takes writes as one of several, or takes over: each has locks of its own.

        Raises:
            WorkRefused: There is no database for the row.
        """
        signs = _pairs(connection.exec_driver_sql(_SIGNS).all())
        galera, group = signs.get("wsrep_on") == "ON", bool(signs.get("group_replication_group_name"))
        if (not galera and not group) or signs.get("super_read_only") == "ON":
            return None
        if not self.profile.database:
            message = f"{self.profile.called}: on a cluster a lock is a row of a table, and no database is named"
            raise WorkRefused(message, "name one in the profile")
        return GALERA_LOCK if galera else GROUP_LOCK


def asking(driver_connection: Any) -> Ask:
    """Return what asks on a connection of a driver's."""

    def ask(query: str) -> Sequence[Sequence[Any]]:
        with closing(driver_connection.cursor()) as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    return ask
