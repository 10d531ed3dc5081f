"""MariaDB as a node of a Galera cluster, on loopback alone."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.servers.authority import Authority
from tests.servers.client import rows
from tests.servers.mariadb import MariaDBServer
from tests.servers.process import PATIENCE
from tests.servers.system import ServerFailed, ServerMissing, free_port

_PROVIDERS = [Path("/usr/lib/galera/libgalera_smm.so"), Path("/usr/lib64/galera/libgalera_smm.so")]
_SETTINGS = [
    "--wsrep-on=ON",
    "--wsrep-node-address=127.0.0.1",
    "--wsrep-node-incoming-address=127.0.0.1",
    "--wsrep-sst-method=skip",  # a node that joins begins with the same data, none
    "--binlog-format=ROW",
    "--innodb-autoinc-lock-mode=2",
]
_STATE = "# GALERA saved state\nversion: 2.1\nuuid: {0}\nseqno: {1}\nsafe_to_bootstrap: 0\n"


class GaleraNode(MariaDBServer):
    """One node, which begins a cluster of its own, or joins another node's, to which nothing has been written yet."""

    def __init__(self, authority: Authority | None, peer: Self | None = None) -> None:
        """Plan a node.

        Raises:
            ServerMissing: Galera is not installed.
        """
        super().__init__(authority)
        found = [path for path in _PROVIDERS if path.exists()]
        if not found:
            raise ServerMissing("libgalera_smm.so not found: it comes with Debian's galera-4")
        self._provider = found[0]
        self._group_port, self._transfer_port = free_port(), free_port()
        self._peer = peer
        if peer:
            self.password = peer.password

    def initialise(self) -> None:
        """Make the data directory, as one that has all that its peer has."""
        super().initialise()
        if self._peer:
            state = self._peer.status
            position = (state["wsrep_cluster_state_uuid"], state["wsrep_last_committed"])
            self.body.give("data/grastate.dat", _STATE.format(*position).encode())

    def command(self) -> Sequence[str | Path]:
        """Return the command that runs the server in the foreground."""
        provider = {
            "gmcast.listen_addr": f"tcp://127.0.0.1:{self._group_port}",
            "ist.recv_addr": f"127.0.0.1:{self._transfer_port}",
            "ist.recv_bind": "127.0.0.1",
            "gcache.size": "8M",
        }
        return [
            *super().command(),
            f"--wsrep-provider={self._provider}",
            f"--wsrep-provider-options={';'.join(f'{key}={value}' for key, value in provider.items())}",
            f"--wsrep-cluster-address=gcomm://{f'127.0.0.1:{self._peer._group_port}' if self._peer else ''}",
            *_SETTINGS,
        ]

    def set_up(self) -> None:
        """Make the ordinary role on this node alone: each has made its own."""
        self.wait_until_ready()
        if not self._peer:
            super().set_up()
            return
        (self.directory / "first.sql").unlink()
        with contextlib.closing(self.connect()) as connection:
            rows(connection, "SET SESSION wsrep_on = OFF")
            rows(connection, "CREATE USER %s@'%%' IDENTIFIED BY %s", [self.app_user, self.app_password])

    @property
    def status(self) -> dict[str, Any]:
        """What the node says of its cluster."""
        return dict(self.execute("SHOW STATUS LIKE 'wsrep%'"))

    def wait_until_ready(self) -> None:
        """Wait until the node takes part.

        Raises:
            ServerFailed: It did not in time.
        """
        deadline = time.monotonic() + PATIENCE
        while self.status["wsrep_ready"] != "ON":
            if time.monotonic() > deadline:
                raise ServerFailed(f"Galera was not ready in {PATIENCE:g} s:\n{self.body.log_tail()}")
            time.sleep(0.02)

    def take_no_part(self) -> None:
        """Have the node answer 1047 to whatever touches a table."""
        self.execute("SET GLOBAL wsrep_reject_queries = ALL")

    def take_part(self) -> None:
        """End that."""
        self.execute("SET GLOBAL wsrep_reject_queries = NONE")
