"""A restore that is held in the middle of its loading, by whatever keeps the very tool waiting there."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dbctl.backends.backups import Start
from dbctl.backups import running
from tests.backups.conftest import Shop
from tests.backups.held import slowed
from tests.harness.cli import Dbctl
from tests.harness.forked import of_tests

COMMANDS = ["restore", "verify"]
"""What loads a backup."""

# In the shop itself it is quick; each row that is loaded elsewhere takes a minute.
_SLOW = (
    "CREATE FUNCTION at_home() RETURNS bool LANGUAGE sql AS"
    " $$SELECT current_database() NOT LIKE 'dbctl%' OR pg_sleep(60) IS NOT NULL$$",
    "CREATE TABLE slow (a int CHECK (at_home()))",
    "INSERT INTO slow VALUES (1)",
)
_SLEEPER = "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'dbctl\\_%' AND wait_event = 'PgSleep'"

_CONNECTED = "SELECT id FROM information_schema.processlist WHERE db LIKE 'dbctl\\_%'"

# The client has a part of its input, which ends within a statement, and waits for the rest. What ends it ends all.
_CLIENT = """#!/bin/sh
exec 3<&0
trap 'trap - TERM; kill 0' TERM
(
  head -c 6000 <&3
  : > "$REACHED"
  for _ in $(seq 300); do [ -e "$GO" ] && break; sleep 0.1; done
  exec cat <&3
) | "$REAL" "$@" &
wait $!
"""


def line_for(shop: Shop, command: str, backup: Path) -> tuple[str, ...]:
    """Return the arguments of a command that loads a backup, as the superuser."""
    if command == "verify":
        return "backup", "verify", backup.name, "--on", "admin"
    return "-p", "admin", "restore", backup.name, "--into", shop.database.name


def left_by(shop: Shop, temporary: Path) -> list[str]:
    """Return what a run has left anywhere: databases, and files in its directories."""
    places = [temporary] if shop.database.server else [temporary, Path(shop.database.name).parent]
    names = [path.name for place in places for path in place.glob("*dbctl-*")]
    if server := shop.database.server:
        query = {"postgresql": "SELECT datname FROM pg_database"}.get(shop.database.kind, "SHOW DATABASES")
        names += [name for (name,) in server.execute(query) if name.startswith("dbctl_")]
    return names


@dataclass(frozen=True)
class Stalled:
    """What is held midway of loading.

    Attributes:
        dbctl: whose restores are held.
        backup: the backup, which is restored by anybody else without more ado.
        reached: tells whether the middle is reached; on a server by the tool's session.
        temporary: where dbctl has its files of a moment.
        go: makes the tool go on, where it does not feel by itself that its server has gone.
    """

    dbctl: Dbctl
    backup: Path
    reached: Callable[[], Any]
    temporary: Path
    go: Callable[[], Any]


@contextlib.contextmanager
def stalled(shop: Shop) -> Iterator[Stalled]:
    """Have dbctl, for the block, whose restores and verifications of a backup are held midway."""
    temporary, mark, go = (shop.dbctl.cwd.parent / name for name in ("temporary", "reached", "go"))
    temporary.mkdir(exist_ok=True)
    server = shop.database.server
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        if server is None:
            dbctl, reached = slowed(patch, shop)
            yield Stalled(dbctl, shop.backup("held"), reached, temporary, lambda: None)
        elif shop.database.kind == "postgresql":
            for statement in _SLOW:
                shop.execute(statement)
            yield Stalled(of_tests(shop.dbctl), shop.backup("held"), lambda: server.execute(_SLEEPER), temporary, int)
        else:
            patch.setattr("dbctl.backups.loading.tool_at_work", _by_script(temporary.parent, mark, go))

            def begun() -> list[Any]:  # the client connects while the script reads
                return server.execute(_CONNECTED) if mark.exists() else []

            yield Stalled(of_tests(shop.dbctl), shop.backup("held"), begun, temporary, go.touch)


def _by_script(directory: Path, mark: Path, go: Path) -> Any:
    """Return what runs the script in the place of the client that the script runs."""
    script = directory / "client"
    script.write_text(_CLIENT, encoding="utf-8")
    script.chmod(0o755)

    def at_work(backend: Any, start: Start, **how: Any) -> Any:
        told = {**start.environment, "REAL": start.tool.path, "REACHED": str(mark), "GO": str(go)}
        tool = replace(start.tool, path=str(script))
        return running.tool_at_work(backend, replace(start, tool=tool, environment=told), **how)

    return at_work
