"""Engines that connect through a tunnel: it is opened before the driver connects, and held as long as they need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.util import await_only

from dbctl.errors import ConnectError
from dbctl.runtime.waits import result_of, started

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sqlalchemy import Engine

    from dbctl.backends.base import Backend

_TO_TELL = 0.3
"""Seconds of a connect's time that are left to say why the tunnel has not opened."""


def hold_tunnel(engine: Engine, backend: Backend) -> None:
    """Have a new engine, and then each of its connections, hold the tunnel that its first connect opens.

    So it ends with the engine's pool, or with the last connection that was checked out then.
    """
    if not backend.tunnel:
        return

    @event.listens_for(engine, "connect")
    def hold(connection: Any, _record: Any) -> None:
        if tunnel := backend.tunnel:  # a fork has another
            tunnel.hold(id(connection))

    @event.listens_for(engine, "close")
    @event.listens_for(engine, "close_detached")
    @event.listens_for(engine, "engine_disposed")
    def release(holder: Any, *_record: Any) -> None:
        if tunnel := backend.tunnel:
            tunnel.release(id(holder))


def tunnel_port(backend: Backend, holder: Hashable, seconds: float, *, asynchronous: bool = False) -> int:
    """Return the port of loopback at which the backend's tunnel begins, opened where it is not.

    A signal is heard meanwhile, and an event loop runs on.

    Args:
        backend: The backend of a profile with a tunnel.
        holder: Who holds it, until its engine is disposed of.
        seconds: How long that may take.
        asynchronous: Whether an event loop is to run on.

    Raises:
        ConnectError: It does not open, or not in time.
        ConfigError: Its program can't be run.
    """
    opening = started(lambda: backend.open_tunnel(holder, max(seconds / 2, seconds - _TO_TELL)))
    try:
        if not asynchronous:
            return result_of(opening, seconds)
        import asyncio

        return await_only(asyncio.wait_for(asyncio.wrap_future(opening), seconds))
    except TimeoutError as error:
        told = f"{backend.profile.called}: tunnel failed: it has not opened within {seconds:.3g} s"
        raise ConnectError(told, "tunnel", transient=True) from error
