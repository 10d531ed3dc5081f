"""A listener that never answers, or that takes no connection, is given up within the connect timeout."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.harness.cli import Dbctl
from tests.harness.forked import Forked

CONNECT_TIMEOUT = 1.0
ALLOWANCE = 5.0
"""Seconds beyond the bound: one that it may be missed by, and the rest for a machine with much to do."""
PROFILES = {"pg": "postgresql", "my": "mysql+pymysql"}
COMMANDS = (["heroes", "list"], ["ping"])


@contextlib.contextmanager
def never_answering() -> Iterator[int]:
    """Accept connections, as the kernel does by itself, and say nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def never_accepting() -> Iterator[int]:
    """Have a queue of connections that is full, so that the kernel passes over each further one."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = held.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("listening", [never_answering, never_accepting])
def test_it_is_given_up_in_time(listening: Callable[[], contextlib.AbstractContextManager[int]], dbctl: Dbctl) -> None:
    run = Forked(dbctl.cwd, dbctl.home)
    with listening() as port:
        for name, scheme in PROFILES.items():
            profile = f'url = "{scheme}://app@127.0.0.1:{port}/app"\nconnect_timeout = {CONNECT_TIMEOUT}\n'
            with (dbctl.cwd / "profiles.toml").open("a", encoding="utf-8") as file:
                file.write(f"[profiles.{name}]\n{profile}\n")
        began = time.monotonic()
        started = [run.start("--profile", name, *command) for name in PROFILES for command in COMMANDS]
        for result in [wait() for wait in started]:
            assert result.code == 4, str(result)
            assert result.err.startswith("dbctl: error: "), str(result)
            assert len(result.err.splitlines()) == 1, str(result)
            assert result.out == "", str(result)
        seconds = time.monotonic() - began
    assert CONNECT_TIMEOUT <= seconds < CONNECT_TIMEOUT + ALLOWANCE
