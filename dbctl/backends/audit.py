"""What `dbctl doctor` measures: facts that every database can be asked for, whichever way it has of answering.

Each database has its questions in its own package. What exists on one database alone comes from there as
a finished `Finding`; all else is a fact here, and `dbctl.doctor` judges it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.backends.findings import Finding, Level
from dbctl.backends.relatives import told_of
from dbctl.errors import DbctlError
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

Answer = TypeVar("Answer")

_CLOCK_READINGS = 3


@record
class Limit:
    """How many connections there may be at a time; `limit` is None where there may be any number.

    `name` says who sets it; `in_use` are those there are now, `own` those of them that are this user's.
    """

    name: str
    limit: int | None
    in_use: int
    own: int


@record
class ServerUsage:
    """The server's own count of connections.

    `limit` is what an ordinary user can get in all; `headroom` how many more this user could open now, and `narrowest`
    the limit that lets it be no more: the server's, or one of the user's or the database's own.
    """

    in_use: int
    in_use_by_user: int
    limit: int
    headroom: int
    narrowest: str

    @classmethod
    def of(cls, limits: Sequence[Limit]) -> ServerUsage:
        """Sum limits up, of which the first is the whole server's."""
        server = limits[0]
        left = {limit: limit.limit - limit.in_use for limit in limits if limit.limit is not None}
        least = min(left, key=left.__getitem__)
        narrowest = f"{least.name} ({least.limit})"
        return cls(server.in_use, server.own, server.limit or 0, max(0, left[least]), narrowest)


@record
class Timeout:
    """A time limit of the server's: its name there, seconds (None: it has none), and the statement that sets one."""

    name: str
    seconds: float | None
    fix: str | None = None


class Way(Enum):
    """How far the client's socket reaches."""

    SOCKET_FILE = "a socket file"
    LOOPBACK = "this machine"
    TUNNEL = "a tunnel"
    NETWORK = "the network"


@record
class Login:
    """The user, and what makes it a superuser, or None for an ordinary one."""

    user: str
    power: str | None


@record
class Encoding:
    """How the database stores text, and the statement with which it would store all of Unicode, None where it does."""

    name: str
    fix: str | None


@record
class Clock:
    """How far the server's clock is ahead of this machine's, within what, and its session's zone, all in seconds."""

    ahead: float
    within: float
    utc_offset: int


@record
class IdleTransaction:
    """A session of this application that holds a transaction and does nothing; `blocks` are those that wait for it."""

    session: int
    seconds: float
    blocks: Sequence[int]


@record
class Facts:
    """What was measured; None is what the database does not have, or does not tell.

    `idle` is after how long the server ends an idle connection, `open_transaction` an idle transaction, `statement` a
    running statement. `findings` are those that this database alone can have, and a note for all that it does not tell.
    """

    limits: Sequence[Limit] = ()
    idle: Timeout | None = None
    open_transaction: Timeout | None = None
    statement: Timeout | None = None
    way: Way | None = None
    tls: str | None = None
    certificate_ends: datetime | None = None
    login: Login | None = None
    encoding: Encoding | None = None
    clock: Clock | None = None
    transactions: Sequence[IdleTransaction] | None = None
    findings: Sequence[Finding] = ()


class Questions:
    """Asks a database one thing after the other. What it does not tell becomes a note, and the rest is asked still.

    Args:
        backend: The database.
        connection: The one connection on which all is asked.
        introduces: Whether a note is made of which server answers, where that is not the protocol's own alone.
    """

    def __init__(self, backend: Backend, connection: Connection, *, introduces: bool = True) -> None:
        self.backend = backend
        self.connection = connection
        self.driver: Any = connection.connection.driver_connection
        self.findings: list[Finding] = []
        if introduces and backend.differs:
            self.findings.append(told_of(backend.title, backend.differs))
        if introduces and (note := self.ask("server", backend.more_to_it)):
            self.findings.append(note)

    def ask(self, check: str, question: Callable[[Connection], Answer]) -> Answer | None:
        """Return the answer, or None and note why there is none; None where it is not to be asked.

        Args:
            check: The check that needs to know.
            question: What asks it.
        """
        from sqlalchemy.exc import DBAPIError

        if check in self.backend.unasked:
            return None
        try:
            # A savepoint: on PostgreSQL a refused statement ends the transaction of all further ones.
            with self.connection.begin_nested():
                return question(self.connection)
        except (DBAPIError, DbctlError, OSError) as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            reason = self.backend.error_text(getattr(error, "orig", None) or error)
            self.findings.append(Finding(Level.NOTE, check, f"can't be read: {reason}", "This was not checked."))
            return None

    def clock(self, statement: str) -> Clock | None:
        """Read the server's clock.

        Args:
            statement: What returns its time, in seconds since 1970, and its session's zone, in seconds east of UTC.
        """

        def read(connection: Connection) -> Clock:
            start = time.time()
            now, zone = connection.exec_driver_sql(statement).one()
            within = (time.time() - start) / 2
            return Clock(float(now) - start - within, within, int(zone))

        readings = (self.ask("clock", read) for _ in range(_CLOCK_READINGS))
        return min((reading for reading in readings if reading), key=lambda reading: reading.within, default=None)


def way_of(fileno: int) -> Way:
    """Tell by a connected socket's own peer how far it reaches."""
    import ipaddress
    import socket

    with socket.socket(fileno=os.dup(fileno)) as sock:
        if sock.family not in {socket.AF_INET, socket.AF_INET6}:
            return Way.SOCKET_FILE
        address = ipaddress.ip_address(sock.getpeername()[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return Way.LOOPBACK if address.is_loopback else Way.NETWORK


def end_of(certificate: bytes) -> datetime:
    """Return when a certificate, as DER, ends."""
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(certificate).not_valid_after_utc


def seconds_of(milliseconds: str | None) -> float | None:
    """Return a setting's milliseconds in seconds, and None for the 0 that stands for no limit."""
    return float(milliseconds or 0) / 1000 or None
