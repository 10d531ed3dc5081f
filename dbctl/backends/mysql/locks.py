"""Locks of MySQL's and MariaDB's: those by name, on the whole server, and who holds what a session waits for.

https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.backends.lock_statements import LockStatements
from dbctl.backends.locks import Holder, LockWait
from dbctl.backends.mysql.clusters import MySQLClusters
from dbctl.backends.mysql.metadata_locks import METADATA_LOCKS, MetadataLock, blockers_by_metadata
from dbctl.errors import OutOfTime, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_DDL_LOCK = "dbctl:ddl"
_DDL_LOCK_WAIT = 60
"""Seconds."""

_WHO = "SELECT @@hostname, @@port, @@server_id, @@datadir"
"""Asks a server for what tells it from others that one address may lead to; it begins no transaction."""

_CLUSTER = """
SHOW GLOBAL STATUS WHERE variable_name IN ('wsrep_cluster_state_uuid', 'wsrep_incoming_addresses')
"""

_TRIES = 4
"""How often is connected for the same server, where a balancer leads to one after the other."""

_BOUNDS = {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1}
"""Seconds that a second connection has for each step."""

WAITS_FOR_LOCK = re.compile(r"Waiting for .*\block\b|User lock|System lock", re.IGNORECASE)
"""The states of sessions that wait for a lock that is none of a row."""

_LOCKS = {"User lock": "a lock by name"}

_PLAIN_LOCK = re.compile(r"[a-z0-9_.:-]{1,64}")

# Since MySQL 8.0 in another place:
# https://dev.mysql.com/doc/refman/8.4/en/performance-schema-data-lock-waits-table.html
WAITS = {
    "waits": "information_schema.innodb_lock_waits",
    "requesting": "requesting_trx_id",
    "blocking": "blocking_trx_id",
}
WAITS_SINCE_8 = {
    "waits": "performance_schema.data_lock_waits",
    "requesting": "requesting_engine_transaction_id",
    "blocking": "blocking_engine_transaction_id",
}


# Who waits for a row tells it in one place, and who waits for a table in another.
_ROW_HOLDERS = """
SELECT DISTINCT holder.trx_mysql_thread_id FROM {waits}
JOIN information_schema.innodb_trx waiting ON waiting.trx_id = {requesting}
JOIN information_schema.innodb_trx holder ON holder.trx_id = {blocking}
WHERE waiting.trx_mysql_thread_id = %s
"""
# Of one's own account, as a service's other processes are; all may see these.
_PROGRAMS = """
SELECT processlist_id, attr_value FROM performance_schema.session_account_connect_attrs
WHERE attr_name = 'program_name' AND processlist_id IN ({sessions})
"""


class MySQLLocks(MySQLClusters):
    """The locks of runs, of DDL, and of others."""

    session_lock = LockStatements(
        take=("SELECT GET_LOCK(:key, 0)",),
        keep=("SELECT IS_USED_LOCK(:key) = CONNECTION_ID()",),
        give_back="SELECT RELEASE_LOCK(:key)",
        holder="SELECT concat('session ', IS_USED_LOCK(:key))",
    )

    def lock_key(self, name: str) -> str:
        """Return a name of at most 64 characters that tells upper case from lower, which GET_LOCK itself does not.

        The server has one room for all its databases: the database's name is a part of it.
        """
        whole = f"dbctl:{self.profile.database or ''}:{name}"
        if _PLAIN_LOCK.fullmatch(whole):
            return whole
        return f"dbctl:{hashlib.sha256(whole.encode()).hexdigest()[:48]}"

    def refuse_lock(self, connection: Connection) -> None:
        """Refuse a server that is read only, as one of Aurora's that is a reader says by a variable of InnoDB's.

        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.BestPractices.html
        """
        names = "'read_only', 'super_read_only', 'innodb_read_only'"
        query = f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names}) AND value = 'ON'"
        if connection.exec_driver_sql(query).first():
            raise WorkRefused(
                "a lock would exclude nobody elsewhere: this server is read only, as replicas are",
                "take it on the primary",
            )

    def note_server(self, connection: Any) -> None:
        """Note on a new connection which server it leads to, for a second one that is to lead there too.

        A session's number is another session's on another server.

        Args:
            connection: PyMySQL's, or SQLAlchemy's adapter of asyncmy's.
        """
        if self.addresses():
            getattr(connection, "driver_connection", connection).dbctl_server = _who(connection)

    @property
    def lock_timeout(self) -> float | None:
        """The profile's, in whole seconds."""
        return self.profile.lock_timeout and math.ceil(self.profile.lock_timeout)

    @contextmanager
    def second_connection(self, beside: Any = None) -> Iterator[Any]:
        """Connect by PyMySQL once more, for what can't be asked on a connection that waits for an answer.

        Args:
            beside: That connection, to whose server it is to lead.
        """
        there = self.at_place(place) if self.chooses and beside and (place := self.place_of(beside)) else {}
        url = self.engine_url()
        _, args = url.get_dialect()().create_connect_args(url)
        with self.through_tunnel() as rerouted:
            keywords = dict(args) | self.connect_args() | _BOUNDS | there | rerouted
            server = getattr(beside, "dbctl_server", None)
            with self.logged_in(lambda login: _connected(keywords | login, server), kept=math.inf) as connection:
                yield connection

    @contextmanager
    def lock_holders(self, driver_connection: Any) -> Iterator[Callable[[], Sequence[Holder]]]:
        """Ask for the sessions that hold the row, or use the table, where the user may see them."""
        waiting = driver_connection.thread_id()
        mariadb = "MariaDB" in driver_connection.get_server_info()
        waits = WAITS if mariadb else WAITS_SINCE_8
        with self.second_connection(driver_connection) as connection, connection.cursor() as cursor:

            def found(query: str, *arguments: int) -> Sequence[Any]:
                cursor.execute(query, arguments)
                return list(cursor.fetchall())

            def ask() -> Sequence[Holder]:
                sessions = [session for (session,) in found(_ROW_HOLDERS.format(**waits), waiting)]
                if not mariadb:  # which tells of tables only by a plug-in that is seldom there
                    blocking = blockers_by_metadata(map(MetadataLock.of, found(METADATA_LOCKS)))
                    sessions += blocking.get(waiting, ())
                listed = ", ".join(map(str, sessions))
                programs = dict(found(_PROGRAMS.format(sessions=listed))) if sessions else {}
                return [Holder(session, programs.get(session)) for session in sessions]

            yield ask

    @contextmanager
    def lock_waits(self, driver_connection: Any) -> Iterator[Callable[[], LockWait | None]]:
        """Ask for the holders, where that is told; that a table's lock is waited for its own user may always see."""
        waiting = driver_connection.thread_id()
        with (
            self.second_connection(driver_connection) as connection,
            connection.cursor() as cursor,
            self.lock_holders(driver_connection) as holders,
        ):

            def ask() -> LockWait | None:
                try:
                    found: Sequence[Holder] = holders()
                except connection.OperationalError:  # it is not told to this user
                    found = ()
                cursor.execute("SELECT state FROM information_schema.processlist WHERE id = %s", (waiting,))
                state = next((row[0] or "" for row in cursor.fetchall()), "")
                if found or WAITS_FOR_LOCK.match(state):
                    return LockWait(found, _LOCKS.get(state, "a table's lock" if "metadata" in state else "a lock"))
                return None

            yield ask

    def leads_here(self, connection: Connection, other: Connection) -> bool:
        """Take a lock of a name that nobody else has, and see whether the other finds this session holding it.

        No variable tells two servers apart that are copies of each other.
        """
        query = "SELECT database(), connection_id(), IS_USED_LOCK(%s)"
        if {connection.dialect.name, other.dialect.name} - {"mysql", "mariadb"}:
            return False
        key = (f"dbctl:{secrets.token_hex(16)}",)
        connection.exec_driver_sql("SELECT GET_LOCK(%s, 0)", key).scalar()
        try:
            database, session, _ = connection.exec_driver_sql(query, key).one()
            other_database, _, holder = other.exec_driver_sql(query, key).one()
            return bool(other_database == database and holder == session)
        finally:
            connection.exec_driver_sql("SELECT RELEASE_LOCK(%s)", key).scalar()

    def shares_tables(self, connection: Connection, other: Connection) -> bool:
        """Compare also Galera's cluster, and who is in it: each node keeps its locks to itself."""
        if {connection.dialect.name, other.dialect.name} - {"mysql", "mariadb"}:
            return False
        if self.leads_here(connection, other):
            return True
        here, there = ([*map(tuple, one.exec_driver_sql(_CLUSTER))] for one in (connection, other))
        databases = {one.exec_driver_sql("SELECT database()").scalar() for one in (connection, other)}
        return here == there and all(value for _, value in here) and bool(here) and len(databases) == 1

    @contextmanager
    def ddl_lock(self, connection: Connection) -> Iterator[None]:
        """Take a named lock, which DDL's implicit commits do not release, on this database's name."""
        database = connection.exec_driver_sql("SELECT database()").scalar()
        name = f"{_DDL_LOCK}:{database}"[:64]
        locked = "SELECT GET_LOCK(%s, %s)"
        if connection.exec_driver_sql(locked, (name, 0)).scalar() != 1:
            self._tell_of_ddl_wait()
            if connection.exec_driver_sql(locked, (name, _DDL_LOCK_WAIT)).scalar() != 1:
                message = f"another run has been creating or dropping tables for {_DDL_LOCK_WAIT} s"
                raise OutOfTime(message, "try again when it is done")
        try:
            yield
        finally:
            if not connection.invalidated:  # with which the lock is gone
                connection.exec_driver_sql("SELECT RELEASE_LOCK(%s)", (name,))


def _connected(keywords: Mapping[str, Any], server: Sequence[Any] | None) -> Any:
    """Connect by PyMySQL, to the server that `_who` has told of where it is known."""
    import pymysql

    for _ in range(_TRIES):
        connection = pymysql.connect(**keywords)
        there = False
        try:
            there = server is None or _who(connection) == server
        finally:
            if not there:
                connection.close()
        if there:
            return connection
    raise pymysql.OperationalError(f"another server has answered {_TRIES} times, as behind a balancer")


def _who(connection: Any) -> Sequence[Any]:
    cursor = connection.cursor()
    try:
        cursor.execute(_WHO)
        return tuple(cursor.fetchone())
    finally:
        cursor.close()
