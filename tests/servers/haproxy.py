"""HAProxy as a balancer of TCP, before servers that it knows nothing of but their ports."""

import csv
import signal
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.servers.process import PATIENCE, ServerProcess
from tests.servers.server import Server
from tests.servers.system import ServerFailed, free_port, programs, search_path


class HAProxy:
    """One port that leads to each of several servers in turn, the first of them first.

    Args:
        servers: Where it leads to.
        idle: Seconds after which it cuts a connection on which nothing is sent.
        check: What it asks a server, as its `option` has it; "" to take each for well.

    Raises:
        ServerMissing: There is no haproxy.
    """

    host = "127.0.0.1"

    def __init__(self, *servers: Server, idle: float = 60, check: str = "") -> None:
        self._program = programs(["haproxy"], search_path())["haproxy"]
        self._servers = servers
        self._idle, self._check = idle, check
        self._body = ServerProcess("haproxy", ("haproxy",))
        self.port = free_port()

    def __enter__(self) -> Self:
        self._body.move_in()
        settings = self._body.give("haproxy.cfg", self._settings().encode())
        self._body.start([self._program, "-db", "-f", settings])
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._body.check()
            try:
                self.checks()  # and not a connection to the port, which would be one server's turn
            except OSError:
                time.sleep(0.02)
            else:
                return self
        raise ServerFailed(f"haproxy gave no answer in {PATIENCE:g} s:\n{self._body.log_tail()}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._body.stop(signal.SIGTERM)
        self._body.remove()

    def checks(self) -> Sequence[tuple[str, str]]:
        """Return of each server whether it is in rotation, and what the last check has found: `("UP", "L7OK")`.

        https://docs.haproxy.org/2.6/management.html#9.3-show%20stat
        """
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self._body.directory / "control"))
            asking.sendall(b"show stat\n")
            with asking.makefile(encoding="ascii") as answer:
                rows = list(csv.DictReader(answer))
        return [(row["status"], row["check_status"]) for row in rows if row["svname"].startswith("server")]

    def _settings(self) -> str:
        checked = " check inter 100" if self._check else ""
        servers = "\n    ".join(
            f"server server{number} {server.host}:{server.port}{checked}" for number, server in enumerate(self._servers)
        )
        return f"""
global
    stats socket {self._body.directory}/control mode 600

defaults
    mode tcp
    timeout connect 5s
    timeout client {self._idle * 1000:.0f}
    timeout server {self._idle * 1000:.0f}

listen databases
    bind {self.host}:{self.port}
    balance roundrobin
    {f"option {self._check}" if self._check else ""}
    {servers}
"""
