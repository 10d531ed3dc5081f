"""What a connection pool is doing and has done, in the text format that Prometheus reads."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event

from dbctl.connections.connector import Connector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_GAUGES = {
    "size": ("size", "Connections that the pool keeps."),
    "checked_out": ("checkedout", "Connections in use."),
    "idle": ("checkedin", "Connections that are open and not in use."),
    "overflow": ("overflow", "Connections open beyond the pool's size."),
}
"""Under each name the method of SQLAlchemy's pools that knows it, where a pool keeps that count."""

_COUNTERS = {
    "checkouts": "Connections handed out.",
    "connects": "Connections opened.",
    "closes": "Connections closed.",
    "invalidations": "Connections given up as broken.",
    "timeouts": "Times that no connection came free within the pool's timeout.",
}
_EVENTS = {
    "checkout": "checkouts",
    "connect": "connects",
    "close": "closes",
    "invalidate": "invalidations",
    "soft_invalidate": "invalidations",
}


class PoolCounts:
    """Counts what an engine's pool does; a new pool after `dispose` goes on with its counts."""

    def __init__(self, engine: Engine) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        for happening, counted in _EVENTS.items():
            event.listen(engine, happening, lambda *_, counted=counted: self.add(counted))

    def add(self, counted: str) -> None:
        """Count one more."""
        with self._lock:
            self._counts[counted] += 1

    def __getitem__(self, counted: str) -> int:
        return self._counts[counted]


_known: WeakKeyDictionary[Engine, PoolCounts] = WeakKeyDictionary()
_known_lock = threading.Lock()


def counts_of(engine: Engine) -> PoolCounts:
    """Return the counts of an engine's pool, which begin when they are first asked for."""
    with _known_lock:
        return _known.get(engine) or _known.setdefault(engine, PoolCounts(engine))


def exposition(connector: Connector[Any]) -> str:
    """Return the pool's gauges and counters.

    The format is https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format, version 0.0.4.
    """
    return "".join(_lines(connector))


def _lines(connector: Connector[Any]) -> Iterator[str]:
    profile, pool = connector.profile.name, connector.sync_engine.pool
    counts = counts_of(connector.sync_engine)
    yield from _metric(profile, "capacity", "gauge", "Connections that may be open at a time.", connector.capacity)
    for name, (method, meaning) in _GAUGES.items():
        if hasattr(pool, method):
            # Until the pool is full its overflow is below 0, by what is missing.
            yield from _metric(profile, name, "gauge", meaning, max(0, getattr(pool, method)()))
    for name, meaning in _COUNTERS.items():
        yield from _metric(profile, f"{name}_total", "counter", meaning, counts[name])


def _metric(profile: str, name: str, kind: str, meaning: str, value: float) -> Iterator[str]:
    profile = profile.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    yield f"# HELP dbctl_pool_{name} {meaning}\n# TYPE dbctl_pool_{name} {kind}\n"
    yield f'dbctl_pool_{name}{{profile="{profile}"}} {"+Inf" if value == math.inf else value}\n'
