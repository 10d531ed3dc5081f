"""An sshd on loopback, with keys of its own: a bastion before the test servers."""

import os
import pwd
import signal
import socket
import stat
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.processes import children_of, descendants_of
from tests.servers.process import PATIENCE, ServerProcess
from tests.servers.system import ServerFailed, free_port, programs, search_path, unprivileged

_ACCOUNTS = ("postgres",)


class Bastion:
    """Lets in whoever has the key, as the account that it runs under, and forwards wherever it is asked to.

    Attributes:
        port: its port on 127.0.0.1.
    """

    def __init__(self) -> None:
        """Plan a bastion; raise ServerMissing if there is no sshd."""
        self._programs = programs(["sshd"], search_path()) | programs(["ssh", "ssh-keygen"], search_path())
        self._body = ServerProcess("bastion", _ACCOUNTS)
        self.user = (unprivileged(_ACCOUNTS) or pwd.getpwuid(os.geteuid())).pw_name
        self.port = free_port()

    def __enter__(self) -> Self:
        self._body.move_in()
        for name in ("key", "other_key", "host_key"):
            self._body.run([self._programs["ssh-keygen"], "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)])
        host_key = self.path("host_key.pub").read_text(encoding="utf-8")
        self._body.give("known_hosts", f"[127.0.0.1]:{self.port} {host_key}".encode())
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._body.remove()

    def path(self, name: str) -> Path:
        """Return the path of a file of its own: `key`, whose owner it lets in, `other_key`, `known_hosts`."""
        return self._body.directory / name

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = self._body.give(
            "sshd_config",
            f"""
ListenAddress 127.0.0.1
Port {self.port}
HostKey {self.path("host_key")}
AuthorizedKeysFile {self.path("key.pub")}
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxStartups 100
""".encode(),
        )
        self._body.start([self._programs["sshd"], "-D", "-e", "-f", settings])
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._body.check()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise ServerFailed(f"sshd gave no answer in {PATIENCE:g} s:\n{self._body.log_tail()}")

    def stop(self) -> None:
        """End it, and the connections of all whom it has let in."""
        if self._body.process:
            self.throw_out()
            self._body.stop(signal.SIGTERM)

    def throw_out(self) -> None:
        """Cut the connections of all whom it has let in."""
        for login in self._logins():
            os.kill(login, signal.SIGKILL)

    def _logins(self) -> list[int]:
        assert self._body.process
        sshd = self._body.process.pid
        return list(descendants_of(sshd))

    def config(self, directory: Path, **changes: str) -> Path:
        """Write a file for `ssh -F` in which it is the host `bastion`, and return its path.

        Parameters:
            directory: where to write it.
            changes: settings, instead of its own.
        """
        settings = {
            "HostName": "127.0.0.1",
            "Port": str(self.port),
            "User": self.user,
            "IdentityFile": str(self.path("key")),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": str(self.path("known_hosts")),
            "GlobalKnownHostsFile": "/dev/null",
            **changes,
        }
        lines = [f"    {key} {value}" for key, value in settings.items()]
        path = directory / "ssh_config"
        path.write_text("\n".join(["Host bastion", *lines, ""]), encoding="utf-8")
        return path

    def ssh(self, directory: Path, **changes: str) -> Path:
        """Write a program `ssh` that is the system's, with `config` in the place of the person's own.

        Returns:
            The directory in which it is, for the beginning of PATH.
        """
        own = directory / "bin"
        own.mkdir(exist_ok=True)
        wrapper = own / "ssh"
        config = self.config(directory, **changes)
        wrapper.write_text(f'#!/bin/sh\nexec {self._programs["ssh"]} -F {config} "$@"\n', encoding="utf-8")
        wrapper.chmod(stat.S_IRWXU)
        return own


def tunnels_of(process: int) -> list[int]:
    """Return the processes of ssh that a process has for children."""
    return [child for child in children_of(process) if _name(child) == "ssh"]


def is_gone(process: int) -> bool:
    """Wait for a process to end, at most as long as one should take."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return ""
