"""Savepoints around parts of a load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbctl.errors import Contention

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk


@contextmanager
def savepoint(connection: Connection, backend: Bulk) -> Iterator[None]:
    """Have a savepoint for the block, to which an error in it leads back.

    A deadlock does not: InnoDB has ended the whole transaction, and the error of the ROLLBACK would hide the deadlock.
    https://dev.mysql.com/doc/refman/8.4/en/innodb-error-handling.html
    """
    failed: Exception | None = None
    try:
        with connection.begin_nested():
            try:
                yield
            except Exception as error:
                failed = error
                raise
    except Exception as error:
        if failed is not None and failed is not error and isinstance(backend.translate(failed), Contention):
            raise failed from None
        raise
