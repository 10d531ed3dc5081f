"""Ending at the server what a task has run that was cancelled: MySQL and MariaDB look for a dead client too late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.util import await_only

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import ExceptionContext

_PATIENCE = 1.0
"""Seconds for which a cancelled task waits until its statement is ended, and its locks are free."""

_log = logging.getLogger(__name__)


def end_by(engine: Engine, canceller: Callable[[Any], Callable[[], Any]]) -> None:
    """Have an async engine's cancelled statements ended by what this returns for the driver's connection."""

    @event.listens_for(engine, "handle_error")
    def end(context: ExceptionContext) -> None:
        if context.connection is not None and not isinstance(context.original_exception, Exception):
            await_only(_ended(canceller(context.connection.connection.driver_connection)))


async def _ended(cancel: Callable[[], Any]) -> None:
    ending = asyncio.ensure_future(asyncio.to_thread(cancel))
    ending.add_done_callback(_tell)
    await asyncio.wait([ending], timeout=_PATIENCE)


def _tell(ending: asyncio.Future[Any]) -> None:
    if not ending.cancelled() and (error := ending.exception()):
        _log.debug("a statement that nobody awaits can't be ended: %s", error)
