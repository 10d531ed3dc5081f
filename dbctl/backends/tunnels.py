"""The way to a database that can't be reached from here: the tunnel that its profile names, and where it begins.

What runs programs is imported where there is a tunnel, so that nobody else waits for it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.logins import Logins
from dbctl.errors import ConfigError, ConnectError
from dbctl.profiles.urls import MASK
from dbctl.runtime.listeners import LOOPBACK

if TYPE_CHECKING:
    from dbctl.runtime.tunnels import Tunnel

# https://man.openbsd.org/ssh and ssh_config. Nothing is asked, for nobody may be there. A connection that is shared
# would keep the forward when this ssh has ended, and go to the background. At the level INFO it says why a forward
# leads nowhere. A bastion that is silent for half a minute is given up.
_SSH = ("ssh", "-N", "-T", "-S", "none", "-o", "ExitOnForwardFailure=yes")
_OPTIONS = ("BatchMode=yes", "ServerAliveInterval=10", "ServerAliveCountMax=3", "LogLevel=INFO", "ControlPersist=no")

_WILL_NOT_HEAL = (
    *("Permission denied", "Host key verification failed", "Too many authentication failures", "Bad configuration"),
    *("prohibited", "Unauthorized", "forbidden", "usage:", "unknown option", "unknown flag"),
)
"""The words of ssh, and of what other tunnels there are, after which to wait is of no use."""


class Tunnelled(Logins):
    """The part of a backend that knows the tunnel to its server."""

    title: ClassVar[str]

    def addresses(self) -> Sequence[tuple[str, int]]:
        """Return the hosts and ports that the driver would try without a tunnel."""
        raise NotImplementedError

    @property
    def tunnel(self) -> Tunnel | None:
        """This process's tunnel to the server, open or not; None where the profile has none."""
        if not self.profile.tunnel or not self.addresses():
            return None
        from dbctl.runtime.tunnels import tunnel_by

        return tunnel_by(list(self._words()))

    def open_tunnel(self, holder: Hashable, seconds: float) -> int:
        """Return the port of loopback from which the tunnel leads, which is opened where it is not.

        Args:
            holder: Who needs it, and releases it.
            seconds: How long that may take.

        Raises:
            ConnectError: It does not open.
            ConfigError: Its program can't be run.
        """
        from dbctl.runtime.tunnels import TunnelFailed

        called, (program, *_) = self.profile.called, self._words()
        assert self.tunnel is not None, "who has none does not open it"
        try:
            return self.tunnel.port(holder, seconds)
        except TunnelFailed as failed:
            raise self._tunnel_error(str(failed)) from failed
        except OSError as error:
            key = "tunnel.ssh" if self.profile.tunnel.ssh else "tunnel.command"
            message = f"{self.profile.origins.get(key, called)}: {key}: can't run {program}: {error.strerror or error}"
            raise ConfigError(message, "install it" if isinstance(error, FileNotFoundError) else "") from error

    def place_for_programs(self) -> tuple[str, int] | None:
        """Return the host and the port of the tunnel's beginning, opened until this process ends; None without one.

        Raises:
            ConnectError: It does not open.
            ConfigError: Its program can't be run.
        """
        if self.tunnel is None:
            return None
        return LOOPBACK, self.open_tunnel("programs", self.profile.connect_timeout)

    def rerouted(self, port: int, *, asynchronous: bool = False) -> dict[str, Any]:
        """Return the keywords by which a driver connects to the tunnel; which name is verified stays as it is.

        Args:
            port: The port of loopback.
            asynchronous: Whether they are the async driver's.
        """
        return {"host": LOOPBACK, "port": port}

    @contextmanager
    def through_tunnel(self) -> Iterator[dict[str, Any]]:
        """Open the tunnel for the block, and return the sync driver's keywords for it; nothing without a tunnel."""
        if (tunnel := self.tunnel) is None:
            yield {}
            return
        holder = object()
        try:
            yield self.rerouted(self.open_tunnel(holder, self.profile.connect_timeout))
        finally:
            tunnel.release(holder)

    def tunnel_problems(self) -> Iterator[str]:
        """Yield a line where there is not one host that a tunnel could lead to."""
        if self.profile.tunnel and len(self.addresses()) != 1:
            key = "tunnel.ssh" if self.profile.tunnel.ssh else "tunnel.command"
            where = self.profile.origins.get(key, self.profile.called)
            yield f"{where}: {key}: a tunnel leads to one host, and there is a socket file, or there are several hosts"

    def tunnel_trouble(self, heard: int | None) -> ConnectError | None:
        """Return the error that says why the tunnel is at fault for a connection that failed; None where it is not."""
        told = self.tunnel.trouble(heard) if self.tunnel else ""
        return self._tunnel_error(told) if told else None

    def _tunnel_error(self, told: str) -> ConnectError:
        if password := self.known_password:  # a command may have been told it
            told = told.replace(password, MASK)
        transient = not any(words in told for words in _WILL_NOT_HEAL)
        hint = f"try it by itself: ssh {self.profile.tunnel.ssh}" if self.profile.tunnel.ssh and not transient else ""
        return ConnectError(f"{self.profile.called}: tunnel failed: {told}", "tunnel", hint, transient=transient)

    def _words(self) -> Iterator[str]:
        """Yield the tunnel's program and arguments; only the port of loopback is still to be filled in."""
        (host, port), tunnel = self.addresses()[0], self.profile.tunnel
        values: Mapping[str, str] = {"host": host, "remote_port": str(port)}
        if tunnel.command:
            yield from (
                re.sub(r"\{(host|remote_port)\}", lambda name: values[name[1]], word) for word in tunnel.command
            )
            return
        yield from _SSH
        for option in _OPTIONS:
            yield from ("-o", option)
        yield from ("-L", f"{LOOPBACK}:{{port}}:{f'[{host}]' if ':' in host else host}:{port}", str(tunnel.ssh))
