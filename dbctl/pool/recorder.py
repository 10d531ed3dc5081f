"""Counting what an engine's pool does: `observe(engine)`, for any SQLAlchemy engine, not only dbctl's."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import Engine, event

from dbctl.pool.counts import PoolCounts
from dbctl.pool.exposition import exposition
from dbctl.pool.hooks import Observed
from dbctl.pool.snapshots import Snapshot
from dbctl.pool.workers import Workers

if TYPE_CHECKING:
    from sqlalchemy import Pool
    from sqlalchemy.ext.asyncio import AsyncEngine

_RECORDER = "dbctl_recorder"
"""What a pool has that is observed."""

_one_at_a_time = threading.RLock()
_all: WeakSet[Recorder] = WeakSet()


def observe(engine: Engine | AsyncEngine, name: str | None = None, leak_after: float | None = None) -> Recorder:
    """Count what the pool of an engine does from now on, and time it; before threads use the engine.

    An engine has one recorder: observed again it is the same one, and what is given here holds from then on. Engines
    that `execution_options` makes of another share its pool and its recorder. A fork begins at 0.

    Args:
        engine: Any engine, with any of SQLAlchemy's pools.
        name: What the pool is called among others; the database's name, unless given.
        leak_after: Seconds after which a connection that is still held is logged, with the calls that took it; to note
            them costs each checkout about a microsecond.

    Raises:
        TypeError: The engine is none, the name no text, or `leak_after` no number.
        ValueError: `leak_after` is not above 0.
    """
    sync_engine: Any = getattr(engine, "sync_engine", engine)
    if not isinstance(sync_engine, Engine):
        raise TypeError(f"what is observed has to be an Engine or an AsyncEngine, and not {engine!r}")
    if not isinstance(name, str | None):
        raise TypeError(f"a recorder's name has to be a text, and not {name!r}")
    if not isinstance(leak_after, int | float | None):
        raise TypeError(f"leak_after has to be a number of seconds, and not {leak_after!r}")
    if leak_after is not None and not leak_after > 0:
        raise ValueError("leak_after has to be above 0 seconds")
    with _one_at_a_time:
        recorder: Recorder = vars(sync_engine.pool).get(_RECORDER) or Recorder(sync_engine)
    recorder.name = name or recorder.name
    if leak_after:
        recorder.look_for_leaks(leak_after)
    return recorder


def is_observed(engine: Engine | AsyncEngine) -> bool:
    """Tell whether an engine has a recorder."""
    return _RECORDER in vars(engine.pool)


class Recorder(PoolCounts):
    """Counts what a pool does; a new pool after `dispose` goes on with its counts. Made by `observe`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.url.database or type(engine.pool).__name__)
        self._engine = engine
        self._listeners: dict[str, Callable[..., None]] = {
            "detach": self._detached,
            "close": self._closed,
            "close_detached": self._closed,
            "invalidate": self._invalidated,
            "soft_invalidate": self._invalidated,
        }
        for happening, listener in self._listeners.items():
            event.listen(engine, happening, listener)
        self._hooks = Observed(engine.pool, self, self._move)
        self._move(engine.pool)
        _all.add(self)

        self._workers: Workers | None = None

    def _move(self, pool: Pool) -> None:
        self._pool = pool
        vars(pool)[_RECORDER] = self

    def close(self) -> None:
        """Listen no more; what was counted until then can still be read, and what the pool has now is not known."""
        with _one_at_a_time:
            if vars(self._pool).pop(_RECORDER, None) is not self:
                return
            if self._workers:
                self._workers.close()
                self._workers = None
            self._look_no_more()
            self._hooks.remove()
            self._listen_no_more()
            for happening, listener in self._listeners.items():
                event.remove(self._engine, happening, listener)
            _all.discard(self)

    def share(self, directory: str | os.PathLike[str]) -> None:
        """Have the workers of a service add up what their recorders count, in a directory of this pool's own.

        Args:
            directory: Made where it is not there. It may outlast the service: then its counters go on.

        Raises:
            ConfigError: Nothing can be written there.
        """
        if self._workers:
            self._workers.close()
        self._workers = Workers(self, directory)

    @property
    def is_shared(self) -> bool:
        """Whether `share` has been called."""
        return self._workers is not None

    def shared(self) -> Snapshot:
        """Return what all workers have counted until now, which `share` has brought together; or else this one.

        Raises:
            OSError: The directory can't be read or written any more.
        """
        return self._workers.snapshot() if self._workers else self.snapshot()

    def as_dict(self) -> dict[str, Any]:
        """Return what was counted until now as what JSON can hold; the manual's page `pool` has the names."""
        return self.snapshot().as_dict()

    def as_json(self) -> str:
        """Return the same as JSON."""
        return json.dumps(self.as_dict())

    def as_prometheus(self, labels: Mapping[str, str] | None = None) -> str:
        """Return the same in the text format that Prometheus reads, whose type is `exposition.CONTENT_TYPE`.

        Args:
            labels: What each series is labelled with; `pool`, the recorder's name, unless given.
        """
        return exposition(self.snapshot(), labels)


def _begin_anew() -> None:
    """Begin at 0 in a fork, whose parent counts what was before; its threads may hold a lock for ever."""
    global _one_at_a_time  # noqa: PLW0603
    _one_at_a_time = threading.RLock()
    for recorder in list(_all):
        recorder.reset()


os.register_at_fork(after_in_child=_begin_anew)
