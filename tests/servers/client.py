"""What a test can ask of a server by SQL, whichever server it is."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from tests.servers.authority import Certificate

Row = tuple[Any, ...]
Demand = Literal["tls", "certificate"]


class Connection(Protocol):
    """What the tests use of a driver's connection (PEP 249)."""

    def cursor(self) -> Any: ...
    def commit(self) -> Any: ...
    def rollback(self) -> Any: ...
    def close(self) -> Any: ...


def rows(connection: Connection, sql: str, params: Sequence[Any] | None = None) -> list[Row]:
    """Run one statement, in the driver's own parameter style, and return its rows; none if it returns no rows."""
    cursor = connection.cursor()
    # Without parameters nothing is passed, not even an empty list: then a % in the statement is just a character.
    if params:
        cursor.execute(sql, params)
    else:
        cursor.execute(sql)
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


class Client(ABC):
    """The SQL side of a server, by the bare driver: nothing of dbctl or SQLAlchemy is in between.

    Attributes:
        host: the name to connect to. The server's certificate is good for it, and for 127.0.0.1.
        port: the TCP port, the same after a restart.
        user, password: the superuser.
        app_user, app_password: an ordinary role, which owns the databases of the tests.
        ca: the root certificate that signed the server's; None when the server offers no TLS.
    """

    host = "localhost"
    port: int
    user: str
    password: str
    app_user = "app"
    app_password: str
    ca: Path | None

    @abstractmethod
    def connect(
        self,
        *,
        user: str | None = None,
        password: str | None = None,
        database: str | None = None,
        host: str | None = None,
        tls: bool = True,
        ca: Path | None = None,
        certificate: Certificate | None = None,
        autocommit: bool = True,
        timeout: int = 10,
    ) -> Connection:
        """Connect, as the superuser unless told otherwise; the timeout is in seconds.

        With TLS the server's certificate and its name are checked, against `ca` or else against the right authority.
        """

    @abstractmethod
    def create_database(self, name: str, owner: str | None = None) -> None:
        """Create an empty database that belongs to the ordinary role, or to another."""

    @abstractmethod
    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, and throw out whoever uses it."""

    @abstractmethod
    def create_role(
        self, name: str, password: str, *, connections: int | None = None, requires: Demand | None = None
    ) -> None:
        """Create an ordinary role that may log in.

        Parameters:
            connections: how many it may have at a time; without limit if None.
            requires: what the server demands of its connections beside the password.
        """

    @abstractmethod
    def drop_role(self, name: str) -> None:
        """Drop the role if it exists; it must own nothing any more."""

    def execute(self, sql: str, params: Sequence[Any] | None = None, database: str | None = None) -> list[Row]:
        """Run one statement as the superuser on a new connection, committed at once; return its rows."""
        with contextlib.closing(self.connect(database=database)) as connection:
            return rows(connection, sql, params)
