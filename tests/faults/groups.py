"""MySQL as a member of a replication group, on loopback alone."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.servers.authority import Authority
from tests.servers.client import rows
from tests.servers.mysql import MySQLServer
from tests.servers.process import PATIENCE
from tests.servers.system import ServerFailed, free_port

_GROUP = "5d6cf22e-7a1b-4c3e-9d55-0c6f1f1d9b7a"
_SETTINGS = [
    "--log-bin=binlog",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--plugin-load-add=group_replication.so",
    "--report-host=127.0.0.1",
]


class Replica(MySQLServer):
    """A server outside of the group that replicates from one of its members whatever that has ever committed."""

    def __init__(self, authority: Authority, source: "GroupMember") -> None:
        """Plan it."""
        super().__init__(authority)
        self._source = source
        self.password = source.password

    def command(self) -> Sequence[str | Path]:
        """Return the command, with what a replica has to have."""
        return [
            *(word for word in super().command() if word != "--disable-log-bin"),
            *_SETTINGS,
            f"--server-id={self.port}",
        ]

    def set_up(self) -> None:
        """Have it replicate; the ordinary role comes with the rest."""
        (self.directory / "first.sql").unlink()
        place = "SOURCE_HOST = '127.0.0.1', SOURCE_PORT = %s, SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1"
        login = "SOURCE_USER = %s, SOURCE_PASSWORD = %s"
        with contextlib.closing(self.connect()) as connection:
            rows(connection, "RESET BINARY LOGS AND GTIDS")
            arguments = [self._source.port, self.user, self.password]
            rows(connection, f"CHANGE REPLICATION SOURCE TO {place}, {login}", arguments)
            rows(connection, "START REPLICA")


class GroupMember(MySQLServer):
    """One member, which begins a group of its own, or joins another member's; one of them takes writes at first."""

    def __init__(self, authority: Authority, peer: Self | None = None) -> None:
        """Plan a member."""
        super().__init__(authority)
        self._group_port = free_port()
        self._peer = peer
        if peer:
            self.password = peer.password

    def command(self) -> Sequence[str | Path]:
        """Return the command that runs the server in the foreground."""
        group = {
            "group-name": _GROUP,
            "local-address": f"127.0.0.1:{self._group_port}",
            "group-seeds": f"127.0.0.1:{(self._peer or self)._group_port}",
            "ip-allowlist": "127.0.0.1/8",
            "start-on-boot": "OFF",
            "recovery-get-public-key": "ON",
        }
        return [
            *(word for word in super().command() if word != "--disable-log-bin"),
            *_SETTINGS,
            f"--server-id={self.port}",
            f"--report-port={self.port}",
            *(f"--loose-group-replication-{name}={value}" for name, value in group.items()),
        ]

    def set_up(self) -> None:
        """Have it begin the group, or join it, and make the ordinary role for all."""
        (self.directory / "first.sql").unlink()
        first = "OFF" if self._peer else "ON"
        source = "CHANGE REPLICATION SOURCE TO SOURCE_USER = %s, SOURCE_PASSWORD = %s"
        with contextlib.closing(self.connect()) as connection:
            rows(connection, "RESET BINARY LOGS AND GTIDS")  # what it did to make itself is no other's
            rows(connection, f"{source} FOR CHANNEL 'group_replication_recovery'", [self.user, self.password])
            rows(connection, f"SET GLOBAL group_replication_bootstrap_group = {first}")
            rows(connection, "START GROUP_REPLICATION")
            rows(connection, "SET GLOBAL group_replication_bootstrap_group = OFF")
        self.wait_until_online()
        if not self._peer:
            self.create_role(self.app_user, self.app_password)

    def members(self) -> list[tuple[Any, ...]]:
        """Return the ports, states and roles of all members, as this one sees them."""
        query = "SELECT member_port, member_state, member_role FROM performance_schema.replication_group_members"
        return self.execute(f"{query} ORDER BY member_port")

    def wait_until_online(self) -> None:
        """Wait until it takes part.

        Raises:
            ServerFailed: It did not in time.
        """
        deadline = time.monotonic() + PATIENCE
        while (self.port, "ONLINE") not in [member[:2] for member in self.members()]:
            if time.monotonic() > deadline:
                raise ServerFailed(f"the member was not online in {PATIENCE:g} s:\n{self.body.log_tail()}")
            time.sleep(0.05)
