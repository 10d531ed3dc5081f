"""Ending the backend of a connection at the server, past dbctl, at a moment that is known."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine, event

from tests.harness.database import TestDatabase

PATIENCE = 20.0
"""Seconds for what takes a fraction of one, unless the machine is very busy."""

_GONE = "SELECT 1 FROM information_schema.processlist WHERE id = %s"
_WAITING = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = %s AND state = 'active'"
    " AND (wait_event_type = 'Lock' OR wait_event = 'PgSleep')",
    "mysql": "SELECT p.id FROM information_schema.processlist p LEFT JOIN information_schema.innodb_trx t"
    " ON p.id = t.trx_mysql_thread_id WHERE p.db = %s AND (t.trx_state = 'LOCK WAIT' OR p.state = 'User sleep')",
}


def until(found: Callable[[], Any], what: str) -> Any:
    """Look until something is found, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (seen := found()):
        assert time.monotonic() < deadline, what
        time.sleep(0.12)  # InnoDB shows what it knew a tenth of a second ago to whoever asks more often
    return seen


def kill(database: TestDatabase, backend: int) -> None:
    """End a backend, and wait until it is gone."""
    server = database.server
    assert server
    if database.kind == "postgresql":
        server.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
        return
    server.execute(f"KILL {backend:d}")
    until(lambda: not server.execute(_GONE, [backend]), "it stays")


def kill_waiting(database: TestDatabase) -> None:
    """End the backend that waits for a lock, or sleeps, as soon as there is one."""
    server = database.server
    assert server
    ((backend,), *_) = until(lambda: server.execute(_WAITING[database.dialect], [database.name]), "nobody waited")
    kill(database, backend)


@contextlib.contextmanager
def after_statement(number: int, act: Callable[[Connection], object], containing: str = "") -> Iterator[None]:
    """Do something after a statement that is run in the block, or in a fork of this process that the block makes.

    Parameters:
        number: after which one; each fork counts for itself, from 1.
        act: what to do.
        containing: only statements with this text in them are counted.
    """
    run = 0

    def count(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal run
        run += containing in statement
        if run == number and containing in statement:
            act(connection)

    event.listen(Engine, "after_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(Engine, "after_cursor_execute", count)


def killed_after(database: TestDatabase, number: int, containing: str = "") -> contextlib.AbstractContextManager[None]:
    """Kill, in each fork of this process that the block makes, the backend that has run so many statements."""

    def act(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        kill(database, driver.thread_id() if database.dialect == "mysql" else driver.info.backend_pid)

    return after_statement(number, act, containing)
