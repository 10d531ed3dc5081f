"""A pool's counts as OpenTelemetry's metrics `db.client.connection.…`, where its API is installed.

https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#connection-pools
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from dbctl.errors import ConfigError
from dbctl.pool.histograms import Histogram
from dbctl.runtime.distribution import how_to_install

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from dbctl.pool.recorder import Recorder
    from dbctl.pool.snapshots import Snapshot

_PREFIX = "db.client.connection"

_LEVELS = {
    "idle.max": ("pool_min", "{connection}", "The most connections that stay open while nobody needs them."),
    "max": ("pool_max", "{connection}", "The most connections that may be open."),
    "pending_requests": ("requests_waiting", "{request}", "Requests that wait for a connection."),
}
_TIMES = {
    "create_time": ("connect", "How long it took to open a connection."),
    "wait_time": ("wait", "How long a request waited in the pool's queue."),
    "use_time": ("usage", "How long a connection was in use."),
}
"""Under the end of a metric's name that of the recorder's gauge or histogram."""


def export(recorder: Recorder, provider: MeterProvider | None = None) -> None:
    """Have OpenTelemetry collect what a recorder counts, from now on.

    No checkout pays for it: times are handed over when they are collected, as the recorder's histogram has them.

    Args:
        recorder: What `observe` has returned.
        provider: Where the metrics go; OpenTelemetry's global one unless given.

    Raises:
        ConfigError: OpenTelemetry's API is not installed.
    """
    try:
        from opentelemetry.metrics import get_meter_provider
    except ImportError as error:
        raise ConfigError("opentelemetry-api is not installed", how_to_install("opentelemetry")) from error
    meter = (provider or get_meter_provider()).get_meter("dbctl.pool")
    records = {
        name: meter.create_histogram(f"{_PREFIX}.{metric}", "s", meaning).record
        for metric, (name, meaning) in _TIMES.items()
    }
    reading = _Reading(recorder, records)
    levels, total = meter.create_observable_up_down_counter, meter.create_observable_counter
    levels(f"{_PREFIX}.count", [reading.states], "{connection}", "Connections, by their state.")
    for metric, (name, unit, meaning) in _LEVELS.items():
        levels(f"{_PREFIX}.{metric}", [partial(reading.level, name)], unit, meaning)
    total(f"{_PREFIX}.timeouts", [reading.timeouts], "{timeout}", "Requests for which no connection came free in time.")


class _Reading:
    """What is read of a recorder when metrics are collected; OpenTelemetry calls it with options that it has none for.

    It has no histograms that are read: with the states, which every collection asks for, the times are handed over
    that have come since the last.
    """

    def __init__(self, recorder: Recorder, records: dict[str, Callable[..., None]]) -> None:
        self._recorder = recorder
        self._records = records
        self._before = {name: Histogram() for name in records}
        self._one_at_a_time = Lock()

    def states(self, _options: object) -> Iterator[Any]:
        snapshot = self._recorder.snapshot()
        self._hand_over(snapshot)
        for state, name in (("idle", "pool_available"), ("used", "in_use")):
            yield from self._observed(snapshot.gauges[name], {f"{_PREFIX}.state": state})

    def level(self, name: str, _options: object) -> Iterator[Any]:
        yield from self._observed(self._recorder.snapshot().gauges[name])

    def timeouts(self, _options: object) -> Iterator[Any]:
        yield from self._observed(self._recorder.snapshot().counters["timeouts"])

    def _observed(self, value: int | None, attributes: dict[str, str] | None = None) -> Iterator[Any]:
        from opentelemetry.metrics import Observation

        if value is not None:
            yield Observation(value, self._pool | (attributes or {}))

    @property
    def _pool(self) -> dict[str, str]:
        return {f"{_PREFIX}.pool.name": self._recorder.name}

    def _hand_over(self, snapshot: Snapshot) -> None:
        with self._one_at_a_time:
            for name, record in self._records.items():
                histogram = snapshot.histograms[name]
                for seconds, times in histogram.since(self._before[name]):
                    for _ in range(times):
                        record(seconds, self._pool)
                self._before[name] = histogram
