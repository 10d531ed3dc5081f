"""What ends a script's transaction before its unit of work does, and is no word that one could see in the script.

On MySQL and MariaDB that is `SET autocommit = 1`, a procedure with COMMIT in it, a prepared statement, or a comment
that the server runs. The status that comes with each answer tells of it, and so does a mark that the transaction has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dbctl.errors import Contention, DbctlError, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

_log = logging.getLogger(__name__)


class Ending:
    """The end of a script's transaction, looked for.

    Args:
        backend: The backend.
        connection: The connection, whose transaction is marked.
        place: Returns where the statement of a number stands, from 0.
        told: Whether it has been told that there is a statement that commits by itself.
    """

    def __init__(self, backend: Backend, connection: Connection, place: Callable[[int], str], *, told: bool) -> None:
        self._backend = backend
        self._connection = connection
        self._place = place
        self._told = told
        self._found: str | None = None
        self._mark = backend.mark(connection)
        self._was_open = self._is_open()

    def look(self, number: int) -> None:
        """Look whether the statement of this number, which is done, has ended it."""
        is_open = self._is_open()
        if self._was_open and not is_open and self._found is None:
            self._found = self._place(number)
        self._was_open = is_open

    def failed(self, error: DbctlError, number: int) -> None:
        """Look at that after the statement of this number has failed, and tell what stays."""
        if self._told:
            return
        asks = isinstance(error, WorkRefused) and not isinstance(error, Contention)  # else it is rolled back, or lost
        if self._found is None and asks and not self._backend.lasts(self._connection, self._mark):
            self._found = self._place(number)
        if self._found is not None:
            _log.warning("%s", self._said(self._found))

    def conclude(self, *, dry_run: bool) -> None:
        """Tell at the end of the script what has ended it.

        Raises:
            WorkRefused: Something has, and it was to be rolled back.
        """
        if self._told:
            return
        if self._found is None and not self._backend.lasts(self._connection, self._mark):
            self._found = "the script"
        if self._found is None:
            return
        if dry_run:
            raise WorkRefused(f"{self._said(self._found)}, which a dry run can't undo")
        _log.warning("%s", self._said(self._found))

    def _is_open(self) -> bool:
        driver_connection: Any = self._connection.connection.driver_connection
        return self._backend.in_transaction(driver_connection)

    @staticmethod
    def _said(place: str) -> str:
        return f"{place}: the transaction was ended: what was done until there is committed and stays"
