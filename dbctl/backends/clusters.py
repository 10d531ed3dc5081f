"""Servers that are one of several machines with the same data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.lock_statements import LockStatements


class Clusters:
    """The part of a backend that knows that its server may not be the only one."""

    def refuse_node(self, driver_connection: Any) -> None:
        """Do nothing where a new connection leads to a server that can be relied upon.

        Args:
            driver_connection: The driver's own connection, or SQLAlchemy's stand-in for an async driver's.

        Raises:
            ConnectError: It is a machine of a cluster, in which it takes no part.
        """

    def row_lock(self, connection: Connection) -> LockStatements | None:
        """Return how a run's lock is taken as a row, where each machine keeps sessions' locks to itself; else None."""
        return None
