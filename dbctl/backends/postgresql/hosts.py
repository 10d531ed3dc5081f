"""Which host a connection leads to, and by asyncpg connecting to one of several as libpq chooses among them.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.backends.hosts import Hosted, Role, rows
from dbctl.backends.postgresql.options import places
from dbctl.backends.postgresql.peers import LAG
from dbctl.errors import ConnectError
from dbctl.profiles.places import Place, addresses_of

if TYPE_CHECKING:
    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile

# What libpq calls them, and what the system does; the last is Linux's own.
_KEEPALIVES: Mapping[str, str] = {
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
}


class PostgreSQLHosts(Hosted):
    """How psycopg2 and asyncpg tell one host from another."""

    not_writable = ("25006",)

    def addresses(self) -> Sequence[tuple[str, int]]:
        """Return those of all hosts that are not at a Unix socket."""
        found = places(self.profile)
        if direct := addresses_of(self.profile):
            found = [replace(place, host=address) for place, address in zip(found, direct, strict=False)]
        return [(place.host, place.port) for place in found if not place.is_socket]

    def place_of(self, driver_connection: Any) -> Place | None:
        """Ask libpq, or asyncpg, which has no public name for it."""
        if (info := getattr(driver_connection, "info", None)) is not None:
            return Place(info.host, int(info.port))
        found = driver_connection._addr
        return Place(*found[:2]) if isinstance(found, tuple) else Place(str(found), 0)

    def role(self, connection: Any) -> Role | None:
        """Ask whether it is in recovery, as a standby is until it is promoted.

        https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL
        """
        [(standby,)] = rows(connection, "SELECT pg_is_in_recovery()")
        return Role.STANDBY if standby else Role.PRIMARY

    def own_name(self, connection: Any) -> str:
        """Ask for its end of the connection, which it does not have where that is a socket file."""
        [(host, port)] = rows(connection, "SELECT host(inet_server_addr()), inet_server_port()")
        return f"{host}:{port}" if host else ""

    def primary_of(self, connection: Any) -> str:
        """Ask whom it receives from, which a user is told that is a member of pg_monitor."""
        found = rows(
            connection, "SELECT sender_host, sender_port FROM pg_stat_wal_receiver WHERE sender_host IS NOT NULL"
        )
        return next((f"{host}:{port}" for host, port in found), "")

    def hint_of(self, error: BaseException) -> str:
        """Say which isolation level a standby has.

        https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-CAVEATS
        """
        serializable = "serializable mode in a hot standby" in str(error)
        return "take another level there: --isolation repeatable-read" if serializable else ""

    def lag(self, connection: Any) -> float | None:
        """Compare what was received with what is replayed, and else take the age of the last COMMIT that was."""
        [(seconds,)] = rows(connection, LAG)
        return None if seconds is None else float(seconds)


async def connect_to_one(backend: Backend, kwargs: Mapping[str, Any]) -> Any:
    """Connect to the first of the profile's hosts that answers and is what `target_session_attrs` asks for.

    Args:
        backend: The backend, bound to the profile.
        kwargs: asyncpg's keywords; the host and the port count where they are those of a tunnel.

    Raises:
        ConnectError: None did; it is the last one's error. A login that a host refuses ends it.
    """
    failure: ConnectError | None = None
    for place, wanted in _tries(backend, kwargs):
        try:
            return await _open(backend, {**kwargs, "host": place.host, "port": place.port}, wanted)
        except ConnectError as error:
            failure = error
            if error.stage in {"login", "database"} and not error.transient:
                break
    assert failure is not None, "a profile has a host"
    raise failure


def _tries(backend: Backend, kwargs: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield where to connect, one after the other, and what the server has to be there."""
    profile = backend.profile
    found = places(profile)
    if profile.tunnel or backend.chooses:
        found = [Place(kwargs["host"], kwargs["port"])]
    elif direct := addresses_of(profile):
        found = [replace(place, host=address) for place, address in zip(found, direct, strict=False)]
    if profile.query.get("load_balance_hosts") == "random":
        random.shuffle(found)
    wanted = str(profile.query.get("target_session_attrs", "any"))
    rounds = ("standby", "any") if wanted == "prefer-standby" else (wanted,)
    yield from ((place, attribute) for attribute in rounds for place in found)


async def _open(backend: Backend, kwargs: dict[str, Any], wanted: str) -> Any:
    import asyncpg

    try:
        return await backend.opening(asyncpg.connect(**kwargs, target_session_attrs=wanted))
    except asyncpg.TargetServerAttributeNotMatched as error:
        host = backend.profile.host if backend.profile.tunnel else kwargs["host"]
        message = f"{backend.profile.called}: connection failed: {host} is not {wanted}"
        raise ConnectError(message, transient=True) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise backend.connect_error(error) from error
    except ConnectError as error:
        no_tls = isinstance(error.__cause__, ConnectionError) and "SSL upgrade" in str(error.__cause__)
        if backend.profile.ssl.mode != "prefer" or not no_tls or kwargs["ssl"] is False:
            raise
    return await _open(backend, kwargs | {"ssl": False}, wanted)


def keep_alive(profile: Profile, connection: Any) -> None:
    """Set what libpq's options say of the connection's socket, as far as the system has it."""
    sock = connection._transport.get_extra_info("socket")
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, profile.query.get("keepalives") != "0")
    for key, name in _KEEPALIVES.items():
        if (value := int(str(profile.query.get(key, "0")))) and (option := getattr(socket, name, None)):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
