"""Rows as the server has them: fetched by the batch from a server-side cursor, in constant memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from dbctl.connections.fetching import time_to_fetch
from dbctl.results import Rows

if TYPE_CHECKING:
    from sqlmodel import Session

MOST_BUFFERED = 5000
"""Rows of a batch, at most."""

_QUICK, _SLOW = 0.05, 0.5
"""Seconds: a batch that came quicker is followed by a larger one, one that took longer by a smaller one.

So the first row is there at once, a server far away is asked seldom, and rows of a megabyte do not fill the memory.
"""


def stream(session: Session | Connection, query: Any) -> Iterator[Sequence[Any]]:
    """Run a query of columns, and return its rows as they are fetched; nothing is run before the first is asked for.

        for id, name in dbctl.stream(session, select(Hero.id, Hero.name)): …

    The session's transaction has to stay open until the last row, and on MySQL and MariaDB its connection can do
    nothing else meanwhile. An iterator that is closed, or left by an error, ends the query at the server.

    Args:
        session: The session, or a connection.
        query: A select of columns: objects would all be kept by the session.

    Raises:
        SQLAlchemyError: The server refused it, or the connection was lost; also between two rows.
    """
    yield from fetched(*_run(session, query))


def stream_rows(session: Session | Connection, query: Any) -> Rows[tuple[Any, ...]]:
    """Run a query at once, and return its rows, with the columns that it has, as they are drawn; else as `stream`."""
    connection, result = _run(session, query)
    return Rows(list(result.keys()), fetched(connection, result))


def _run(session: Session | Connection, query: Any) -> tuple[Connection, Any]:
    connection = session if isinstance(session, Connection) else session.connection()
    streaming = connection.execution_options(stream_results=True, max_row_buffer=MOST_BUFFERED)
    return connection, streaming.execute(query)


def fetched(connection: Connection, result: Any) -> Iterator[Sequence[Any]]:
    """Yield a result's rows as they are fetched, in batches that grow while they come quickly; close it at the end.

    Args:
        connection: The connection that the result is of.
        result: The result, whose statement has run.
    """
    size = 1
    try:
        while True:
            began = time.monotonic()
            with time_to_fetch(connection):
                rows = result.fetchmany(size)
            if not rows:
                return
            took = time.monotonic() - began
            yield from rows
            if took < _QUICK:
                size = min(size * 10, MOST_BUFFERED)
            elif took > _SLOW:
                size = max(size // 2, 1)
    finally:
        result.close()
