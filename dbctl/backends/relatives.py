"""Servers that speak another database's protocol: which of them answers is heard at login, and nobody is asked.

What a backend knows of such a relative is what the server's own documentation says: none of them was tried. The page
`distributed` of the manual names the documents.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.backends.findings import Finding


class Relatives:
    """The part of a backend that knows which server answers; each relative is a backend of its own in the package."""

    title: ClassVar[str]
    differs: ClassVar[str] = ""
    """What the relative does otherwise that an operator has to know; "" for the protocol's own server."""
    unasked: ClassVar[Collection[str]] = ()
    """The checks of `doctor` that are not asked: it has no answer to them, or one that means something else."""
    backup_by: ClassVar[str] = ""
    """What backs the relative up, where the tools of the protocol's own server don't; "" where they do."""

    @classmethod
    def named(cls, driver: str) -> type[Backend] | None:
        """Return the backend of a relative that a driver is named for, as it needs a dialect of its own."""
        return None

    def meet(self, driver_connection: Any) -> None:
        """Become the backend of the server that a new connection leads to, where that is a relative.

        So who asks a backend for something about a connection has the connection first.

        Args:
            driver_connection: The driver's own connection, of the sync driver or of the async one, after its login.

        Raises:
            ConnectError: SQLAlchemy needs another dialect for it than the one that the profile names.
        """

    def more_to_it(self, connection: Connection) -> Finding | None:
        """Return a note for `doctor` where it is the protocol's own server with more to it; None where it is not."""
        return None

    def refuse_tools(self) -> None:
        """Do nothing where the tools of the protocol's own server back it up.

        Raises:
            Unsupported: They don't.
        """
        if self.backup_by:
            raise Unsupported(f"{self.title} is not backed up, nor restored, by the tools known here", self.backup_by)

    def refuse_backup(self, connection: Connection) -> None:
        """Do nothing where these tools write, and read, one moment of all that there is.

        Raises:
            Unsupported: They don't.
        """


def told_of(server: str, differs: str) -> Finding:
    """Return the note of `doctor` that says which server answers, and what it does otherwise."""
    from dbctl.backends.findings import Finding, Level

    why = f"{differs} Of that dbctl knows what its documentation says, and it was not tried."
    return Finding(Level.NOTE, "server", f"{server} answers", why, "dbctl help distributed")
