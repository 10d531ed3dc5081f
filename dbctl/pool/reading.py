"""Reading what a running service's recorder says: from the file that it has written, or from where it is scraped."""

from __future__ import annotations

import json
import math
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError
from dbctl.pool.exposition import BOUNDS
from dbctl.pool.scraping import Address
from dbctl.pool.snapshots import COUNTERS, GAUGES, HISTOGRAMS, Snapshot
from dbctl.profiles.model import URLS
from dbctl.records import record
from dbctl.work.progress import report

_SAMPLE = re.compile(r"dbctl_pool_(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')

_NEEDED = ("checkouts", "timeouts", "requests_queued")


@record
class Reading:
    """What was counted from some moment on until `at`, in Unix time.

    `waits` has how many requests waited no longer than each of `BOUNDS`, and how many there were at all; `gauges` are
    called as `snapshots.GAUGES` are.
    """

    at: float
    checkouts: int
    timeouts: int
    queued: int
    usages: int
    usage_seconds: float
    waits: Sequence[int]
    gauges: Mapping[str, float | None]

    def wait(self, share: float) -> float:
        """Return the least of `BOUNDS`, in seconds, that this share of the requests did not wait longer than."""
        wanted = share * self.waits[-1]
        bounds = (bound for bound, count in zip(BOUNDS, self.waits, strict=False) if count >= wanted)
        return next(bounds, BOUNDS[-1])

    def since(self, before: Reading) -> Reading:
        """Return what was counted since an earlier reading; its gauges are those of now."""
        waits = [now - then for now, then in zip(self.waits, before.waits, strict=True)]
        return Reading(
            self.at - before.at,
            self.checkouts - before.checkouts,
            self.timeouts - before.timeouts,
            self.queued - before.queued,
            self.usages - before.usages,
            self.usage_seconds - before.usage_seconds,
            waits,
            self.gauges,
        )


def is_url(source: str) -> bool:
    """Tell whether a source is a URL, of whatever kind, and no file."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source) is not None


def read(source: str, pool: str, seconds: float) -> Reading:
    """Return what a service has counted in a while; its `at` is how long that was, in seconds.

    Args:
        source: A URL, which is read twice; or a file of what `Recorder.as_json` returns, one of it or several as JSON
            lines, of which the first and the last are taken.
        pool: The profile's name, by which the pool is known where there are several.
        seconds: How long to wait between two readings of a URL.

    Raises:
        ConfigError: The file can't be read, or holds nothing of the kind; or the URL leads to nothing of the kind, or
            to another profile's pool.
        ConnectError: Nobody answers at the URL, or with too much.
        OutOfTime: The answer takes too long.
        UsageError: The URL is none of HTTP's.
    """
    if is_url(source):
        address = Address(source)
        first = _scraped(address, pool)
        _wait(seconds)
        return _between(address.shown, first, _scraped(address, pool))
    lines = list(_snapshots(Path(source)))
    first, last = _reading_of(lines[0]), _reading_of(lines[-1])
    if len(lines) > 1:
        return _between(source, first, last)
    if last.at <= lines[0].since:
        raise ConfigError(f"{source}: one reading tells no rate", "write a second one below it")
    return _between(source, _nothing(lines[0].since), last)


def _between(source: str, first: Reading, last: Reading) -> Reading:
    found = last.since(first)
    if found.at <= 0 or min(found.checkouts, found.usages, *found.waits) < 0:
        raise ConfigError(f"{source}: what it counts has begun anew meanwhile", "read it again")
    return found


def _nothing(at: float) -> Reading:
    return Reading(at, 0, 0, 0, 0, 0.0, [0] * (len(BOUNDS) + 1), {})


def _wait(seconds: float) -> None:
    from dbctl.connections.watching import raise_if_ended

    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        raise_if_ended()
        report(passed, seconds, "seconds", "reading")
        time.sleep(min(0.1, seconds - passed))


def _snapshots(path: Path) -> Iterator[Snapshot]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        found: list[Any] = [json.loads(text)]
    except ValueError:
        found = [_parsed(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not found:
        raise ConfigError(f"{path}: it is empty", "it takes what a recorder's as_json returns")
    for values in found:
        try:
            yield Snapshot.from_dict(values)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{path}: {error}", "it takes what a recorder's as_json returns") from error


def _parsed(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{path}, line {number}: it is no JSON: {error}") from error


def _reading_of(snapshot: Snapshot) -> Reading:
    waits, usages = snapshot.histograms["wait"], snapshot.histograms["usage"]
    checkouts, timeouts, queued = (snapshot.counters[name] for name in _NEEDED)
    below = [*waits.below(BOUNDS), waits.count]
    gauges = dict(snapshot.gauges)
    return Reading(snapshot.at, checkouts, timeouts, queued, usages.count, usages.total, below, gauges)


def _scraped(address: Address, pool: str) -> Reading:
    text, at = address.fetch(), time.time()
    by_pool: defaultdict[tuple[tuple[str, str], ...], dict[str, float]] = defaultdict(dict)
    for found in _SAMPLE.finditer(text):
        labels = dict(_LABEL.findall(found["labels"]))
        if "label" in labels:
            continue
        bound = labels.pop("le", "")
        try:
            value = float(found["value"])
        except ValueError:
            value = math.nan
        if not math.isfinite(value) and found["name"] != GAUGES["pool_max"][0]:
            raise ConfigError(f"{address.shown}: dbctl_pool_{found['name']} is no number")
        by_pool[tuple(sorted(labels.items()))][found["name"] + (f" {bound}" if bound else "")] = value
    others = {key for key in by_pool if pool not in (dict(key).get("profile", pool), *URLS)}
    if len(by_pool) == len(others) == 1:
        name = dict(others.pop())["profile"]
        raise ConfigError(f"{address.shown}: its pool is that of the profile {name}, not of {pool}", f"say -p {name}")
    wanted = by_pool if len(by_pool) == 1 else {key: by_pool[key] for key in by_pool if pool in dict(key).values()}
    if len(wanted) != 1:
        names = ", ".join(value for key in by_pool for value in dict(key).values())
        there = f"it has the pools {names}, and none or several called {pool}" if by_pool else "it has no dbctl_pool_…"
        raise ConfigError(f"{address.shown}: {there}", "it takes /metrics of a service that observes its pool")
    return _reading_in(next(iter(wanted.values())), at)


def _reading_in(values: Mapping[str, float], at: float) -> Reading:
    wait, usage = HISTOGRAMS["wait"][0], HISTOGRAMS["usage"][0]
    checkouts, timeouts, queued = (int(values.get(f"{COUNTERS[name][0]}_total", 0)) for name in _NEEDED)
    waits = [int(values.get(f"{wait}_bucket {bound:g}", 0)) for bound in BOUNDS]
    gauges = {name: values.get(metric) for name, (metric, _) in GAUGES.items()}
    return Reading(
        at,
        checkouts,
        timeouts,
        queued,
        int(values.get(f"{usage}_count", 0)),
        values.get(f"{usage}_sum", 0.0),
        [*waits, int(values.get(f"{wait}_count", 0))],
        gauges,
    )
