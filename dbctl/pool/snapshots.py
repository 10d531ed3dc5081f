"""What a recorder has counted, at one moment: as a dictionary, added up over the workers of a service."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbctl.pool.histograms import Histogram
from dbctl.records import record

COUNTERS: Mapping[str, tuple[str, str]] = {
    "requests_num": ("requests", "Connections asked for, and given or refused."),
    "requests_queued": ("requests_queued", "Requests for which no connection was free at once."),
    "requests_errors": ("requests_errors", "Requests that ended without a connection."),
    "timeouts": ("timeouts", "Times that no connection came free within the pool's timeout."),
    "checkouts": ("checkouts", "Connections handed out."),
    "returns_bad": ("returns_bad", "Connections that came back broken or invalidated."),
    "detached": ("detached", "Connections that their user has taken out of the pool."),
    "leaked": ("leaked", "Connections that were held for longer than leak_after."),
    "connections_num": ("connect_attempts", "Times that a connection was to be opened."),
    "connections_errors": ("connect_errors", "Times that a connection could not be opened."),
    "connections_opened": ("connects", "Connections opened."),
    "connections_closed": ("closes", "Connections closed."),
    "connections_lost": ("connections_lost", "Connections that were found lost, by a pre-ping or in use."),
    "pre_ping_failures": ("pre_ping_failures", "Connections that were found lost by a pre-ping."),
    "invalidated": ("invalidations", "Connections given up as broken."),
    "recycled": ("recycled", "Connections replaced since they were older than the pool's recycle."),
    "replaced": ("replaced", "Connections replaced since another was found lost."),
}
"""Under each name that of Prometheus' counter, and what it counts. Those psycopg_pool has too are called as there."""

GAUGES: Mapping[str, tuple[str, str]] = {
    "pool_min": ("size", "Connections that the pool keeps."),
    "pool_max": ("capacity", "Connections that may be open at a time."),
    "pool_size": ("open", "Connections that are open."),
    "pool_available": ("idle", "Connections that are open and not in use."),
    "in_use": ("checked_out", "Connections in use."),
    "in_use_most": ("checked_out_most", "Most connections in use at a time."),
    "overflow": ("overflow", "Connections open beyond the pool's size."),
    "overflow_most": ("overflow_most", "Most connections open beyond the pool's size at a time."),
    "requests_waiting": ("requests_waiting", "Requests that wait in the queue."),
    "workers": ("workers", "Processes whose pools these are."),
    "pools": ("pools", "Pools of theirs that connections were asked of."),
}
"""Under each name that of Prometheus' gauge, and what it is; the value is None where a pool has no such number."""

HISTOGRAMS: Mapping[str, tuple[str, str, str]] = {
    "wait": ("wait_seconds", "requests_wait_ms", "How long requests waited in the queue: 0 where none was needed."),
    "usage": ("usage_seconds", "usage_ms", "How long connections were in use."),
    "connect": ("connect_seconds", "connections_ms", "How long it took to open a connection."),
}
"""Under each name that of Prometheus' histogram, psycopg_pool's name of the sum in milliseconds, and what is in it."""


@record
class Holder:
    """Who has a connection.

    Attributes:
        label: What it was taken for; None where nothing was said.
        seconds: For how long it is held.
        place: The calls that took it, the innermost first; empty where `leak_after` is not given.
    """

    label: str | None
    seconds: float
    place: tuple[str, ...] = ()


@dataclass
class LabelUse:
    """What was done under a label: connections taken, those held now, and how long the ones given back were held."""

    checkouts: int = 0
    in_use: int = 0
    usage_ns: int = 0

    def as_dict(self) -> dict[str, float]:
        """Return it as what JSON can hold, the time in milliseconds."""
        return {"checkouts": self.checkouts, "in_use": self.in_use, "usage_ms": self.usage_ns / 1e6}

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> LabelUse:
        """Return that whose `as_dict` this was."""
        return cls(int(values["checkouts"]), int(values["in_use"]), round(values["usage_ms"] * 1e6))


@dataclass
class Snapshot:
    """All that is known of a pool, or of those of several workers, at one moment.

    Attributes:
        name: The pool's, by which it is told from others.
        pool: The pool's class.
        counters, gauges, histograms: By the names of `COUNTERS`, `GAUGES` and `HISTOGRAMS`.
        labels: By the label.
        holders: Those who have held a connection longest, the first for the longest time.
        at: When it was, as Unix time.
        since: From when on it was counted, as Unix time.
    """

    name: str
    pool: str
    counters: dict[str, int]
    gauges: dict[str, int | None]
    histograms: dict[str, Histogram]
    labels: dict[str, LabelUse] = field(default_factory=dict)
    holders: list[Holder] = field(default_factory=list)
    at: float = field(default_factory=time.time)
    since: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.gauges = {name: self.gauges.get(name) for name in GAUGES} | {"workers": self.gauges.get("workers", 1)}

    def as_dict(self) -> dict[str, Any]:
        """Return it as what JSON can hold; times are in milliseconds unless they say otherwise."""
        return {
            "name": self.name,
            "pool": self.pool,
            "at": round(self.at, 3),
            "since": round(self.since, 3),
            **self.gauges,
            **self.counters,
            **{total: round(self.histograms[name].total * 1e3, 3) for name, (_, total, _) in HISTOGRAMS.items()},
            "histograms": {name: histogram.as_dict() for name, histogram in self.histograms.items()},
            "labels": {label: use.as_dict() for label, use in self.labels.items()},
            "holders": [{**vars(each), "place": list(each.place)} for each in self.holders],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Snapshot:
        """Return the snapshot whose `as_dict` this was.

        Raises:
            ValueError: It is none.
        """
        try:
            return cls(
                str(values["name"]),
                str(values["pool"]),
                {name: int(values[name]) for name in COUNTERS},
                {name: None if values[name] is None else int(values[name]) for name in GAUGES},
                {name: Histogram.from_dict(values["histograms"][name]) for name in HISTOGRAMS},
                {label: LabelUse.from_dict(use) for label, use in values["labels"].items()},
                [Holder(each["label"], each["seconds"], tuple(each["place"])) for each in values["holders"]],
                float(values["at"]),
                float(values["since"]),
            )
        except KeyError as error:
            raise ValueError(f"not what a pool's recorder has written: it has no {error.args[0]!r}") from error
        except (TypeError, AttributeError, OverflowError) as error:
            raise ValueError("not what a pool's recorder has written: a value is of another kind") from error


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Add up the pools of several workers: sums, but of `…_most` the highest, since that is what one worker needs.

    Args:
        snapshots: One or more; the name is that of the first.

    Raises:
        ValueError: There is none.
    """
    found = list(snapshots)
    if not found:
        raise ValueError("there is nothing to add up")
    sums = Snapshot(found[0].name, found[0].pool, {}, {}, {name: Histogram() for name in HISTOGRAMS}, at=0)
    for name in COUNTERS:
        sums.counters[name] = sum(each.counters[name] for each in found)
    for name in GAUGES:
        values = [value for each in found if (value := each.gauges[name]) is not None]
        sums.gauges[name] = (max if name.endswith("_most") else sum)(values) if len(values) == len(found) else None
    for each in found:
        sums.at, sums.since = max(sums.at, each.at), min(sums.since, each.since)
        for name, histogram in each.histograms.items():
            sums.histograms[name].merge(histogram)
        for label, use in each.labels.items():
            total = sums.labels.setdefault(label, LabelUse())
            total.checkouts += use.checkouts
            total.in_use += use.in_use
            total.usage_ns += use.usage_ns
    sums.holders = sorted((one for each in found for one in each.holders), key=lambda one: -one.seconds)
    return sums
