"""Where a profile connects to: one host, or several that are tried in turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dbctl.errors import ConfigError
from dbctl.profiles.query import as_list
from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.profiles.model import Profile


@record
class Place:
    """Where a server may be: at an address, or at a Unix socket in a directory.

    Attributes:
        host: The host's name or address, or the directory.
        port: The port's number, which a socket has in its name too; 0 where it is the database's usual one.
    """

    host: str
    port: int

    @property
    def is_socket(self) -> bool:
        """Whether it is a Unix socket; `@` begins the name of one that is in no directory."""
        return self.host.startswith(("/", "@"))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


def places(profile: Profile, default_port: int = 0) -> list[Place]:
    """Return where a profile connects to, in its order: one host, or several.

    They are `hosts`; or, as libpq and SQLAlchemy have them, `host1:1,host2:2`; `?host=a:1&host=b:2`;
    `?host=a,b&port=1,2`.
    https://docs.sqlalchemy.org/en/20/dialects/postgresql.html#specifying-multiple-fallback-hosts

    Args:
        profile: The profile.
        default_port: The port where none is named.

    Raises:
        ConfigError: A port is no number, or there are more ports than hosts.
    """
    hosts = [*profile.hosts] or listed(profile.query.get("host")) or listed(profile.host) or addresses_of(profile)
    ports = listed(profile.query.get("port")) or [str(profile.port or default_port)]
    ports = ports * len(hosts) if len(ports) == 1 else ports
    key = "query" if "host" in profile.query or "port" in profile.query else "hosts" if profile.hosts else "host"
    where = profile.origins.get(key, profile.called)
    if len(ports) != len(hosts):
        raise ConfigError(f"{where}: query.port: there are {len(ports)} ports for {len(hosts)} hosts", "name one each")
    found = [_place(host, port) for host, port in zip(hosts, ports, strict=True)]
    for host, port in found:
        if not host or not (port.isascii() and port.isdecimal() and (0 < int(port) < 65536 or port == "0" == ports[0])):
            named = "hosts" if profile.hosts else "query.host"
            form = 'hosts = ["a:5432", "b:5432"]' if profile.hosts else "host=a:5432&host=b:5432, or host=a,b&port=5432"
            raise ConfigError(
                f"{where}: {named}: a host has no name, or its port is no number from 1 to 65535", f"write {form}"
            )
    return [Place(host, int(port)) for host, port in found]


def place_problems(profile: Profile) -> Iterator[str]:
    """Yield a line for what several hosts leave unclear, or for what a host can't be."""
    where = profile.origins.get("hosts", profile.called)
    if profile.hosts and (profile.host or {"host", "hostaddr", "unix_socket"} & set(profile.query)):
        yield f"{where}: hosts: there is a host too; keep one of them"
    elif profile.hosts:
        try:
            places(profile)
        except ConfigError as error:
            yield str(error)
    for option in ("target_session_attrs", "hostaddr"):
        if profile.target != "any" and option in profile.query:
            where = profile.origins.get("target", profile.called)
            yield f"{where}: target: beside query.{option} it can't be; say what the server has to be by that alone"


def addresses_of(profile: Profile) -> list[str]:
    """Return the addresses that are connected to in place of the hosts' names, which are verified all the same."""
    return listed(profile.query.get("hostaddr"))


def listed(value: str | Sequence[str] | None) -> list[str]:
    """Return the parts of a list that is written with commas, or of several such."""
    values = as_list(value if isinstance(value, str) else list(value or []))
    return [part.strip() for item in values for part in item.split(",")] if value else []


def _place(host: str, port: str) -> tuple[str, str]:
    """Return a host and its port, which may stand behind it; an address of IPv6 is in brackets then."""
    if match := re.fullmatch(r"\[(?P<ipv6>.*)\](?::(?P<port>.*))?", host):
        return match["ipv6"], match["port"] or port
    if host.count(":") == 1 and not host.startswith("/"):
        name, _, own = host.partition(":")
        return name, own or port
    return host, port
