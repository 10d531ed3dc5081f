"""A COMMIT that waits until a standby has it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Replicated:
    """The part of a backend that knows of synchronous standbys."""

    commit_can_be_ended: ClassVar[bool] = False
    """Whether a COMMIT that waits can be ended, and what it says is true then: done, or rolled back."""

    def awaits_standby(self, connection: Connection, transaction_id: str) -> bool:
        """Tell whether a transaction is committed on its server, and its COMMIT waits for a synchronous standby.

        Args:
            connection: Another connection than the transaction's.
            transaction_id: What `transaction_id` returned in it.
        """
        return False

    def gave_up_standby(self, driver_connection: Any) -> bool:
        """Tell whether a COMMIT, which has just succeeded, has not waited for its synchronous standby to the end."""
        return False
