"""asyncmy's cursors, made to keep what the server says of the transaction behind each statement."""

from __future__ import annotations

from typing import Any

from asyncmy.cursors import Cursor


class StatusCursor(Cursor):
    """A cursor whose connection knows that a statement, as DDL, has ended the transaction.

    asyncmy takes over no status of 0, which is one of no transaction where the session commits nothing by itself: its
    connection went on to say that there is one.
    """

    async def execute(self, query: Any, args: Any = None) -> Any:
        """Run the statement, and keep its status."""
        connection: Any = self.connection
        rows = await super().execute(query, args)
        result: Any = getattr(self, "_result", None)
        if result is not None:
            connection.server_status = result.server_status
        return rows
