"""PostgreSQL's sessions.

https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.postgresql.engine import PostgreSQL
from dbctl.backends.sessions import Sessions, SessionsThere, SessionThere, State
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Who waits, pg_locks tells of every role's sessions. pg_blocking_pids holds up the whole lock manager for a moment, and
# so is asked of those alone. A parallel worker waits for its leader's sake.
_SESSIONS = """
SELECT a.pid, CAST(a.backend_start AS text) AS born, a.usename, a.datname, nullif(a.application_name, '') AS program,
    host(a.client_addr) || ':' || a.client_port AS client, a.state, a.wait_event_type, a.wait_event, a.backend_type,
    extract(epoch FROM clock_timestamp()
        - CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END) AS seconds,
    extract(epoch FROM clock_timestamp() - a.xact_start) AS transaction_seconds,
    a.query, coalesce(r.rolsuper, false) AS is_superuser, a.pid = pg_backend_pid() AS is_own,
    w.mode || ' on ' || CASE WHEN w.place IS NULL THEN w.locktype ELSE w.place END AS wanted,
    CASE WHEN w.pid IS NULL THEN '{}' ELSE pg_blocking_pids(a.pid) END AS blocking,
    CAST(to_jsonb(a) ->> 'leader_pid' AS int) AS leader
FROM pg_stat_activity a
LEFT JOIN pg_roles r ON r.oid = a.usesysid
LEFT JOIN (
    SELECT DISTINCT ON (l.pid) l.pid, l.mode, l.locktype,
        CASE WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            THEN CAST(CAST(l.relation AS regclass) AS text) END AS place
    FROM pg_locks l WHERE NOT l.granted
) w ON w.pid = a.pid
"""
# A transaction that is prepared has no process: it is known by the lock that each has on its own number.
_PREPARED = """
SELECT x.gid, x.owner, x.database, extract(epoch FROM clock_timestamp() - x.prepared) AS seconds,
    array_agg(DISTINCT w.pid) FILTER (WHERE w.pid IS NOT NULL) AS waiting
FROM pg_prepared_xacts x
LEFT JOIN pg_locks own ON own.pid IS NULL AND own.granted AND own.transactionid = x.transaction
LEFT JOIN pg_locks h ON h.pid IS NULL AND h.granted AND h.virtualtransaction = own.virtualtransaction
LEFT JOIN pg_locks w ON NOT w.granted AND w.locktype = h.locktype
    AND w.database IS NOT DISTINCT FROM h.database AND w.relation IS NOT DISTINCT FROM h.relation
    AND w.page IS NOT DISTINCT FROM h.page AND w.tuple IS NOT DISTINCT FROM h.tuple
    AND w.transactionid IS NOT DISTINCT FROM h.transactionid
    AND w.classid IS NOT DISTINCT FROM h.classid AND w.objid IS NOT DISTINCT FROM h.objid
GROUP BY x.gid, x.owner, x.database, x.prepared
"""
# The number alone may be another session's by now. Of others' sessions who may end none is not told when they began.
_END = """
SELECT {function}(pid) FROM pg_stat_activity WHERE pid = %s AND coalesce(CAST(backend_start AS text), '') = %s
"""

_STATES = {
    "active": State.ACTIVE,
    "fastpath function call": State.ACTIVE,
    "idle": State.IDLE,
    "idle in transaction": State.IDLE_IN_TRANSACTION,
    "idle in transaction (aborted)": State.IDLE_IN_FAILED_TRANSACTION,
}
_HIDDEN = "<insufficient privilege>"
_NO_PROCESS = 0
"""What pg_blocking_pids has for a transaction that is prepared."""


class PostgreSQLSessions(Sessions, PostgreSQL):
    """Who is connected, and how that is ended."""

    def sessions_there(self, connection: Connection) -> SessionsThere:
        """Ask for the sessions of all databases, and for the transactions that are prepared."""
        connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
        database, role = connection.exec_driver_sql("SELECT current_database(), session_user").one()
        prepared = list(connection.exec_driver_sql(_PREPARED))
        holding = {pid: f"prepared {one.gid}" for one in prepared for pid in one.waiting or ()}
        rows = connection.exec_driver_sql(_SESSIONS).all()
        sessions = [_session(row, holding) for row in rows if row.leader is None]
        sessions += [
            SessionThere(
                id=f"prepared {one.gid}",
                state=State.PREPARED,
                seconds=float(one.seconds),
                transaction_seconds=float(one.seconds),
                user=one.owner,
                database=one.database,
                is_client=False,
            )
            for one in prepared
        ]
        return SessionsThere(database, sessions, list(_untold(rows, role)))

    def end_session(self, connection: Connection, session: SessionThere, *, terminate: bool) -> None:
        """Signal the process, where it is still the same session's."""
        if session.state is State.PREPARED:
            name = str(session.id).removeprefix("prepared ").replace("'", "''")
            raise WorkRefused(f"{session.id} has no session", f"end it by hand: ROLLBACK PREPARED '{name}'")
        function = "pg_terminate_backend" if terminate else "pg_cancel_backend"
        connection.exec_driver_sql(_END.format(function=function), (session.id, session.born))


def _session(row: Any, prepared: Mapping[int, str]) -> SessionThere:
    waits = row.wanted
    state = State.WAITING if waits else _STATES.get(row.state, State.NOT_TOLD)
    # Of others' a role is not told the kind; what has no database or no role is none of a client's.
    kind = row.backend_type or ("client backend" if row.datname and row.usename else "the server's own")
    is_client = kind == "client backend"
    if not is_client and not waits:
        state = State.ACTIVE
    if state is State.ACTIVE and row.wait_event_type not in {None, "Activity", "Client"}:
        waits = f"{row.wait_event_type}: {row.wait_event}"
    return SessionThere(
        id=row.pid,
        state=state,
        seconds=None if row.seconds is None else max(0.0, float(row.seconds)),
        transaction_seconds=None if row.transaction_seconds is None else max(0.0, float(row.transaction_seconds)),
        user=row.usename,
        database=row.datname,
        application=row.program if is_client else kind,
        client=row.client,
        statement=None if row.query in {"", _HIDDEN} else row.query,
        waits_for=waits,
        blocked_by=tuple(dict.fromkeys(_blockers(row, prepared))),
        is_own=row.is_own,
        is_superuser=row.is_superuser or not is_client,
        is_client=is_client,
        born=row.born or "",
    )


def _blockers(row: Any, prepared: Mapping[int, str]) -> Iterator[int | str]:
    for pid in row.blocking:
        yield prepared.get(row.pid, "prepared") if pid == _NO_PROCESS else pid


def _untold(rows: Sequence[Any], role: str) -> Iterator[str]:
    hidden = sum(row.query == _HIDDEN and row.datname is not None for row in rows)
    if hidden:
        whose = "1 session of another role does" if hidden == 1 else f"{hidden} sessions of other roles do"
        yield f'what {whose} is not told to {role}; it is with: GRANT pg_read_all_stats TO "{role}"'


backend = PostgreSQLSessions
