"""PgBouncer in transaction mode, before a test PostgreSQL server."""

import signal
import time
from types import TracebackType
from typing import Self

import psycopg2

from tests.servers.client import Connection
from tests.servers.process import PATIENCE, ServerProcess
from tests.servers.server import Server
from tests.servers.system import ServerFailed, free_port, programs, search_path


class PgBouncer:
    """A transaction pooler for all databases of a server: its clients in plaintext, the server's side over TLS."""

    host = "127.0.0.1"
    places = 4
    """How many of its clients may be in a transaction at a time, of one database; the others wait."""

    def __init__(self, server: Server) -> None:
        """Plan a pooler; raise ServerMissing if there is no pgbouncer."""
        self._program = programs(["pgbouncer"], search_path())["pgbouncer"]
        self._server = server
        self._body = ServerProcess("pgbouncer", ("postgres",))
        self.port = free_port()

    def __enter__(self) -> Self:
        self._body.move_in()
        server = self._server
        settings = self._body.give("pgbouncer.ini", self._settings().encode())
        self._body.give("users.txt", f'"{server.app_user}" "{server.app_password}"\n'.encode())
        self._body.start([self._program, settings])
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._body.check()
            try:
                self.connect("postgres").close()
            except psycopg2.OperationalError:
                time.sleep(0.02)
            else:
                return self
        raise ServerFailed(f"pgbouncer gave no answer in {PATIENCE:g} s:\n{self._body.log_tail()}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._body.stop(signal.SIGINT)
        self._body.remove()

    def connect(self, database: str) -> Connection:
        """Open a connection of the bare driver, as the ordinary role; the caller closes it."""
        return psycopg2.connect(
            host=self.host,
            port=self.port,
            user=self._server.app_user,
            password=self._server.app_password,
            dbname=database,
            connect_timeout=5,
        )

    def _settings(self) -> str:
        return f"""
[databases]
* = host=127.0.0.1 port={self._server.port}

[pgbouncer]
listen_addr = {self.host}
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = users.txt
pool_mode = transaction
server_tls_sslmode = {"require" if self._server.authority else "disable"}
default_pool_size = {self.places}
"""
