"""Locks of PostgreSQL's: advisory ones, and who holds what a session waits for.

https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.backends.lock_statements import LockStatements
from dbctl.backends.locks import Holder
from dbctl.backends.postgresql.relatives import CITUS, PostgreSQLRelatives
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Any number will do that no other program uses for an advisory lock; this one spells "dbctlddl".
_DDL_LOCK = int.from_bytes(b"dbctlddl", "big") >> 1

# https://www.postgresql.org/docs/current/view-pg-locks.html: a key of 64 bits stands there as two of 32
_LOCKS = (
    "FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (CAST(classid AS bigint) << 32 | CAST(objid AS bigint)) = :key"
)

# A transaction that is prepared has no session, and stands there as 0. Behind a pooler, or where one of several hosts
# answers, no session of this user and program has the number that the waiting one is thought to have.
# https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION
_HOLDERS = """
SELECT blocking, holder.application_name
FROM pg_stat_activity waiting, unnest(pg_blocking_pids(waiting.pid)) blocking
LEFT JOIN pg_stat_activity holder ON holder.pid = blocking
WHERE waiting.pid = %s AND waiting.usename = session_user AND waiting.datname = current_database()
    AND waiting.application_name = current_setting('application_name')
GROUP BY blocking, holder.application_name ORDER BY blocking
"""

# A process's number is another one's on another server; one of a pooler's is nobody's.
_IS_THERE = """
SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE pid = %s AND usename = session_user AND datname = current_database())
"""

_TRIES = 4
"""How often is connected for the same server, where a balancer leads to one after the other."""

_BOUNDS = {"connect_timeout": 2, "cursor_factory": None}  # in seconds; libpq advises against fewer


class PostgreSQLLocks(PostgreSQLRelatives):
    """The locks of runs, of DDL, and of others."""

    session_lock = LockStatements(
        take=("SELECT pg_try_advisory_lock(:key)",),
        keep=(f"SELECT count(*) {_LOCKS} AND pid = pg_backend_pid()",),
        give_back="SELECT pg_advisory_unlock(:key)",
        holder=f"SELECT 'session ' || pid {_LOCKS}",
    )

    def limit_lock_waits(self, connection: Connection, seconds: float | None) -> None:
        """Set it LOCAL."""
        value = "DEFAULT" if seconds is None else math.ceil(seconds * 1000)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {value}")

    def lock_key(self, name: str) -> int:
        """Return a number of 63 bits; it is the database's own."""
        return int.from_bytes(hashlib.sha256(f"dbctl:{name}".encode()).digest()[:8], "big") >> 1

    def refuse_lock(self, connection: Connection) -> None:
        """Refuse a standby, a worker of Citus, and a pooler, which shows another process id than the server's."""
        query = f"SELECT pg_backend_pid(), pg_is_in_recovery(), {CITUS} IS NOT NULL"
        pid, standby, citus = connection.exec_driver_sql(query).one()
        driver_connection: Any = connection.connection.driver_connection
        if pid != driver_connection.info.backend_pid:
            raise WorkRefused(
                "a lock would exclude nobody: a pooler such as PgBouncer answers here, which hands its sessions round",
                "connect to the server itself",
            )
        if standby:
            raise WorkRefused("a lock would exclude nobody elsewhere: this is a standby", "take it on the primary")
        if citus:
            self.refuse_worker(connection)

    @contextmanager
    def ddl_lock(self, connection: Connection) -> Iterator[None]:
        """Take a transaction's advisory lock: CREATE TABLE IF NOT EXISTS alone fails when two run it at once."""
        if not connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({_DDL_LOCK})").scalar():
            self._tell_of_ddl_wait()
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_DDL_LOCK})")
        yield

    @contextmanager
    def second_connection(self, beside: Any = None) -> Iterator[Any]:
        """Connect by psycopg2 once more, for what can't be asked on a connection that waits for an answer.

        Args:
            beside: That connection, to whose server it is to lead.
        """
        with self.connection_at(beside, None if beside is None else self._process_of(beside)) as connection:
            yield connection

    @contextmanager
    def connection_at(self, beside: Any, process: int | None = None) -> Iterator[Any]:
        """Connect by psycopg2 once more, to the same host, and where a process's number is given to its server."""
        there = self.at_place(place) if self.chooses and beside and (place := self.place_of(beside)) else {}
        url = self.engine_url()
        _, args = url.get_dialect()().create_connect_args(url)
        with self.through_tunnel() as rerouted:
            keywords = dict(args) | self.connect_args() | _BOUNDS | there | rerouted
            connection = self.logged_in(lambda login: _connected(keywords | login, process), kept=math.inf)
            with closing(connection):
                yield connection

    def _process_of(self, driver_connection: Any) -> int:
        asynchronous = self.transport(driver_connection) is not None
        process = driver_connection.get_server_pid() if asynchronous else driver_connection.info.backend_pid
        return int(process)

    @contextmanager
    def lock_holders(self, driver_connection: Any) -> Iterator[Callable[[], Sequence[Holder]]]:
        """Ask for the processes that block the connection's, on a second connection."""
        process = self._process_of(driver_connection)
        with self.second_connection(driver_connection) as connection:

            def ask() -> Sequence[Holder]:
                with connection.cursor() as cursor:
                    cursor.execute(_HOLDERS, (process,))
                    return [Holder(blocking or None, program or None) for blocking, program in cursor]

            yield ask


def _connected(keywords: Mapping[str, Any], process: int | None) -> Any:
    """Connect by psycopg2, to the server that has a process of this number where one is given."""
    import psycopg2

    for _ in range(_TRIES):
        connection = psycopg2.connect(**keywords)
        there = False
        try:
            connection.autocommit = True
            there = process is None or _has(connection, process)
        finally:
            if not there:
                connection.close()
        if there:
            return connection
    raise psycopg2.OperationalError(f"another server has answered {_TRIES} times, as behind a balancer or a pooler")


def _has(connection: Any, process: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_IS_THERE, (process,))
        return bool(cursor.fetchone()[0])
