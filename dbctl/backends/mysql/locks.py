"""Locks of MySQL's and MariaDB's sessions: by name, on the whole server.

https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbctl.backends.base import Backend
from dbctl.errors import OutOfTime, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_DDL_LOCK = "dbctl:ddl"
_DDL_LOCK_WAIT = 60
"""Seconds."""

_PLAIN_LOCK = re.compile(r"[a-z0-9_.:-]{1,64}")


class MySQLLocks(Backend):
    """The locks of runs and of DDL."""

    lock_statement = "SELECT GET_LOCK(:key, 0)"
    unlock_statement = "SELECT RELEASE_LOCK(:key)"
    lock_holder_statement = "SELECT IS_USED_LOCK(:key)"
    own_lock_statement = "SELECT IS_USED_LOCK(:key) = CONNECTION_ID()"

    def lock_key(self, name: str) -> str:
        """Return a name of at most 64 characters that tells upper case from lower, which GET_LOCK itself does not.

        The server has one room for all its databases: the database's name is a part of it.
        """
        whole = f"dbctl:{self.profile.database or ''}:{name}"
        if _PLAIN_LOCK.fullmatch(whole):
            return whole
        return f"dbctl:{hashlib.sha256(whole.encode()).hexdigest()[:48]}"

    def refuse_lock(self, connection: Connection) -> None:
        """Refuse Galera's nodes, each of which keeps such locks to itself, and a server that is read only."""
        query = "SHOW GLOBAL VARIABLES WHERE variable_name IN ('wsrep_on', 'read_only', 'super_read_only')"
        on = {name for name, value in connection.exec_driver_sql(query) if value == "ON"}
        if "wsrep_on" in on:
            raise WorkRefused("a lock would exclude nobody on other nodes: Galera shares none")
        if on:
            raise WorkRefused(
                "a lock would exclude nobody elsewhere: this server is read only, as replicas are",
                "take it on the primary",
            )

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
