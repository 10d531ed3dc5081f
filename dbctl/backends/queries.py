"""What a database makes of one statement that a person has typed, and what it says beside the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbctl.backends.scripts import Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Queries:
    """The part of a backend that runs single statements; each database's own way is an override."""

    def can_stream(self, statement: str) -> bool:
        """Tell whether a statement's rows can be fetched by a server-side cursor."""
        return True

    @contextmanager
    def as_they_are(self, connection: Connection) -> Iterator[None]:
        """Have a connection's driver lose nothing of a value, and keep what the server says, within the block."""
        yield

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

    def failed_offset(self, error: BaseException, statement: Statement) -> int:
        """Return where in a script a statement failed."""
        raise NotImplementedError
