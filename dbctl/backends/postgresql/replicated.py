"""A COMMIT of PostgreSQL's that waits for a synchronous standby.

Where that is gone it waits for ever. It is done by then on its own server; to cancel it ends the wait alone, and it
succeeds with a warning. https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dbctl.backends.postgresql.locks import PostgreSQLLocks

if TYPE_CHECKING:
    from sqlalchemy import Connection

_WAITS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_xid = {id}::xid AND wait_event = 'SyncRep')"
_WAITING = "SELECT pid FROM pg_stat_activity WHERE {whose} AND wait_event = 'SyncRep'"
_CANCEL = "SELECT pg_cancel_backend(pid) FROM ({waiting}) AS own"
_WARNING = "synchronous replication"

TRANSACTION = "dbctl_transaction"
"""What a connection's `info` has: the id of its transaction, where that was asked for."""
_GAVE_UP = "dbctl_gave_up"


class PostgreSQLReplicated(PostgreSQLLocks):
    """What is known of a COMMIT that waits for a standby."""

    def standby_canceller(self, driver_connection: Any, info: dict[Any, Any]) -> Callable[[], Any]:
        """Cancel from a second connection, and that alone which waits: what is cancelled before it waits is undone.

        It is known by its transaction: behind a pooler no process of the server's has the connection's number.
        """
        asynchronous = self.transport(driver_connection) is not None
        process = driver_connection.get_server_pid() if asynchronous else driver_connection.info.backend_pid

        def cancel() -> None:
            whose = (
                f"backend_xid = '{int(info[TRANSACTION])}'::xid8::xid" if TRANSACTION in info else f"pid = {process}"
            )
            waiting = _WAITING.format(whose=whose)
            with self.connection_at(driver_connection) as connection, connection.cursor() as cursor:
                cursor.execute(waiting)
                if cursor.fetchall():
                    info[_GAVE_UP] = True  # before the COMMIT can succeed for it
                    cursor.execute(_CANCEL.format(waiting=waiting))

        return cancel

    def awaits_standby(self, connection: Connection, transaction_id: str) -> bool:
        """Look what its session waits for, which a session of the same user may see."""
        id_ = f"'{int(transaction_id.split(maxsplit=1)[0])}'::xid8"
        return bool(connection.exec_driver_sql(_WAITS.format(id=id_)).scalar())

    def gave_up_standby(self, driver_connection: Any, info: dict[Any, Any]) -> bool:
        """Remember what was cancelled here, and look for the server's warning, which libpq has no code for.

        asyncpg keeps none.
        """
        notices = getattr(driver_connection, "notices", None) or ()
        return bool(info.pop(_GAVE_UP, False)) or any(_WARNING in notice for notice in list(notices)[-1:])
