"""A pool's counts in the text format that Prometheus reads.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format, version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dbctl.pool.histograms import Histogram
from dbctl.pool.snapshots import COUNTERS, GAUGES, HISTOGRAMS, Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Up to how many seconds the buckets of the histograms go; the last holds all."""

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def exposition(snapshot: Snapshot, labels: Mapping[str, str] | None = None) -> str:
    """Return what a pool has counted, in metrics `dbctl_pool_…`.

    Args:
        snapshot: What it has counted, or what those of several workers have together.
        labels: What each series is labelled with; `pool`, the pool's name, unless given.
    """
    return "".join(_lines(snapshot, labels or {"pool": snapshot.name}))


def _lines(snapshot: Snapshot, labels: Mapping[str, str]) -> Iterator[str]:
    for name, (metric, meaning) in GAUGES.items():
        value = snapshot.gauges[name]
        if value is not None or name == "pool_max":
            yield _about(metric, "gauge", meaning)
            yield _series(metric, labels, "+Inf" if value is None else value)
    for name, (metric, meaning) in COUNTERS.items():
        yield _about(f"{metric}_total", "counter", meaning)
        yield _series(f"{metric}_total", labels, snapshot.counters[name])
    for name, (metric, _, meaning) in HISTOGRAMS.items():
        if snapshot.histograms[name].count:
            yield _about(metric, "histogram", meaning)
            yield from _buckets(metric, labels, snapshot.histograms[name])
    if snapshot.holders:
        yield _about("longest_checkout_seconds", "gauge", "For how long the connection in use is held that is longest.")
        yield _series("longest_checkout_seconds", labels, snapshot.holders[0].seconds)
    if snapshot.labels:
        yield from _by_label(snapshot, labels)


def _buckets(metric: str, labels: Mapping[str, str], histogram: Histogram) -> Iterator[str]:
    for bound, count in zip(BOUNDS, histogram.below(BOUNDS), strict=True):
        yield _series(f"{metric}_bucket", {**labels, "le": f"{bound:g}"}, count)
    yield _series(f"{metric}_bucket", {**labels, "le": "+Inf"}, histogram.count)
    yield _series(f"{metric}_sum", labels, histogram.total)
    yield _series(f"{metric}_count", labels, histogram.count)


def _by_label(snapshot: Snapshot, labels: Mapping[str, str]) -> Iterator[str]:
    yield _about("label_checked_out", "gauge", "Connections in use, by what they were taken for.")
    for label, use in snapshot.labels.items():
        yield _series("label_checked_out", {**labels, "label": label}, use.in_use)
    yield _about("label_checkouts_total", "counter", "Connections handed out, by what for.")
    for label, use in snapshot.labels.items():
        yield _series("label_checkouts_total", {**labels, "label": label}, use.checkouts)
    yield _about("label_usage_seconds_total", "counter", "How long connections were in use, by what for.")
    for label, use in snapshot.labels.items():
        yield _series("label_usage_seconds_total", {**labels, "label": label}, use.usage_ns / 1e9)


def _about(metric: str, kind: str, meaning: str) -> str:
    return f"# HELP dbctl_pool_{metric} {meaning}\n# TYPE dbctl_pool_{metric} {kind}\n"


def _series(metric: str, labels: Mapping[str, str], value: object) -> str:
    named = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items())
    return f"dbctl_pool_{metric}{{{named}}} {value}\n"
