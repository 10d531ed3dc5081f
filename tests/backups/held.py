"""A backup that is held midway: by another session's lock on a table, and on SQLite by slow copying."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.harness.cli import Dbctl
from tests.harness.forked import of_tests

PATIENCE = 20.0
"""Seconds after which what has not come is not waited for any more."""

_LOCKS = {"postgresql": "LOCK TABLE item IN ACCESS EXCLUSIVE MODE"}
_WAITERS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'LOCK TABLE%'"
    " AND wait_event_type = 'Lock'"
}
_WAITERS_OF_MYSQL = (
    "SELECT id FROM information_schema.processlist WHERE db = '{}' AND state = 'Waiting for table metadata lock'"
)
_PAUSE = 0.05
"""Seconds from one page to the next where copying is slow."""


def wait_for(found: Callable[[], Any]) -> Any:
    """Return what a function returns as soon as that is something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.02)
    raise AssertionError("it has not come to that")


def files_in(directory: Path) -> set[str]:
    """Return what is in a directory beside the profiles, hidden names too."""
    return {path.name for path in directory.iterdir()} - {"profiles.toml"}


def said(err: bytes) -> list[str]:
    """Return the lines that a run has said; MariaDB's tool may be older than the server here, which is no matter."""
    usual = ("is older than its server", "dbctl: profile ")
    return [line for line in err.decode().splitlines() if not any(words in line for words in usual)]


@contextlib.contextmanager
def in_the_way(shop: Shop) -> Iterator[tuple[Dbctl, Callable[[], list[Any]]]]:
    """Let no backup be done for the block; yield dbctl, and what tells the sessions that wait by then.

    On SQLite nothing waits, and it tells whether copying has begun.
    """
    with contextlib.ExitStack() as stack:
        if server := shop.database.server:
            connection = stack.enter_context(contextlib.closing(shop.database.connect(autocommit=False)))
            connection.cursor().execute(_LOCKS.get(shop.database.kind, "LOCK TABLES item WRITE"))
            query = _WAITERS.get(shop.database.kind, _WAITERS_OF_MYSQL).format(shop.database.name)
            yield shop.dbctl, lambda: [pid for (pid,) in server.execute(query)]
            return
        yield slowed(stack.enter_context(pytest.MonkeyPatch.context()), shop)


def slowed(patch: pytest.MonkeyPatch, shop: Shop) -> tuple[Dbctl, Callable[[], list[Any]]]:
    """Have a SQLite database copied, packed and unpacked slowly, page by page."""
    shop.execute("CREATE TABLE IF NOT EXISTS wide AS SELECT randomblob(2000000)")
    began = shop.dbctl.cwd.parent / "began"
    began.unlink(missing_ok=True)

    def crawl(*_: object) -> None:
        began.touch()
        time.sleep(_PAUSE)

    patch.setattr("dbctl.backends.sqlite.backups._PAGES", 1)
    patch.setattr("dbctl.backups.files._CHUNK", 4096)
    for module in ("writing", "loading"):
        patch.setattr(f"dbctl.backups.{module}.report", crawl)
    return of_tests(shop.dbctl), lambda: [began] * began.exists()


@dataclass(frozen=True)
class Held:
    """A run that is held midway.

    Attributes:
        process: the run.
        session: the tool's session on the server.
    """

    process: "subprocess.Popen[Any]"
    session: Any


@contextlib.contextmanager
def held(shop: Shop, *line: str) -> Iterator[Held]:
    """Have a run of `backup create` at work for the block, which has begun and does not come to its end."""
    with in_the_way(shop) as (dbctl, waiting), running(dbctl, *line) as process:
        yield Held(process, wait_for(waiting)[0])


@contextlib.contextmanager
def running(dbctl: Dbctl, *line: str, **how: Any) -> Iterator["subprocess.Popen[Any]"]:
    """Have a run at work for the block, which is killed at its end."""
    process = dbctl.spawn(*line, **how)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
