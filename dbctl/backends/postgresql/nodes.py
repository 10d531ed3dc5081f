"""What servers of PostgreSQL's protocol have in common that are many nodes, none of which is the primary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.audit import ServerUsage
from dbctl.backends.lock_statements import TABLE, LockStatements, by_row, later
from dbctl.backends.locks import Holder
from dbctl.backends.postgresql.engine import PostgreSQL
from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NOW = "clock_timestamp()"

ROW_LOCK = by_row(
    table=f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    name VARCHAR(190) NOT NULL PRIMARY KEY,
    token VARCHAR(32) NOT NULL,
    holder VARCHAR(255) NOT NULL,
    expires TIMESTAMP WITH TIME ZONE NOT NULL
)
""",
    upsert=f"""
INSERT INTO {TABLE} (name, token, holder, expires) VALUES (:name, :token, :holder, {later(_NOW)})
ON CONFLICT (name) DO NOTHING
""",
    now=_NOW,
)


class ManyNodes(PostgreSQL):
    """Such a server: what belongs to one node alone, as its locks, its processes and its numbers, is not asked for."""

    # Schema changes go on in all nodes at once, and are transactions of their own.
    transactional_ddl = False
    unasked: ClassVar[Sequence[str]] = ("server", "connections", "pooler", "idle_transactions", "topology")

    def refuse_lock(self, connection: Connection) -> None:
        """Refuse none: a row excludes from wherever it is written; where it can't be, the server says so."""

    def row_lock(self, connection: Connection) -> LockStatements | None:
        """Return how a row is taken: advisory locks are missing, or nobody tells whose they are."""
        return ROW_LOCK

    def transaction_id(self, connection: Connection) -> str | None:
        """Return none: nobody tells what became of a transaction that all nodes had to agree upon."""
        return None

    def leads_here(self, connection: Connection, other: Connection) -> bool:
        """Refuse to tell: when a node was started is no sign, for two may be of one cluster."""
        raise Unsupported(f"{self.title}: a connection can't be asked where it leads")

    def lock_holders(  # type: ignore[override]  # None is what the base allows
        self, driver_connection: Any
    ) -> AbstractContextManager[Callable[[], Sequence[Holder]]] | None:
        """Return nothing that asks: a process's number is its node's, and who blocks may be on another."""
        return None

    def usage(self, connection: Connection) -> ServerUsage:
        """Refuse to count: each node has a limit of its own."""
        raise Unsupported(f"{self.title} tells of no limit for the connections of all its nodes")
