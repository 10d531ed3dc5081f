"""Rows from MySQL and MariaDB as the server sends them, by PyMySQL's unbuffered cursor, made fast and left in time.

PyMySQL reads each row by a dozen calls in Python, and where a result is left before its end it reads all the rest,
which may be all of a table. Both can only be had by what is private to it; tests/backends/test_mysql_streaming.py tells
when that has moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pymysql.cursors import SSCursor
from pymysql.err import MySQLError

from dbctl.backends.cursors import marking

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.profiles import Profile

_HEADER = 4
"""Bytes before each packet: its length, in three, and its number."""

# What a value, or a packet, may begin with that is not the length of a short value.
# https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html
_NULL, _LENGTH_IN_TWO, _LENGTH_IN_THREE, _NO_ROW = 0xFB, 0xFC, 0xFD, 0xFE

_READERS_PAUSE = 86_400
"""Seconds that whoever reads may take for a page of it; a server gives up after 60 unless it is told otherwise."""

_AHEAD = 1 << 17
"""Bytes that are read ahead of rows that are fetched as they are sent."""

_FROM_BYTES = (int, float)
"""Converters that need no text."""

_Plan = list[tuple[str | None, Callable[[Any], Any] | None]]


def stream_by(engine: Engine, kill: Callable[[Any], None]) -> None:
    """Make a new engine's server-side cursors `RowStream`s, of which none that is left is read before a ROLLBACK.

    Args:
        engine: The engine.
        kill: Has the server end what it runs for a connection.
    """
    dialect, end = engine.dialect, engine.dialect.do_rollback

    # By SQLAlchemy's event `rollback` each statement of the engine would take 2 % longer: it asks for those of all.
    def roll_back(connection: Any) -> None:
        result = vars(driver := getattr(connection, "dbapi_connection", connection)).get("_result")
        if result and result.unbuffered_active:
            _leave(result, driver, kill)
        end(connection)

    # What SQLAlchemy would find out by itself, with PyMySQL's own class.
    vars(dialect).update(supports_server_side_cursors=True, _sscursor=partial(RowStream, kill), do_rollback=roll_back)


@contextmanager
def rows_as_sent(
    driver_connection: Any, query: str, canceller: Callable[[Any], Callable[[], Any]], profile: Profile
) -> Iterator[RowStream]:
    """Run a query, and have a `RowStream` whose rows can be fetched as they are sent.

    Args:
        driver_connection: PyMySQL's connection.
        query: The query.
        canceller: Returns what has the server end what it runs for a connection.
        profile: The profile of the engine, to whose database errors belong.
    """
    marked = marking(RowStream, ("execute", "fetch_as_sent"), profile)
    cursor = marked(lambda connection: canceller(connection)(), driver_connection)
    decoders = driver_connection.decoders
    driver_connection.decoders = {}  # so that PyMySQL converts nothing where it reads a row itself
    if driver_connection._sock is not None:  # as of one that is closed
        driver_connection._rfile = driver_connection._sock.makefile("rb", _AHEAD)  # none is in it between two answers
    try:
        cursor.execute(query)
    finally:
        driver_connection.decoders = decoders
    with closing(cursor):
        yield cursor


class RowStream(SSCursor):
    """The rows of one query.

    Args:
        kill: Has the server end what it runs for a connection.
        connection: PyMySQL's connection.
    """

    def __init__(self, kill: Callable[[Any], None], connection: Any) -> None:
        super().__init__(connection)
        self._kill = kill

    def execute(self, query: Any, args: Any = None) -> int:
        """Run the query, whose rows may be taken as slowly as they are read."""
        assert self.connection is not None
        self.connection.query(f"SET SESSION net_write_timeout = {_READERS_PAUSE}")
        return super().execute(query, args)

    def fetchmany(self, size: int | None = None) -> Any:
        """Return as many of the next rows as are asked for; fewer only where there are no more."""
        size = self.arraysize if size is None else size
        rows: list[Any] = []
        while len(rows) < size:
            some = self._read_ahead(size - len(rows))
            if some:
                rows += some
                self.rownumber += len(some)
            elif (row := self.fetchone()) is not None:
                rows.append(row)
            else:
                break
        return rows

    def fetch_as_sent(self, size: int) -> list[tuple[bytes | None, ...]]:
        """Return about so many of the next rows as the server has sent them; fewer only where there are no more."""
        rows: list[Any] = []
        while len(rows) < size:
            if some := self._read_ahead(size - len(rows), as_sent=True):
                rows += some
            elif (row := self.fetchone()) is not None:
                pairs = zip(row, self.encodings, strict=True)
                rows.append(
                    tuple(value.encode(code or "") if isinstance(value, str) else value for value, code in pairs)
                )
            else:
                break
        return rows

    @property
    def encodings(self) -> list[str | None]:
        """What the values of each column are encoded in; None for bytes."""
        return [encoding for encoding, _ in vars(self)["_result"].converters]

    @property
    def _open(self) -> tuple[Any, Any]:
        """PyMySQL's result and connection as long as there are rows to come; else None."""
        result, connection = vars(self).get("_result"), self.connection
        return (result, connection) if connection is not None and result and result.unbuffered_active else (None, None)

    def _read_ahead(self, most: int, *, as_sent: bool = False) -> list[Any]:
        """Return the next rows that have come already; whatever is no whole row is left for PyMySQL."""
        result, connection = self._open
        if result is None:
            return []
        try:
            come = connection._rfile.peek(_HEADER)
        except OSError:
            return []  # PyMySQL meets it again, and says what it means
        plan = [
            (None if converter in _FROM_BYTES else encoding, converter) for encoding, converter in result.converters
        ]
        if as_sent:
            rows, taken = rows_in(come, len(plan), connection._next_seq_id)
        else:
            rows, taken = _rows(come, plan, connection._next_seq_id, most)
        connection._rfile.read(taken)
        connection._next_seq_id = (connection._next_seq_id + len(rows)) % 256
        return rows

    def close(self) -> None:
        """Have the server end a query that is left before its end, and read no more than what is on its way."""
        result, connection = self._open
        if result is not None:
            _leave(result, connection, self._kill)
        super().close()

    __del__ = close


def _leave(result: Any, connection: Any, kill: Callable[[Any], None]) -> None:
    try:
        kill(connection)
        result._finish_unbuffered_query()
    except MySQLError:
        # The server says that it has ended it. Or it could not be told to: the connection is of no more use.
        if result.unbuffered_active:
            result.unbuffered_active = False
            connection.close()


def _rows(come: bytes, plan: _Plan, number: int, most: int) -> tuple[list[Any], int]:
    """Return the rows at the beginning of what has come, up to so many, and how many bytes they take."""
    rows: list[Any] = []
    at, end = 0, len(come)
    while len(rows) < most and at + _HEADER < end:
        place = at + _HEADER
        stop = place + (come[at] | come[at + 1] << 8 | come[at + 2] << 16)
        if stop > end or stop == place or come[at + 3] != number or come[place] >= _NO_ROW:
            break
        row: list[Any] = []
        for encoding, converter in plan:
            length = come[place]
            place += 1
            if length >= _NULL:
                if length == _NULL:
                    row.append(None)
                    continue
                width = 2 if length == _LENGTH_IN_TWO else 3  # more than that is more than what comes at once
                length = int.from_bytes(come[place : place + width], "little")
                place += width
            value: Any = come[place : place + length]
            place += length
            if encoding is not None:
                value = value.decode(encoding)
            row.append(value if converter is None else converter(value))
        rows.append(tuple(row))
        number = (number + 1) % 256
        at = stop
    return rows, at


def rows_in(come: bytes, width: int, number: int) -> tuple[list[Any], int]:
    """Return the rows at the beginning of what has come, and how many bytes they take; their values are bytes.

    By what asyncmy has compiled for that, where the extra `async` is installed; which takes a tenth of the time.

    Args:
        come: What has come.
        width: How many columns there are.
        number: The number of the first packet.
    """
    try:
        from asyncmy.protocol import parse_rows_from_buffer
    except ImportError:
        return rows_in_python(come, width, number)
    rows: list[Any] = []
    taken, _ = parse_rows_from_buffer(bytearray(come), 0, len(come), ((0, None, None),) * width, number, rows)
    return rows, taken


def rows_in_python(come: bytes, width: int, number: int) -> tuple[list[Any], int]:
    """Return what `rows_in` does."""
    rows: list[Any] = []
    at, end = 0, len(come)
    columns = range(width)
    while at + _HEADER < end:
        place = at + _HEADER
        stop = place + (come[at] | come[at + 1] << 8 | come[at + 2] << 16)
        if stop > end or stop == place or come[at + 3] != number or come[place] >= _NO_ROW:
            break
        row: list[Any] = []
        for _ in columns:
            behind = place + 1 + come[place]
            if behind - place > _NULL:
                if come[place] == _NULL:
                    row.append(None)
                    place += 1
                    continue
                size = 3 if come[place] == _LENGTH_IN_TWO else 4
                behind = place + size + int.from_bytes(come[place + 1 : place + size], "little")
                row.append(come[place + size : behind])
            else:
                row.append(come[place + 1 : behind])
            place = behind
        rows.append(tuple(row))
        number = (number + 1) % 256
        at = stop
    return rows, at
