"""A COMMIT of PostgreSQL's that waits for a synchronous standby.

Where that is gone it waits for ever. It is done by then on its own server; to cancel it ends the wait alone, and it
succeeds with a warning. https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Backend

if TYPE_CHECKING:
    from sqlalchemy import Connection

_WAITS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_xid = {id}::xid AND wait_event = 'SyncRep')"
_CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'"
_WARNING = "synchronous replication"


class PostgreSQLReplicated(Backend):
    """What is known of a COMMIT that waits for a standby."""

    def standby_canceller(self, driver_connection: Any) -> Callable[[], Any]:
        """Cancel from a second connection, and that alone which waits: what is cancelled before it waits is undone."""
        return partial(self._cancel_wait, driver_connection, driver_connection.info.backend_pid)

    def _cancel_wait(self, driver_connection: Any, process: int) -> None:
        with self.second_connection(driver_connection) as connection, connection.cursor() as cursor:
            cursor.execute(_CANCEL, (process,))

    def awaits_standby(self, connection: Connection, transaction_id: str) -> bool:
        """Look what its session waits for, which a session of the same user may see."""
        id_ = f"'{int(transaction_id.split(maxsplit=1)[0])}'::xid8"
        return bool(connection.exec_driver_sql(_WAITS.format(id=id_)).scalar())

    def gave_up_standby(self, driver_connection: Any) -> bool:
        """Look for the server's warning among the last ones, which libpq has no code for; asyncpg keeps none."""
        notices = getattr(driver_connection, "notices", None) or ()
        return any(_WARNING in notice for notice in list(notices)[-1:])
