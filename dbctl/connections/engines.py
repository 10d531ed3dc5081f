"""From a profile to the engine that the service itself would build."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import create_engine, event

from dbctl.backends import backend_of
from dbctl.backends.base import BEGINS_BARE, Missing
from dbctl.connections.aborted import watch
from dbctl.connections.connecting import bound_connecting
from dbctl.connections.echoing import echo
from dbctl.connections.error_origins import mark_errors
from dbctl.connections.fetching import bound_fetches
from dbctl.connections.lock_notices import tell_of_lock_waits
from dbctl.connections.lock_waits import watch_lock_waits
from dbctl.connections.refused_values import note_places
from dbctl.connections.response_timeouts import bound_closing, bound_pings, bound_resets
from dbctl.connections.standbys import watch_standbys
from dbctl.connections.statement_timeouts import bound_statements
from dbctl.connections.tunnels import hold_tunnel
from dbctl.connections.watching import current_watcher, tell_watchers
from dbctl.errors import ConfigError, ConnectError
from dbctl.profiles.tls import ENCRYPTING
from dbctl.runtime.distribution import how_to_install, missing_module

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile

_log = logging.getLogger(__name__)

WRITES = "dbctl_writes"
"""The execution option that tells an engine's begin event that the transaction means to write."""


def engine_on(backend: Backend, missing: Missing = Missing.CREATE) -> Engine:
    """Build a new engine with the driver, pool, timeouts and TLS of the backend's profile. Nothing is connected yet.

    Args:
        backend: The backend, bound to the profile.
        missing: What connecting does where the database is a file that is not there.

    Raises:
        ConfigError: A certificate can't be loaded. That the password's source gives none is told by each connect.
    """
    engine = create_engine(
        backend.engine_url(),
        connect_args=backend.connect_args(),
        hide_parameters=backend.profile.protected,
        pool_reset_on_return=_reset_by_pool(backend),
        **backend.isolation_options(backend.profile.isolation),
        **backend.pool_options(),
    )
    _attach(engine, backend, missing)
    return engine


def async_engine_on(backend: Backend, missing: Missing = Missing.CREATE) -> AsyncEngine:
    """Build the same engine for asyncio: asyncpg, asyncmy or aiosqlite.

    Raises:
        ConfigError: A certificate can't be loaded, or the extra is not installed.
    """
    try:
        import_module("greenlet")  # SQLAlchemy would miss it only when it connects, and name no extra
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(
            backend.engine_url(backend.async_driver),
            connect_args=backend.async_connect_args(),
            hide_parameters=backend.profile.protected,
            pool_reset_on_return=_reset_by_pool(backend),
            **backend.isolation_options(backend.profile.isolation),
            **backend.async_pool_options(),
        )
    except ImportError as error:
        needed = missing_module(error, "greenlet", backend.async_driver.partition("+")[2])
        message = f"{backend.profile.called}: {needed} is not installed"
        raise ConfigError(message, how_to_install("async")) from error
    _attach(engine.sync_engine, backend, missing)
    return engine


def build_engine(profile: Profile, missing: Missing = Missing.CREATE) -> Engine:
    """Build a new engine for a profile, as `engine_on` does."""
    return engine_on(backend_of(profile), missing)


def build_async_engine(profile: Profile, missing: Missing = Missing.CREATE) -> AsyncEngine:
    """Build a new async engine for a profile, as `async_engine_on` does."""
    return async_engine_on(backend_of(profile), missing)


def _reset_by_pool(backend: Backend) -> str | None:
    """Return how a pool resets what it takes back by itself: not at all where `bound_resets` does it, in time."""
    return None if backend.needs_host else "rollback"


def _attach(engine: Engine, backend: Backend, missing: Missing) -> None:
    """Attach to a new engine, whichever driver it has, what the backend and the profile need."""
    if not backend.profile.in_memory:  # which a fork has as it was, and to itself
        _built.add(engine)
    mark_errors(engine, backend.profile)  # first: the others read the marks
    backend.prepare(engine, missing)
    if backend.needs_host:
        _hear_who_answers(engine, backend)
    if backend.needs_host and backend.profile.ssl.mode in ENCRYPTING:
        _refuse_plaintext(engine, backend)
    if backend.needs_host:
        hold_tunnel(engine, backend)
        bound_connecting(engine, backend)
        bound_pings(engine, backend)
        watch_standbys(engine, backend)
        bound_statements(engine, backend)
        watch_lock_waits(engine, backend)
        bound_resets(engine, backend)
        bound_closing(engine, backend)
        bound_fetches(engine, backend)
    if current_watcher() is not None:
        tell_of_lock_waits(engine, backend)
    note_places(engine, backend)
    tell_watchers(engine, backend)
    watch(engine, backend)
    if backend.profile.echo:
        echo(engine, backend.profile)
        for key, why in backend.remarks():
            _log.info("%s: %s %s", backend.profile.called, key, why)
    statements = {writes: backend.begin_statement(writes=writes) for writes in (False, True)}
    if not any(statements.values()):
        return  # an engine with a listener takes longer for every statement, not only for the event

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") == "AUTOCOMMIT" or options.get(BEGINS_BARE):
            return  # of AUTOCOMMIT SQLAlchemy says that one begins, and there is none
        if statement := statements[bool(options.get(WRITES))]:
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


def _hear_who_answers(engine: Engine, backend: Backend) -> None:
    """Have the backend hear which server a new connection leads to, before SQLAlchemy asks it anything."""

    @event.listens_for(engine, "connect", insert=True)
    def hear(connection: Any, _record: Any) -> None:
        backend.meet(getattr(connection, "driver_connection", connection))


def _refuse_plaintext(engine: Engine, backend: Backend) -> None:
    """Ask each new connection's own socket whether it is encrypted, whatever the driver was told to do.

    The server can't be asked: behind a proxy it speaks of its own hop (`pg_stat_ssl`, `Ssl_cipher`).
    """

    @event.listens_for(engine, "connect", insert=True)
    def prove(connection: Any, _record: Any) -> None:
        if backend.tls_version(getattr(connection, "driver_connection", connection)) is None:
            mode = backend.profile.ssl.mode
            raise ConnectError(
                f"{backend.profile.called}: TLS failed: ssl.mode is {mode}, and the connection is in plaintext",
                "TLS",
                'a Unix socket is never encrypted: for one, set ssl.mode = "disable"',
            )
