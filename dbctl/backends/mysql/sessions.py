"""MySQL's and MariaDB's sessions.

https://dev.mysql.com/doc/refman/8.4/en/information-schema-processlist-table.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dbctl.backends.mysql.engine import MySQL
from dbctl.backends.mysql.locks import WAITS, WAITS_FOR_LOCK, WAITS_SINCE_8
from dbctl.backends.mysql.metadata_locks import METADATA_LOCKS, MetadataLock, blockers_by_metadata
from dbctl.backends.sessions import Sessions, SessionsThere, SessionThere, State

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ROUNDED = 1.0
"""Seconds by which two that are told in whole ones, by two questions, may seem to have begun in another order."""

_SESSIONS = "SELECT id, user, host, db, command, time, state, info FROM information_schema.processlist"
_TRANSACTIONS = """
SELECT trx_mysql_thread_id, timestampdiff(MICROSECOND, trx_started, now(6)) / 1000000, trx_state
FROM information_schema.innodb_trx
"""
_ROW_WAITS = """
SELECT DISTINCT waiting.trx_mysql_thread_id, holder.trx_mysql_thread_id FROM {waits}
JOIN information_schema.innodb_trx waiting ON waiting.trx_id = {requesting}
JOIN information_schema.innodb_trx holder ON holder.trx_id = {blocking}
"""
# MariaDB's plug-in tells who has a lock; who waits for one is told by its state alone.
_LOCK_INFO = "SELECT DISTINCT thread_id, table_schema, table_name FROM information_schema.metadata_lock_info"
_PROGRAMS = """
SELECT processlist_id, attr_value FROM performance_schema.{view} WHERE attr_name = 'program_name'
"""
_SUPERUSERS = """
SELECT DISTINCT grantee FROM information_schema.user_privileges WHERE privilege_type IN ('SUPER', 'CONNECTION_ADMIN')
"""

_NOT_TOLD = {1142, 1227, 1109, 1146, 1044, 1193}
"""Errors for a privilege that is lacking, and for a table or a variable that this server has not."""

_WAITING = re.compile(r"^Waiting for ", re.IGNORECASE)
_METADATA_WAIT = re.compile(r"(Waiting for )?.*metadata lock", re.IGNORECASE)
_ROW = "row lock"
_OWN_USERS = {"system user", "event_scheduler", "root", "mysql.session", "mysql.sys", "mariadb.sys"}
"""Users of the server's own, and the one that is its superuser where nobody tells who is."""
_PREPARED = "prepared"
_NO_SUCH_THREAD = 1094


@dataclass
class Told:
    """What was told beside the list of sessions; None where it was not."""

    transactions: Mapping[int, tuple[float, str]] | None
    blocking: dict[int, list[int | str]] = field(default_factory=dict)
    programs: Mapping[int, str] = field(default_factory=dict)
    superusers: Sequence[str] = ()
    metadata: bool = False
    untold: list[str] = field(default_factory=list)
    unseen: str | None = None

    def keep(self, sessions: Set[int]) -> None:
        """Forget who is not there any more: InnoDB tells of its locks as they were up to 0.1 s ago."""
        for waiting, holders in self.blocking.items():
            self.blocking[waiting] = [each for each in holders if each == _PREPARED or each in sessions]


class MySQLSessions(Sessions, MySQL):
    """Who is connected, and how that is ended."""

    def sessions_there(self, connection: Connection) -> SessionsThere:
        """Ask for the sessions that the user may see, and who waits for whom."""
        row = connection.exec_driver_sql("SELECT database(), connection_id(), current_user(), version()").one()
        database, own, user, version = row
        told = self._told(connection, user, mariadb="MariaDB" in version)
        rows = connection.exec_driver_sql(_SESSIONS).all()
        told.keep({each.id for each in rows})
        sessions = [session_of(each, told, own) for each in rows]
        if any(_PREPARED in blockers for blockers in told.blocking.values()):
            sessions.append(SessionThere(_PREPARED, State.PREPARED, is_client=False))
            told.untold.append("which transaction is prepared is told by: XA RECOVER")
        if not told.metadata:
            sessions = _with_suspects(sessions)
            waiting = [str(each.id) for each in sessions if _waits_for_nobody_told(each)]
            if waiting:
                told.untold.append(_how_to_tell(", ".join(waiting), user, mariadb="MariaDB" in version))
        return SessionsThere(database, sessions, told.untold, told.unseen)

    def end_session(self, connection: Connection, session: SessionThere, *, terminate: bool) -> None:
        """Kill the session, or its query; numbers are not given twice."""
        connection.exec_driver_sql(f"{self.kill} {'CONNECTION' if terminate else 'QUERY'} {int(session.id)}")

    def is_gone(self, error: BaseException) -> bool:
        """Look for the error of a thread that is not there."""
        return bool(self.error_code(error) == _NO_SUCH_THREAD)

    def _told(self, connection: Connection, user: str, *, mariadb: bool) -> Told:
        trx = self._asked(connection, _TRANSACTIONS)
        told = Told(None if trx is None else {row[0]: (max(0.0, float(row[1])), row[2]) for row in trx})
        if trx is None:
            told.unseen = (
                f"other accounts' sessions, and all transactions, are not told to {user}; they are with: "
                f"GRANT PROCESS ON *.* TO {_quoted(user)}"
            )
            told.untold.append(told.unseen)
        rows = self._asked(connection, _ROW_WAITS.format(**(WAITS if mariadb else WAITS_SINCE_8)))
        for waiting, holder in rows or ():
            told.blocking.setdefault(waiting, []).append(holder or _PREPARED)
        if rows is None and trx is not None:
            told.untold.append(
                f"who waits for a row is not told to {user}; it is with: "
                f"GRANT SELECT ON performance_schema.* TO {_quoted(user)}"
            )
        locks = self._metadata_locks(connection, mariadb=mariadb)
        told.metadata = locks is not None
        for waiting, holders in blockers_by_metadata(locks or ()).items():
            told.blocking.setdefault(waiting, []).extend(holders)
        for view in ("session_connect_attrs", "session_account_connect_attrs"):
            if programs := self._asked(connection, _PROGRAMS.format(view=view)):
                told.programs = {row[0]: row[1] for row in programs}
                break
        told.superusers = [row[0] for row in self._asked(connection, _SUPERUSERS) or ()]
        return told

    def _metadata_locks(self, connection: Connection, *, mariadb: bool) -> Sequence[MetadataLock] | None:
        """Return the locks on what somebody waits for; None where nobody tells."""
        rows = self._asked(connection, METADATA_LOCKS)
        if rows or (rows is not None and not mariadb):
            return [MetadataLock.of(row) for row in rows]
        held = self._asked(connection, _LOCK_INFO) if mariadb else None
        return None if held is None else self._locks_by_plugin(connection, held)

    def _locks_by_plugin(self, connection: Connection, held: Sequence[Any]) -> Sequence[MetadataLock]:
        """Return each lock that is had, and for who waits one on each table that his statement names."""
        found = [MetadataLock((row[1], row[2]), "EXCLUSIVE", True, row[0]) for row in held]
        places = {lock.place for lock in found if lock.place[1]}
        for session in connection.exec_driver_sql(_SESSIONS):
            if _METADATA_WAIT.match(session.state or ""):
                named = (
                    place for place in places if re.search(rf"\b{re.escape(place[1] or '')}\b", session.info or "")
                )
                found += [MetadataLock(place, "EXCLUSIVE", False, session.id) for place in named]
        return found

    def _asked(self, connection: Connection, query: str) -> Sequence[Any] | None:
        """Return the rows of a query; None where the server has no such table, or the user may not read it."""
        from sqlalchemy.exc import DBAPIError

        try:
            return connection.exec_driver_sql(query).all()
        except DBAPIError as error:
            if error.connection_invalidated or self.error_code(error.orig or error) not in _NOT_TOLD:
                raise
            return None


def session_of(row: Any, told: Told, own: int) -> SessionThere:
    """Return a session as a row of a list of processes tells of it, and what was told besides.

    Args:
        row: The row.
        told: What was told.
        own: The number of the session that asks.
    """
    transaction = (told.transactions or {}).get(row.id)
    blockers = tuple(dict.fromkeys(told.blocking.get(row.id, ())))
    waits: str | None = row.state if WAITS_FOR_LOCK.match(row.state or "") else None
    if waits is None and (blockers or (transaction and transaction[1] == "LOCK WAIT")):
        waits = _ROW
    if waits:
        state = State.WAITING
    elif row.command == "Sleep":
        state = State.IDLE_IN_TRANSACTION if transaction else State.IDLE
    else:
        state = State.ACTIVE
    is_client = row.command not in {"Daemon", "Binlog Dump", "Slave_IO", "Slave_SQL"} and row.user != "system user"
    return SessionThere(
        id=row.id,
        state=state,
        seconds=None if row.time is None else max(0.0, float(row.time)),
        transaction_seconds=transaction and transaction[0],
        user=row.user,
        database=row.db,
        application=told.programs.get(row.id) if is_client else row.command,
        client=row.host or None,
        statement=row.info,
        waits_for=_WAITING.sub("", waits or row.state) if waits or _WAITING.match(row.state or "") else None,
        blocked_by=blockers,
        is_own=row.id == own,
        is_superuser=row.user in _OWN_USERS or any(name.startswith(f"'{row.user}'@") for name in told.superusers),
        is_client=is_client,
    )


def _with_suspects(sessions: Sequence[SessionThere]) -> list[SessionThere]:
    """Return sessions of which each that waits for a table has those as suspects that have a transaction by then."""
    having = [each for each in sessions if each.transaction_seconds is not None and not each.is_own]

    def suspects(waiting: SessionThere) -> Iterator[int | str]:
        for each in having:
            if each.id != waiting.id and (each.transaction_seconds or 0) + _ROUNDED >= (waiting.seconds or 0):
                yield each.id

    return [
        replace(each, suspects=tuple(suspects(each)))
        if _METADATA_WAIT.match(each.waits_for or "") and not each.blocked_by
        else each
        for each in sessions
    ]


def _waits_for_nobody_told(session: SessionThere) -> bool:
    return session.state is State.WAITING and session.waits_for != _ROW and not session.blocked_by


def _how_to_tell(waiting: str, user: str, *, mariadb: bool) -> str:
    what = f"who holds what session {waiting} waits for is not told; for a table those with a transaction are suspects"
    if mariadb:
        return f"{what}; it is after: INSTALL SONAME 'metadata_lock_info' (or with performance_schema = ON, mdl=ON)"
    return f"{what}; it is with: GRANT SELECT ON performance_schema.* TO {_quoted(user)}"


def _quoted(user: str) -> str:
    name, _, host = user.rpartition("@")
    return f"'{name}'@'{host}'"


backend = MySQLSessions
