"""PostgreSQL's streaming replication: a primary, and standbys that follow it, or one another.

https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.migrating import Migrating
from dbctl.backends.nodes import Nodes, Peer, View
from dbctl.backends.postgresql.relatives import AURORA
from dbctl.errors import WorkRefused
from dbctl.profiles.places import Place

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The timeline of the last checkpoint is that before a promotion, until there is another checkpoint.
_SELF = """
SELECT pg_is_in_recovery(), split_part(current_setting('server_version'), ' ', 1), current_setting('cluster_name'),
    (SELECT system_identifier::text FROM pg_control_system()),
    CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END,
    current_setting('synchronous_standby_names'), pg_postmaster_start_time()::text
"""
# Where nothing is on its way a standby is as new as its primary, however long ago that has written something. One that
# has replayed no COMMIT since it was started is behind by no more than that.
LAG = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN NULL
    WHEN receives AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE greatest(0, coalesce(extract(epoch FROM clock_timestamp() - coalesce(pg_last_xact_replay_timestamp(),
        CASE WHEN receives THEN pg_postmaster_start_time() END)), 'infinity')) END::float8
FROM (SELECT EXISTS (SELECT FROM pg_stat_wal_receiver) AS receives) AS own
"""
_ABOVE = "SELECT status, sender_host, sender_port, received_tli FROM pg_stat_wal_receiver"
# Of a standby that replays nothing at the moment its last lag is told still; the position says that there is none.
_BELOW = """
SELECT application_name, host(client_addr), state, sync_state,
    CASE WHEN replay_lsn >= now_at THEN 0 ELSE extract(epoch FROM replay_lag) END::float8,
    CASE WHEN replay_lsn IS NOT NULL THEN greatest(0, pg_wal_lsn_diff(now_at, replay_lsn))::bigint END
FROM pg_stat_replication,
    (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS now_at) AS own
ORDER BY 1, 2
"""
# A standby has its primary's databases with their numbers, and nothing that its primary has not had before.
_KIN = """
SELECT (SELECT oid::text || ' ' || datname FROM pg_database WHERE datname = current_database()), pg_is_in_recovery(),
    has_function_privilege('pg_control_system()', 'EXECUTE')
"""
# Aurora has no log of its own that could be asked for.
_REPLAYED = f"SELECT CASE WHEN {AURORA} IS NULL THEN pg_last_wal_replay_lsn()::text END"
_WAS_BEFORE = f"""
SELECT CASE WHEN {AURORA} IS NULL THEN coalesce(CAST(%(replayed)s AS pg_lsn) <= pg_current_wal_insert_lsn(), true)
    ELSE true END
"""
_SYSTEM = "SELECT system_identifier FROM pg_control_system()"
_UNTOLD = "the user may not see who follows whom; GRANT pg_monitor lets it"
_NAMED = re.compile(r"(?P<way>FIRST|ANY)?\s*(?:(?P<number>\d+)\s*\()?(?P<names>[^()]*)\)?", re.IGNORECASE)


class PostgreSQLNodes(Migrating, Nodes):
    """What a PostgreSQL server tells of its standbys, or of its primary."""

    def shares_tables(self, connection: Connection, other: Connection) -> bool:
        """Compare also a standby with its primary: the system's number, and how far each has come.

        Two primaries are two databases, also where one was made of a copy of the other.

        Raises:
            WorkRefused: One may be a standby of the other, and it is not told to this user.
        """
        if self.leads_here(connection, other):
            return True
        if connection.dialect.name != other.dialect.name:
            return False
        ours, theirs = (tuple(one.exec_driver_sql(_KIN).one()) for one in (connection, other))
        if ours[0] != theirs[0] or ours[1] == theirs[1]:
            return False
        standby, primary = (connection, other) if ours[1] else (other, connection)
        replayed = standby.exec_driver_sql(_REPLAYED).scalar()
        if not primary.exec_driver_sql(_WAS_BEFORE, {"replayed": replayed}).scalar():
            return False
        if not (ours[2] and theirs[2]):
            message = "one is a standby, perhaps of the other: pg_control_system() is not told to this user"
            raise WorkRefused(message, "name its primary, or GRANT EXECUTE ON FUNCTION pg_control_system() on both")
        here, there = (one.exec_driver_sql(_SYSTEM).scalar() for one in (connection, other))
        return bool(here == there)

    def view(self, connection: Connection) -> View:
        """Ask for its timeline, whom it follows, and who follows it."""
        standby, version, name, system, timeline, awaited, start = connection.exec_driver_sql(_SELF).one()
        state, followed, notes = None, [], set()
        for status, host, port, received in connection.exec_driver_sql(_ABOVE):
            state, timeline = status, received or timeline
            if host is None:
                notes.add(_UNTOLD)
            else:
                followed.append(Peer(place=Place(host, int(port)), role=None, is_above=True))
        below = list(connection.exec_driver_sql(_BELOW))
        if any(each.state is None for each in below):
            notes.add(_UNTOLD)
        if standby and state is None and not notes:
            state = "receives nothing"
        return View(
            role="standby" if standby else "primary",
            version=version,
            itself=f"{system} {start}",
            name=name or None,
            state=state,
            cluster=system,
            timeline=timeline,
            lag_s=connection.exec_driver_sql(LAG).scalar(),
            peers=[*followed, *map(_follower, below)],
            missing=None if standby or notes else missing(awaited, [tuple(each)[0:4:3] for each in below]),
            notes=sorted(notes),
        )


def _follower(row: Any) -> Peer:
    name, host, state, sync, seconds, size = row
    told = ", ".join(filter(None, (state, sync)))
    return Peer(
        name=name or None,
        host=host,
        role="standby",
        state=told or None,
        lag_s=None if seconds is None or math.isinf(seconds) else seconds,
        lag_bytes=size,
        is_below=True,
    )


def missing(awaited: str, following: Sequence[Any]) -> str | None:
    """Return which synchronous standbys a COMMIT waits for in vain; None where it waits for nobody who is not there.

    https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES

    Args:
        awaited: The setting `synchronous_standby_names`.
        following: The name and the synchronous state of each standby that follows.
    """
    match = _NAMED.fullmatch(awaited.strip())
    if not awaited.strip() or match is None:
        return None
    needed = int(match["number"] or 1)
    there = sum(sync in {"sync", "quorum"} for _, sync in following)
    if there >= needed:
        return None
    return ", ".join(_absent(match["names"], {name for name, _ in following})) or awaited.strip()


def _absent(names: str, there: set[str]) -> Iterator[str]:
    for name in (part.strip().strip('"') for part in names.split(",")):
        if name == "*":
            yield "any standby"
        elif name and name not in there:
            yield name
