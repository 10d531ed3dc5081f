"""Sessions of a test's own, each of which holds something, or waits for it in a thread."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

from tests.harness.database import TestDatabase
from tests.servers.client import Connection, rows


def number_of(connection: Connection) -> int:
    """Return what its server calls a session."""
    driver: Any = connection
    return int(driver.thread_id() if hasattr(driver, "thread_id") else driver.info.backend_pid)


class Cast:
    """Opens sessions on a database, and ends them all, whatever they wait for."""

    def __init__(self, database: TestDatabase) -> None:
        self._database = database
        self._connections: list[Connection] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for connection in self._connections:
            end(self._database, number_of(connection))
        for thread in self._threads:
            thread.join(20)
        for connection in self._connections:
            with contextlib.suppress(Exception):
                connection.close()

    def holding(self, *statements: str, autocommit: bool = False) -> int:
        """Open a session that has run statements in a transaction, and does nothing more; return its number."""
        connection = self._opened(autocommit=autocommit)
        for statement in statements:
            rows(connection, statement)
        return number_of(connection)

    def waiting(self, statement: str) -> int:
        """Open a session that runs a statement in a thread, and return its number when that has begun for sure."""
        connection = self._opened(autocommit=True)

        def run() -> None:
            with contextlib.suppress(Exception):  # it is ended
                rows(connection, statement)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)
        return number_of(connection)

    def _opened(self, *, autocommit: bool) -> Connection:
        connection = self._database.connect(autocommit=autocommit)
        self._connections.append(connection)
        return connection


def end(database: TestDatabase, number: int) -> None:
    """End a session, where it is still there."""
    assert database.server
    with contextlib.suppress(Exception):
        if database.kind == "postgresql":
            database.server.execute(f"SELECT pg_terminate_backend({number})")
        else:
            database.server.execute(f"KILL {number}")


def until(found: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Ask again and again until something is found, and return it."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)
    return value


@contextlib.contextmanager
def writing(path: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have another process write to a file of SQLite: a fork would take this one's locks for its own."""
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)"
    program += "; c.execute('BEGIN IMMEDIATE'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()
