"""What of a pool SQLAlchemy has no event for: a request that fails, the wait in the queue, a connect that fails.

`Observed` puts listening methods before a pool's own, on this one pool. `Pool.connect` and `Pool.recreate` are public;
the rest of what is touched, which only SQLAlchemy's own pools know, is private, and stands here alone, but for the
record of a proxy (`checkouts`). For a checkout and a return there are events, which cost a sixth of what a pool without
a pre-ping takes for both, before anything is counted; so these are heard here too.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.pool import AssertionPool, NullPool, QueuePool, StaticPool
from sqlalchemy.util.queue import Empty

if TYPE_CHECKING:
    from sqlalchemy import Pool

    from dbctl.pool.checkouts import Checkouts

_CONNECT = "_invoke_creator"
_TAKE_BACK = "_return_conn"
_QUEUE = "_pool"
_MAX_OVERFLOW = "_max_overflow"
_RECYCLE = "_recycle"

_BEFORE = "dbctl_before"
"""What a hook has: what its owner had in its place for itself, or None."""


class Listener(Protocol):
    """What is told of a pool.

    Attributes:
        checkouts: Counts what is checked out, and comes back.
    """

    checkouts: Checkouts

    def request_failed(self, error: BaseException) -> None:
        """Take note that a connection was asked of the pool, and not given."""

    def begin_wait(self) -> None:
        """Take note that a request begins to wait in the queue."""

    def end_wait(self, seconds: float) -> None:
        """Take note that it waits no more."""

    def connected(self, record: Any, seconds: float) -> None:
        """Take note of a new connection, and how long it took."""

    def connect_failed(self) -> None:
        """Take note that no connection could be made."""

    def given_up(self, record: Any) -> None:
        """Take note that a connection is back in a pool that goes away with it."""


class Observed:
    """The hooks on an engine's pool, and on the new one where the engine makes one.

    What is checked out of the old one still comes back to it: so they stay there too, and keep it from no end.
    """

    def __init__(self, pool: Pool, listener: Listener, moved: Callable[[Pool], None]) -> None:
        self._listener = listener
        self._moved = moved
        self._hooks: list[tuple[weakref.ref[Any], str, weakref.ref[Any]]] = []
        self._hook(pool)

    def remove(self) -> None:
        """Take the hooks away again; one that somebody else's stands before stays, and listens for nobody."""
        for owner_ref, name, hook_ref in reversed(self._hooks):
            owner, hook = owner_ref(), hook_ref()
            if owner is None or vars(owner).get(name) is not hook:
                continue
            before = vars(hook)[_BEFORE]
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._hooks.clear()

    def _hook(self, pool: Pool) -> None:
        checkouts, listener = self._listener.checkouts, self._listener
        connect = checkouts.counting(pool.connect, lambda proxy: proxy._counter == 1, listener.request_failed)
        self._put(pool, "connect", connect)
        self._put(pool, _TAKE_BACK, checkouts.counting_back(getattr(pool, _TAKE_BACK)))
        self._put(pool, "recreate", self._recreating(pool.recreate, weakref.ref(pool)))
        self._put(pool, _CONNECT, _timed(getattr(pool, _CONNECT), listener))
        if queue := getattr(pool, _QUEUE, None):
            self._put(queue, "get", _waiting(queue.get, listener))

    def _put(self, owner: Any, name: str, hook: Any) -> None:
        vars(hook)[_BEFORE] = vars(owner).get(name)
        self._hooks.append((weakref.ref(owner), name, weakref.ref(hook)))
        setattr(owner, name, hook)

    def _recreating(self, recreate: Callable[[], Pool], old_ref: weakref.ref[Pool]) -> Callable[[], Pool]:
        def recreate_observed() -> Pool:
            pool = recreate()
            if self._hooks:  # else the hook has outlived its recorder
                self._hooks = [each for each in self._hooks if each[0]()]
                if old := old_ref():
                    self._put(old, _TAKE_BACK, _given_up(getattr(old, _TAKE_BACK), self._listener))
                self._hook(pool)
                self._moved(pool)
            return pool

        return recreate_observed


def _waiting(get: Callable[..., Any], listener: Listener) -> Callable[..., Any]:
    """Time what waits for a connection; who finds one there takes it as ever."""

    def get_timed(block: bool = True, timeout: float | None = None) -> Any:
        if not block:
            return get(False)
        try:
            return get(False)
        except Empty:
            pass
        listener.begin_wait()
        start = time.perf_counter()
        try:
            return get(True, timeout)
        finally:
            listener.end_wait(time.perf_counter() - start)

    return get_timed


def _given_up(take_back: Callable[[Any], Any], listener: Listener) -> Callable[[Any], Any]:
    """Tell of what comes back to a pool that the engine has no more: no event does, and nobody takes it again."""

    def take_back_given_up(record: Any) -> Any:
        result = take_back(record)
        if record.dbapi_connection is not None:
            listener.given_up(record)
        return result

    return take_back_given_up


def _timed(create: Callable[[Any], Any], listener: Listener) -> Callable[[Any], Any]:
    def create_timed(record: Any) -> Any:
        start = time.perf_counter()
        try:
            connection = create(record)
        except BaseException:
            listener.connect_failed()
            raise
        listener.connected(record, time.perf_counter() - start)
        return connection

    return create_timed


def overflow_of(pool: Pool) -> int:
    """Return how many connections there are beyond the pool's size; SQLAlchemy's number is below 0 until it is full."""
    return max(0, pool.overflow()) if isinstance(pool, QueuePool) else 0


def is_unused(pool: Pool) -> bool:
    """Tell whether a pool is known to have no connection yet."""
    return isinstance(pool, QueuePool) and not (pool.checkedin() or pool.checkedout())


def recycle_of(pool: Pool) -> float:
    """Return the age, in seconds, at which a pool replaces a connection; below 0 it never does."""
    return float(getattr(pool, _RECYCLE, -1))


def opened_at(record: Any) -> float:
    """Return when a pool's record has opened its connection, as Unix time."""
    return float(record.last_connect_time)


def _idle(pool: QueuePool) -> int:
    """Return how many connections wait to be used: a record in the queue has none after it was given up or detached."""
    queue: Any = getattr(pool, _QUEUE)
    records = queue.queue if hasattr(queue, "queue") else queue._queue._queue  # an async pool has asyncio's queue
    return sum(record.dbapi_connection is not None for record in list(records))


def gauges_of(pool: Pool, in_use: int, opened: int) -> dict[str, int | None]:
    """Return what a pool has at the moment, by the names of `snapshots.GAUGES`; None where it has no such number.

    Args:
        pool: Any of SQLAlchemy's pools.
        in_use: How many of its connections are known to be in use.
        opened: How many are known to be open.
    """
    if isinstance(pool, StaticPool):  # several have its one connection at a time, and it does not tell them apart
        return {"pool_min": 1, "pool_max": 1, "pool_size": max(0, opened)}
    if isinstance(pool, QueuePool):
        size, most = pool.size(), getattr(pool, _MAX_OVERFLOW)
        idle = _idle(pool)
        return {
            "pool_min": size,
            "pool_max": size + most if size and most >= 0 else None,
            "pool_size": idle + in_use,
            "pool_available": idle,
            "in_use": in_use,
            "overflow": overflow_of(pool),
        }
    open_now = in_use if isinstance(pool, NullPool) else max(in_use, opened)
    limits = {"pool_min": 1, "pool_max": 1} if isinstance(pool, AssertionPool) else {}
    return {"pool_size": open_now, "pool_available": open_now - in_use, "in_use": in_use, **limits}
