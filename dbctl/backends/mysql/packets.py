"""What is sent in packets, and how large a server lets them be: it ends the connection that a larger one comes on.

https://dev.mysql.com/doc/refman/8.4/en/packet-too-large.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dbctl.backends.bulk import Fault, Refused
from dbctl.backends.errors import Diagnosis
from dbctl.backends.origins import HINT
from dbctl.errors import ConnectError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext

FILE = b"dbctl"
"""What LOAD DATA calls the file, which there is none of; a server that asks for another gets nothing."""

_PACKET = 1 << 20
"""Bytes of such a file that are sent at a time."""

TOO_LARGE = 1153
"""What a server says of one, where it says anything."""

_MOST = "dbctl_packet"
"""What a connection's `info` has the limit as: it is the session's, and can't be changed in it."""
_HEAD = 2
"""Bytes by which a packet is to be smaller than the limit: one says what it is, and the limit itself is too much."""
_LONGER = 8
"""How many times as many bytes a statement may have as a value has characters: four in UTF-8, each escaped."""
_SUSPECT = 1 << 19
"""Characters from which on a statement may have been too large for a server that is set as any is."""


def most_of(connection: Connection) -> int:
    """Return how many bytes of a statement, or of data, the server takes in one packet."""
    if _MOST not in connection.info:
        limit = connection.exec_driver_sql("SELECT @@SESSION.max_allowed_packet").scalar_one()
        connection.info[_MOST] = int(limit) - _HEAD
    return int(connection.info[_MOST])


def refuse_larger(cursor: Any, insert: str, rows: Sequence[Sequence[Any]], most: int) -> None:
    """Do nothing where each row goes into a statement of its own.

    Args:
        cursor: PyMySQL's.
        insert: The statement, with a mark for each value.
        rows: The rows.
        most: How many bytes a statement may have.

    Raises:
        Refused: One does not.
    """
    for index, row in enumerate(rows):
        if (len(insert) + sum(map(len, filter(None, row)))) * _LONGER <= most:
            continue
        size = len(cursor.mogrify(insert, row).encode())
        if size > most:
            reason = (
                f"it takes {size:,} bytes as a statement, and the server takes no more than {most:,}: raise its"
                " max_allowed_packet, or let it take LOAD DATA LOCAL (local_infile)"
            )
            raise Refused(Fault(reason, index, bare=reason))


def send_file(driver_connection: Any, statement: str, parts: Iterable[bytes], most: int) -> tuple[int, int]:
    """Run LOAD DATA LOCAL with data of our own, past PyMySQL, which would open any file that a server names.

    Args:
        driver_connection: PyMySQL's.
        statement: The statement.
        parts: The data.
        most: How many bytes the server takes in a packet.

    Returns:
        How many rows were loaded, and how many warnings there are.

    Raises:
        MySQLError: The server refuses it, or asks for something else.
        Exception: What comes of drawing a part; the server has loaded those before it.
    """
    from pymysql import err
    from pymysql.constants import COMMAND
    from pymysql.protocol import LoadLocalPacketWrapper, OKPacketWrapper

    most = min(most, _PACKET)

    driver_connection._execute_command(COMMAND.COM_QUERY, statement.encode())
    packet = driver_connection._read_packet()
    asked = LoadLocalPacketWrapper(packet).filename if packet.is_load_local_packet() else None
    if asked != FILE:
        driver_connection._force_close()
        raise err.OperationalError(2027, "the server asks for a file that it was not told of")
    try:
        for part in parts:
            for start in range(0, len(part), most):
                driver_connection.write_packet(part[start : start + most])
    except Exception:
        # What has come is whole lines; the server answers before it takes another statement, as ROLLBACK.
        with suppress(err.MySQLError):
            driver_connection.write_packet(b"")
            driver_connection._read_packet()
        raise
    driver_connection.write_packet(b"")
    done = OKPacketWrapper(driver_connection._read_packet())
    driver_connection.server_status = done.server_status
    return int(done.affected_rows), int(done.warning_count)


def doubt_large_statements(engine: Engine, backend: Diagnosis) -> None:
    """Have errors of a new engine's connections that are lost amid a large statement say what may have ended them."""
    from sqlalchemy import event

    @event.listens_for(engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        error, meaning = context.original_exception, backend.meaning(context.original_exception)
        told = backend.error_code(error) == TOO_LARGE
        sent = context.parameters
        size = _size(context.statement) + (max(map(_size, sent), default=0) if isinstance(sent, list) else _size(sent))
        if told or (meaning is not None and meaning.error is ConnectError and size >= _SUSPECT):
            text = f"a statement of {size:,} characters was sent, and a server ends the connection of whoever sends"
            vars(error).setdefault(HINT, f"{text} more than its max_allowed_packet: raise that, or send less at a time")


def _size(sent: Any) -> int:
    if isinstance(sent, str | bytes):
        return len(sent)
    values = sent.values() if isinstance(sent, Mapping) else sent
    return sum(map(_size, values)) if isinstance(values, Iterable) else 0
