"""A server that falls silent in the middle of dbctl's own questions is given up in `connect_timeout`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from tests.faults.behind import behind
from tests.faults.cuts import Cut
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.servers.proxy import Conversation, End, Proxy, Way

T = 1.0
"""The profile's `connect_timeout`."""
DURATION = 0.3
GRACE = 5.0
"""Seconds for a machine with much to do, from the first run's start to the last one's end."""
PIECES = range(8, 20, 2)
"""After how many pieces of what it says the server is silent."""
COMMANDS = (
    ("doctor", "--level", "error"),
    ("pool-stats", "--duration", f"{DURATION}", "--concurrency", "1"),
    ("pool-stats", "--duration", f"{DURATION}", "--concurrency", "1", "--driver", "async"),
)


@dataclass(frozen=True)
class SilentAfter(Cut):
    """The server says nothing any more after so many pieces."""

    pieces: int

    def strikes(self, conversation: Conversation, way: Way, data: bytes) -> tuple[int, End] | None:
        """Count the server's pieces."""
        said = sum(each is Way.TO_CLIENT for each, _ in conversation.pieces)
        return (0, self.end) if way is Way.TO_CLIENT and said > self.pieces else None


@pytest.mark.parametrize("bound", ["", f"statement_timeout = {T}\n"], ids=["", "statement_timeout"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_ends_in_time(
    server_database: TestDatabase, dbctl: Dbctl, command: Sequence[str], bound: str
) -> None:
    assert server_database.server
    with Proxy(server_database.server.port) as proxy:
        there = behind(proxy, server_database)
        toml = there.toml.replace("connect_timeout = 5\n", f"connect_timeout = {T}\n{bound}")
        run = forked(dbctl, replace(there, toml=toml))
        began = time.monotonic()
        proxy.expect(*(SilentAfter(End.SILENCE, pieces) for pieces in PIECES))
        results = [wait() for wait in [run.start(*command) for _ in PIECES]]
        assert time.monotonic() - began < DURATION + 2 * T + GRACE
    for result in results:
        assert result.code in {0, 4, 5}, str(result)
        assert result.err.count("dbctl: error: ") == len(result.err.splitlines()) == (result.code != 0), str(result)
    assert sum(result.code != 0 for result in results) >= 3
