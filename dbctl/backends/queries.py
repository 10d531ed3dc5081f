"""What a database makes of one statement that a person has typed, and what it says beside the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.scripts import Scripts, Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Queries(Scripts):
    """The part of a backend that runs single statements; each database's own way is an override."""

    harmless_words: ClassVar[tuple[str, ...]] = ()
    """How what a server says begins where that warns of nothing."""

    def can_stream(self, statement: str) -> bool:
        """Tell whether a statement's rows can be fetched by a server-side cursor."""
        return True

    @contextmanager
    def as_they_are(self, connection: Connection) -> Iterator[None]:
        """Have a connection's driver lose nothing of a value, and keep what the server says, within the block."""
        yield

    def keep_from_writing(self, connection: Connection) -> None:
        """Have a connection refuse to write also in what would begin after a transaction that reads only."""

    @contextmanager
    def kept_from_writing(self, connection: Connection) -> Iterator[None]:
        """Do so within the block."""
        yield

    def refuse_writing(self, statement: str) -> None:
        """Do nothing where the database itself refuses a statement that writes, in a transaction that reads only.

        Raises:
            WorkRefused: It does not, and this one might.
        """

    def is_read_only(self, connection: Connection) -> bool:
        """Tell whether a connection is still in the transaction that was begun to read alone."""
        return self.in_transaction(connection.connection.driver_connection)

    def in_transaction(self, driver_connection: Any) -> bool:
        """Tell whether a driver's connection is in a transaction."""
        raise NotImplementedError

    def said(self, connection: Connection) -> Sequence[str]:
        """Return the notices and warnings of the statement that is done, each as the server words it.

        Args:
            connection: The connection, on which no rows are left to be fetched.
        """
        return ()

    def explaining(self, connection: Connection, *, analyze: bool) -> str:
        """Return what makes of a statement the question how the database would run it.

        Args:
            connection: The connection, of which the server is known.
            analyze: Whether the statement is run, and measured.

        Raises:
            Unsupported: The database can't measure it.
        """
        return "EXPLAIN ANALYZE " if analyze else "EXPLAIN "

    def sent_offset(self, error: BaseException, text: str) -> int:
        """Return where in a statement that was sent by itself it failed, in characters, as far as the error tells."""
        return self.failed_offset(error, Statement(0, text))
