"""From a profile to the engine that the service itself would build."""

from __future__ import annotations

import functools
import logging
import os
import re
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import create_engine, event

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.connections.aborted import watch
from dbctl.connections.refused_values import note_places
from dbctl.connections.response_timeouts import bound
from dbctl.errors import ConfigError, ConnectError
from dbctl.profiles import Profile, Profiles
from dbctl.profiles.tls import ENCRYPTING
from dbctl.profiles.urls import MASK

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from dbctl.backends.base import Backend

WRITES = "dbctl_writes"
"""The execution option that tells an engine's begin event that the transaction means to write."""


def build_engine(profile: Profile, missing: Missing = Missing.CREATE) -> Engine:
    """Build a new engine with the profile's driver, pool, timeouts and TLS. Nothing is connected yet.

    Args:
        profile: The profile.
        missing: What connecting does where the database is a file that is not there.

    Raises:
        ConfigError: The password's source gives none, or a certificate can't be loaded.
    """
    backend = backend_of(profile)
    engine = create_engine(
        backend.url(),
        connect_args=backend.connect_args() | backend.secret_args(),
        hide_parameters=profile.protected,
        **backend.isolation_options(),
        **backend.pool_options(),
    )
    _attach(engine, backend, missing)
    return engine


def build_async_engine(profile: Profile, missing: Missing = Missing.CREATE) -> AsyncEngine:
    """Build the same engine for asyncio: asyncpg, asyncmy or aiosqlite, with the profile's pool, timeouts and TLS.

    Args:
        profile: The profile.
        missing: What connecting does where the database is a file that is not there.

    Raises:
        ConfigError: The password's source gives none, a certificate can't be loaded, or the extra is not installed.
    """
    backend = backend_of(profile)
    try:
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(
            backend.url(backend.async_driver),
            connect_args=backend.async_connect_args() | backend.secret_args(),
            hide_parameters=profile.protected,
            **backend.isolation_options(),
            **backend.async_pool_options(),
        )
    except ImportError as error:
        raise ConfigError(
            f"profile {profile.name}: {error.name} is not installed", "pip install dbctl[async]"
        ) from error
    _attach(engine.sync_engine, backend, missing)
    return engine


def engine(profile: str | Profile | None = None) -> Engine:
    """Return this process's one engine for a profile, which is built when it is first asked for.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.

    Raises:
        ConfigError: There is no such profile, or it is wrong.
    """
    return _shared(profile)[1]


def backend_and_engine(profile: str | Profile | None) -> tuple[Backend, Engine]:
    """Return `engine(profile)` together with the backend it belongs to."""
    return _shared(profile)


def async_engine(profile: str | Profile | None = None) -> AsyncEngine:
    """Return the running event loop's one async engine for a profile, built when it is first asked for.

    Connections belong to the loop that opened them, so each loop has engines of its own.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.

    Raises:
        ConfigError: There is no such profile, or it is wrong, or the extra `async` is not installed.
        RuntimeError: No event loop is running.
    """
    return backend_and_async_engine(profile)[1]


def backend_and_async_engine(profile: str | Profile | None) -> tuple[Backend, AsyncEngine]:
    """Return `async_engine(profile)` together with the backend it belongs to."""
    import asyncio

    engines = _async_engines.setdefault(asyncio.get_running_loop(), {})
    if profile not in engines:
        found = _profile(profile)
        engines[profile] = engines.setdefault(found, (backend_of(found), build_async_engine(found)))
    return engines[profile]


async def async_dispose() -> None:
    """Close the idle connections of the running loop's engines, and forget the engines."""
    import asyncio

    for _, shared in {id(pair): pair for pair in _async_engines.pop(asyncio.get_running_loop(), {}).values()}.values():
        await shared.dispose()


def dispose() -> None:
    """Close the idle connections of all engines that `engine` has handed out, and forget the engines."""
    for _, shared in list(_engines.values()):
        shared.dispose()
    _engines.clear()
    _shared.cache_clear()


_engines: dict[Profile, tuple[Backend, Engine]] = {}
_async_engines: WeakKeyDictionary[AbstractEventLoop, dict[str | Profile | None, tuple[Backend, AsyncEngine]]]
_async_engines = WeakKeyDictionary()


@functools.cache
def _shared(profile: str | Profile | None) -> tuple[Backend, Engine]:
    found = _profile(profile)
    # setdefault lets one thread win where two build the same engine; the loser's has connected to nothing.
    return _engines.setdefault(found, (backend_of(found), build_engine(found)))


def _profile(profile: str | Profile | None) -> Profile:
    return profile if isinstance(profile, Profile) else Profiles.load(name=profile).select()


def _attach(engine: Engine, backend: Backend, missing: Missing) -> None:
    """Attach to a new engine, whichever driver it has, what the backend and the profile need."""
    if not backend.profile.in_memory:  # which a fork has as it was, and to itself
        _built.add(engine)
    backend.prepare(engine, missing)
    if backend.needs_host and backend.profile.ssl.mode in ENCRYPTING:
        _refuse_plaintext(engine, backend)
    if backend.needs_host:
        bound(engine, backend)
    note_places(engine, backend)
    watch(engine, backend)
    if backend.profile.echo:
        _echo_to_stderr(engine)
    statements = {writes: backend.begin_statement(writes=writes) for writes in (False, True)}
    if not any(statements.values()):
        return  # an engine with a listener takes longer for every statement, not only for the event

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if statement := statements[bool(connection.get_execution_options().get(WRITES))]:
            connection.exec_driver_sql(statement)


_built: WeakSet[Engine] = WeakSet()
"""Every engine of this process that leads out of it."""

_parents_pools: list[Any] = []
"""What a fork has of its parent's connections: kept, for to close one would be to close it for the parent too.

https://docs.sqlalchemy.org/en/20/core/pooling.html#using-connection-pools-with-multiprocessing-or-os-fork
"""


def _begin_anew() -> None:
    """Give every engine an empty pool in a fork: two processes on one connection would read each other's answers."""
    for engine in list(_built):
        _parents_pools.append(engine.pool)
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_begin_anew)


# CREATE USER … IDENTIFIED [WITH plugin] BY '…' or AS '…', and PostgreSQL's ROLE … PASSWORD '…'.
_WRITTEN_PASSWORD = re.compile(
    r"(\bIDENTIFIED\s+(?:WITH\s+\S+\s+)?(?:BY|AS)(?:\s+PASSWORD)?|\bPASSWORD)(\s*[(=]?\s*)E?(['\"])"
    r"(?:\\.|\3\3|(?!\3).)*(?:\3|$)",
    re.IGNORECASE | re.DOTALL,
)


class _Masking(logging.Formatter):
    """Writes statements without the passwords that stand in them."""

    def format(self, record: logging.LogRecord) -> str:
        return _WRITTEN_PASSWORD.sub(rf"\1\2\3{MASK}\3", super().format(record))


def _refuse_plaintext(engine: Engine, backend: Backend) -> None:
    """Ask each new connection's own socket whether it is encrypted, whatever the driver was told to do.

    The server can't be asked: behind a proxy it speaks of its own hop (`pg_stat_ssl`, `Ssl_cipher`).
    """

    @event.listens_for(engine, "connect", insert=True)
    def prove(connection: Any, _record: Any) -> None:
        if backend.tls_version(getattr(connection, "driver_connection", connection)) is None:
            mode = backend.profile.ssl.mode
            raise ConnectError(
                f"profile {backend.profile.name}: TLS failed: ssl.mode is {mode}, and the connection is in plaintext",
                "TLS",
                'a Unix socket is never encrypted: for one, set ssl.mode = "disable"',
            )


def _echo_to_stderr(engine: Engine) -> None:
    """Echo as `echo=True` does, but on stderr: a handler that is there already keeps SQLAlchemy's own off stdout."""
    logger = logging.getLogger("sqlalchemy.engine.Engine")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_Masking("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
    engine.echo = True
