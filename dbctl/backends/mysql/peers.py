"""MySQL's and MariaDB's clusters: replicas of a source, the nodes of Galera, the members of a replication group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from dbctl.backends.migrating import Migrating
from dbctl.backends.nodes import Nodes, Peer, View
from dbctl.profiles.places import Place

if TYPE_CHECKING:
    from sqlalchemy import Connection

_GALERA = "SHOW GLOBAL STATUS LIKE 'wsrep_%%'"
_VARIABLES = """
SHOW GLOBAL VARIABLES WHERE variable_name IN ('version', 'read_only', 'super_read_only', 'wsrep_on', 'wsrep_node_name',
    'wsrep_reject_queries', 'group_replication_group_name', 'report_host', 'server_uuid', 'hostname', 'port',
    'socket')
"""
_MEMBERS = """
SELECT member_id, member_host, member_port, member_state, member_role, member_version
FROM performance_schema.replication_group_members ORDER BY member_host, member_port
"""
# Where nothing waits and nothing is being applied a member is as new as the others, however long ago one has written.
GROUP_LAG = """
SELECT CASE WHEN oldest IS NULL AND waiting = 0 THEN 0
    ELSE timestampdiff(MICROSECOND, coalesce(oldest, newest), now(6)) / 1000000 END
FROM (
    SELECT min(nullif(applying_transaction_original_commit_timestamp, 0)) AS oldest,
        max(nullif(last_applied_transaction_original_commit_timestamp, 0)) AS newest,
        (SELECT count_transactions_remote_in_applier_queue FROM performance_schema.replication_group_member_stats
         WHERE member_id = @@server_uuid) AS waiting
    FROM performance_schema.replication_applier_status_by_worker WHERE channel_name = 'group_replication_applier'
) AS own
"""
# Newer servers have the second word of each, and some only that.
FOLLOWED = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
_FOLLOWING = ("SHOW REPLICAS", "SHOW REPLICA HOSTS", "SHOW SLAVE HOSTS")
_KIN = """
SHOW GLOBAL VARIABLES WHERE variable_name IN (
    'read_only', 'super_read_only', 'server_uuid', 'group_replication_group_name'
)
"""
_REPLAYS = "SHOW GLOBAL STATUS LIKE 'Slaves_running'"
SYNTAX = 1064
_DENIED = (1227, 1142)
_UNTOLD = "the user may not see who follows whom; GRANT REPLICATION CLIENT, and REPLICATION SLAVE, let it"
_UNTOLD_GROUP = "the user may not see the group's members; GRANT SELECT ON performance_schema.* lets it"
_UNTOLD_MARIADB = "the user may not see who follows whom; GRANT REPLICA MONITOR, and REPLICATION MASTER ADMIN, let it"


class MySQLNodes(Migrating, Nodes):
    """What a server of MySQL or MariaDB tells of the others."""

    def error_code(self, error: BaseException) -> Any:
        """Return the driver's code for an error."""
        raise NotImplementedError

    def view(self, connection: Connection) -> View:
        """Ask for the kind of cluster that it is in, and for the others in that."""
        said = {name.lower(): value for name, value in connection.exec_driver_sql(_VARIABLES)}
        role = "standby" if "ON" in (said.get("read_only"), said.get("super_read_only")) else "primary"
        version, itself = said["version"].split("-")[0], said.get("server_uuid") or _address_of(said)
        if said.get("wsrep_on") == "ON":
            return _of_galera(dict(map(tuple, connection.exec_driver_sql(_GALERA))), role, version, said, itself)
        notes: set[str] = set()
        if said.get("group_replication_group_name"):
            members = self._first_of(connection, [_MEMBERS], notes, _UNTOLD_GROUP)
            lag = self._first_of(connection, [GROUP_LAG], notes, _UNTOLD_GROUP) if role == "standby" else ()
            view = _of_group(members, role, version, said, itself)
            if not members and notes:
                view = replace(view, role=role, state=None)
            return replace(view, lag_s=next((float(s) for (s,) in lag if s is not None), None), notes=sorted(notes))
        untold = _UNTOLD_MARIADB if "MariaDB" in said["version"] else _UNTOLD
        above = self._first_of(connection, FOLLOWED, notes, untold)
        below = self._first_of(connection, _FOLLOWING, notes, untold)
        followed = [dict(zip(map(str.lower, row._fields), row, strict=True)) for row in above]
        following = [dict(zip(map(str.lower, row._fields), row, strict=True)) for row in below]
        return View(
            role=role,
            version=version,
            itself=itself,
            name=said.get("report_host") or None,
            state=next(map(_state_of, followed), None),
            lag_s=max(map(lag_of, followed), default=None),
            peers=[*map(source_of, followed), *map(_replica, following)],
            notes=sorted(notes),
        )

    def shares_tables(self, connection: Connection, other: Connection) -> bool:
        """Compare also the groups of replication, and what a replica has done with what its source has."""
        if super().shares_tables(connection, other):
            return True
        dialects: Any = (connection.dialect, other.dialect)
        if len({getattr(one, "is_mariadb", None) for one in dialects}) > 1:
            return False
        if len({one.exec_driver_sql("SELECT database()").scalar() for one in (connection, other)}) > 1:
            return False
        groups = {_said(one, _KIN).get("group_replication_group_name") for one in (connection, other)}
        if len(groups) == 1 and all(groups):
            return True
        return self._replicates(other, connection) or self._replicates(connection, other)

    def _replicates(self, replica: Connection, source: Connection) -> bool:
        """Tell whether a server replicates from another one, straight or through others.

        That it replicates at all it may not tell this user; then it does where it lets nobody write, as replicas do.
        """
        notes: set[str] = set()
        rows = self._first_of(replica, FOLLOWED, notes, _UNTOLD)
        said = _said(replica, _KIN)
        if notes:
            reads = "ON" in (said.get("read_only"), said.get("super_read_only"))
            if not reads and _said(replica, _REPLAYS).get("slaves_running", "0") == "0":
                return False
        elif not rows:
            return False
        followed = [dict(zip(map(str.lower, row._fields), row, strict=True)) for row in rows]
        uuids = {each.get("source_uuid", each.get("master_uuid")) for each in followed} - {None}
        dialect: Any = replica.dialect
        if dialect.is_mariadb:
            return _has_all_of_mariadbs(replica, source)
        return _said(source, _KIN).get("server_uuid") in uuids or _has_all(replica, source, said["server_uuid"])

    def _first_of(
        self, connection: Connection, statements: Sequence[str], notes: set[str], untold: str
    ) -> Sequence[Any]:
        """Return the rows of the first of several statements that the server knows."""
        for statement in statements:
            try:
                return connection.exec_driver_sql(statement).all()
            except DBAPIError as error:
                code = self.error_code(error.orig) if error.orig else None
                if code in _DENIED:
                    notes.add(untold)
                    return ()
                if code != SYNTAX:
                    raise
        return ()


def _said(connection: Connection, query: str) -> dict[str, Any]:
    return {name.lower(): value for name, value in connection.exec_driver_sql(query)}


def _has_all(replica: Connection, source: Connection, uuid: str) -> bool:
    """Tell whether one has committed whatever the other has replayed.

    https://dev.mysql.com/doc/refman/8.4/en/gtid-functions.html
    """
    executed = str(replica.exec_driver_sql("SELECT @@global.gtid_executed").scalar()).replace("\n", "")
    replayed = ",".join(part for part in executed.split(",") if part and not part.startswith(uuid))
    query = "SELECT GTID_SUBSET(%s, @@global.gtid_executed)"
    return bool(replayed and source.exec_driver_sql(query, (replayed,)).scalar())


def _has_all_of_mariadbs(replica: Connection, source: Connection) -> bool:
    """Tell the same of MariaDB's, whose numbers are a domain's, a server's and an event's.

    https://mariadb.com/docs/server/ha-and-performance/standard-replication/gtid
    """
    replayed = _events(replica.exec_driver_sql("SELECT @@global.gtid_slave_pos").scalar_one())
    has = "SELECT concat(@@global.gtid_slave_pos, ',', @@global.gtid_binlog_state)"
    committed = _events(source.exec_driver_sql(has).scalar_one())
    return bool(replayed) and all(number <= committed.get(place, -1) for place, number in replayed.items())


def _events(told: str) -> dict[str, int]:
    """Return the number of the last event by its domain and server: `{"0-1": 270}` of `0-1-270`."""
    found: dict[str, int] = {}
    for place, _, number in (part.strip().rpartition("-") for part in told.split(",")):
        if place:
            found[place] = max(int(number), found.get(place, 0))
    return found


def _address_of(said: Mapping[str, Any]) -> str:
    return " ".join(str(said.get(name)) for name in ("hostname", "port", "socket"))


def _of_galera(status: Mapping[str, Any], role: str, version: str, said: Mapping[str, Any], itself: str) -> View:
    """Return what a node of Galera's says; the others' addresses it knows as they have named them.

    https://galeracluster.com/library/documentation/galera-status-variables.html
    """
    takes_part = status.get("wsrep_ready") == "ON" and said.get("wsrep_reject_queries", "NONE") == "NONE"
    state = f"{status.get('wsrep_local_state_comment')}, {status.get('wsrep_cluster_status')}"
    state += f", {status.get('wsrep_cluster_size')} in the cluster"
    return View(
        role=role if takes_part else "apart",
        version=version,
        itself=itself,
        name=said.get("wsrep_node_name") or None,
        state=state,
        cluster=status.get("wsrep_cluster_state_uuid") or None,
        peers=list(_incoming(status.get("wsrep_incoming_addresses") or "")),
    )


def _incoming(addresses: str) -> Iterator[Peer]:
    for address in filter(None, (part.strip() for part in addresses.split(","))):
        host, _, port = address.rpartition(":")
        if port.isdecimal() and int(port):  # a node may tell the others no port, or nothing at all
            yield Peer(place=Place(host.strip("[]"), int(port)), role="primary")


def _of_group(members: Sequence[Any], role: str, version: str, said: Mapping[str, Any], itself: str) -> View:
    """Return what a member of a replication group says.

    https://dev.mysql.com/doc/refman/8.4/en/performance-schema-replication-group-members-table.html
    """
    own = next((each for each in members if each[0] == said.get("server_uuid")), None)
    away = sum(state == "UNREACHABLE" for _, _, _, state, _, _ in members)
    is_majority = away * 2 < len(members)
    takes_part = own is not None and own[3] in {"ONLINE", "RECOVERING"} and is_majority
    peers = [
        Peer(
            place=Place(str(host), int(port)) if host else None,
            role="primary" if part == "PRIMARY" else "standby",
            state=state.lower(),
            version=version,
        )
        for _, host, port, state, part, version in members
    ]
    state = own[3].lower() + ("" if is_majority else ", without a majority") if own else "offline"
    group = said["group_replication_group_name"]
    return View(role if takes_part else "apart", version, itself, state=state, cluster=group, peers=peers)


def lag_of(followed: Mapping[str, Any]) -> float:
    """Return the seconds behind; the server tells none where one of its two threads does not run."""
    behind = followed.get("seconds_behind_source", followed.get("seconds_behind_master"))
    return math.inf if behind is None else float(behind)


def _state_of(followed: Mapping[str, Any]) -> str:
    receives = followed.get("replica_io_running", followed.get("slave_io_running"))
    replays = followed.get("replica_sql_running", followed.get("slave_sql_running"))
    return f"receives: {receives}, replays: {replays}".lower()


def source_of(followed: Mapping[str, Any]) -> Peer:
    """Return the server that another one replicates from."""
    host = followed.get("source_host", followed.get("master_host"))
    port = followed.get("source_port", followed.get("master_port"))
    return Peer(place=Place(str(host), int(port or 3306)), is_above=True)


def _replica(following: Mapping[str, Any]) -> Peer:
    host, port = following.get("host"), following.get("port")
    place = Place(host, int(port)) if host and port else None
    return Peer(name=f"server {following.get('server_id')}", place=place, role="standby", is_below=True)
