"""A COMMIT that waits until a standby has it too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Replicated:
    """The part of a backend that knows of synchronous standbys."""

    def standby_canceller(self, driver_connection: Any, info: dict[Any, Any]) -> Callable[[], Any] | None:
        """Return what ends the wait of a COMMIT for a synchronous standby, and nothing else; None where none waits.

        Args:
            driver_connection: The driver's own connection.
            info: What SQLAlchemy keeps for it.
        """
        return None

    def awaits_standby(self, connection: Connection, transaction_id: str) -> bool:
        """Tell whether a transaction is committed on its server, and its COMMIT waits for a synchronous standby.

        Args:
            connection: Another connection than the transaction's.
            transaction_id: What `transaction_id` returned in it.
        """
        return False

    def gave_up_standby(self, driver_connection: Any, info: dict[Any, Any]) -> bool:
        """Tell whether a COMMIT, which has just succeeded, has not waited for its synchronous standby to the end.

        The arguments are those of `standby_canceller`.
        """
        return False
