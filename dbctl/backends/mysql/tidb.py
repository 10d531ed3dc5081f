"""TiDB, as its documentation says of it (https://docs.pingcap.com/tidb/stable/): not tried on a real one.

Its releases from 6.2 on have savepoints, and those from 7.3 on numbers of sessions that MySQL's drivers can tell it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Identity
from dbctl.backends.mysql.nodes import ManyNodes
from dbctl.backends.mysql.sessions import Told, session_of
from dbctl.backends.sessions import SessionsThere

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION = re.compile(r"-TiDB-v?(\d[\w.-]*)")
"""Its own version behind MySQL's, in the greeting: `8.0.11-TiDB-v8.5.0`."""

_SESSIONS = "SELECT id, user, host, db, command, time, state, info FROM information_schema.cluster_processlist"
_UNTOLD = (
    "transactions, and who waits for whom, are not asked of TiDB; information_schema.cluster_tidb_trx and "
    "information_schema.data_lock_waits tell of them"
)


class TiDB(ManyNodes):
    """TiDB."""

    title = "TiDB"
    backup_by = "take BR, or Dumpling: https://docs.pingcap.com/tidb/stable/backup-and-restore-overview"
    differs = (
        "A conflict is 9007, 8002, 8022 or 8028 at COMMIT, after which all is run again; READ ONLY is parsed, and "
        "keeps nobody from writing; SERIALIZABLE is refused (8048); a lock is a row of a table; AUTO_INCREMENT goes up "
        "on one server alone."
    )
    # Without TIDB a release before 6.1 would end another server's session of the same number:
    # https://docs.pingcap.com/tidb/stable/sql-statement-kill
    kill = "KILL TIDB"

    def identity(self, connection: Connection) -> Identity:
        """Ask for the user and the database; the version stands in the greeting."""
        driver_connection: Any = connection.connection.driver_connection
        version = driver_connection.get_server_info()
        user, database = connection.exec_driver_sql("SELECT current_user(), database()").one()
        found = VERSION.search(version)
        return Identity(self.title, found[1] if found else version, user, database)

    def begin_strictly(self, connection: Connection, *, writes: bool) -> None:
        """Begin one that reads as any: of READ ONLY it would make an error, 1235, or nothing.

        https://docs.pingcap.com/tidb/stable/sql-statement-start-transaction
        """
        if not writes:
            connection.exec_driver_sql("START TRANSACTION")

    def sessions_there(self, connection: Connection) -> SessionsThere:
        """Ask for those of all servers (https://docs.pingcap.com/tidb/stable/information-schema-processlist)."""
        database, own = connection.exec_driver_sql("SELECT database(), connection_id()").one()
        found = [session_of(row, Told(None), own) for row in connection.exec_driver_sql(_SESSIONS)]
        return SessionsThere(database, found, [_UNTOLD])
