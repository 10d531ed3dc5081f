"""One run at a time that creates or drops tables in a database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from dbctl.connections.watching import raise_if_ended
from dbctl.errors import LockHeld, OutOfTime

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.work.database import Database

_LOCK = "dbctl:ddl"
_WAIT = 60.0
"""Seconds."""


@contextmanager
def ddl_lock(unit: Database, connection: Connection) -> Iterator[None]:
    """Hold off every other run that creates or drops tables in this database for the length of the block.

    It is the connection's own lock, or a row where that would exclude nobody on a cluster's other nodes.

    Args:
        unit: The unit of work.
        connection: Its connection.

    Raises:
        OutOfTime: Another run has been at it for too long.
    """
    backend = unit.backend
    if backend.row_lock(connection) is None:
        with backend.ddl_lock(connection):
            yield
        return
    from dbctl.work.locks import advisory_lock

    with ExitStack() as stack:
        try:
            stack.enter_context(advisory_lock(_LOCK, backend.profile, wait=_WAIT, sleep=_pause))
        except LockHeld as error:
            message = f"another run has been creating or dropping tables for {_WAIT:g} s: {error.message}"
            raise OutOfTime(message, "try again when it is done") from error
        yield


def _pause(seconds: float) -> None:
    raise_if_ended()
    time.sleep(seconds)
