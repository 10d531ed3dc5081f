"""The same load on pools of several sizes, and the size from which on more connections give no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dbctl.backends import backend_of
from dbctl.charts.model import amount
from dbctl.errors import Unsupported, UsageError
from dbctl.pool.figures import MOST_AT_ONCE, Measured, Plan
from dbctl.pool.verdict import Ground, patience
from dbctl.profiles import Profile
from dbctl.records import record

_AS_GOOD = 0.95
"""What share of the best throughput is as good as the best."""

_BUSY = 0.8
"""Which share of the connections is in use, on average, where they are what limits the throughput."""


@record
class SizeStats:
    """A pool of one size under the load.

    `in_use` is the average by Little's law: throughput times the time that a connection is held. `knee` marks the size
    from which on more connections give no more.
    """

    size: int
    per_second: float
    wait_median_ms: float
    wait_p99_ms: float
    usage_ms: float
    in_use: float
    most_in_use: int
    timeouts: int
    unserved: int
    knee: bool = False


@record
class Sweep:
    """All sizes, and what they amount to in a line; `stopped` says why the load was ended early, where it was."""

    sizes: Sequence[SizeStats]
    verdict: str
    stopped: str = ""


def sizes_of(text: str) -> Sequence[int]:
    """Return the sizes that a text names: `1,2,5,10`.

    Raises:
        UsageError: It names something else.
    """
    try:
        sizes = sorted({int(part) for part in text.split(",")})
    except ValueError:
        sizes = [0]
    if not 1 <= sizes[0] <= sizes[-1] <= MOST_AT_ONCE:
        raise UsageError(f"--sweep {text}: it takes numbers from 1 to {MOST_AT_ONCE}", "such as --sweep 1,2,5,10,20")
    return sizes


def sweep(profile: Profile, sizes: Sequence[int], plan: Plan, measure: Callable[[Profile, Plan], Measured]) -> Sweep:
    """Measure with each size, without overflow, under one load.

    Args:
        profile: Whose pool.
        sizes: The sizes, from the least on.
        plan: The load; as many threads as the greatest size has connections unless it says how many.
        measure: What measures: `measure_pool`, or the same by the async driver.

    Raises:
        Unsupported: The pool has no size.
    """
    backend = backend_of(profile)
    if "pool_size" not in backend.pool_options():
        raise Unsupported(f"{profile.called}: its pool is one connection that all share, and has no size to be chosen")
    workers = plan.concurrency or max(sizes) * (1 if plan.rate is None else 2)
    found: list[SizeStats] = []
    last: Measured | None = None
    for size in sizes:
        pool = profile.pool.model_copy(update={"size": size, "max_overflow": 0})
        last = measure(profile.model_copy(update={"pool": pool}), replace(plan, concurrency=workers))
        found.append(_stats(size, last))
        if last.stopped:
            break
    knee = knee_of(found, plan.rate)
    rows = [replace(each, knee=each is knee and not _is_at_its_limit(found, knee, plan)) for each in found]
    before = last.stats.server if last else None
    room = Ground(max(sizes), float(max(sizes)), profile.workers, before.headroom if before else None)
    return Sweep(rows, _verdict(found, knee, plan, room), last.stopped if last else "")


def _stats(size: int, measured: Measured) -> SizeStats:
    run, usage = measured.stats.run, measured.usages.mean
    waits = measured.waits.histogram
    return SizeStats(
        size=size,
        per_second=run.per_second,
        wait_median_ms=round(waits.quantile(0.5) * 1000, 3),
        wait_p99_ms=round(waits.quantile(0.99) * 1000, 3),
        usage_ms=round(usage * 1000, 3),
        in_use=round(run.per_second * usage, 2),
        most_in_use=run.most_in_use,
        timeouts=run.timeouts,
        unserved=run.unserved,
    )


def knee_of(found: Sequence[SizeStats], rate: float | None) -> SizeStats:
    """Return the least size that serves as many as the best does; what comes at a rate has to be served in time too."""
    best = max(each.per_second for each in found)
    as_good = [each for each in found if each.per_second >= _AS_GOOD * best]
    if rate is None:
        return as_good[0]
    in_time = (each for each in as_good if each.wait_p99_ms <= 1000 * patience(each.usage_ms / 1000))
    return next(in_time, as_good[-1])


def _is_at_its_limit(found: Sequence[SizeStats], best: SizeStats, plan: Plan) -> bool:
    """Tell whether still more connections would give more than the best of several sizes does, the greatest."""
    return best is found[-1] and len(found) > 1 and _is_used_up(best) and not _suffices_for_all(best, plan)


def _is_used_up(one: SizeStats) -> bool:
    return one.in_use >= _BUSY * one.size


def _suffices_for_all(one: SizeStats, plan: Plan) -> bool:
    """Tell whether no more ask at a time than there are connections; unless it is said, greater sizes have more."""
    return plan.concurrency is not None and plan.concurrency <= one.size


def _verdict(found: Sequence[SizeStats], knee: SizeStats, plan: Plan, ground: Ground) -> str:
    at = f"size {knee.size}: {amount(knee.per_second)}/s, p99 waits {amount(knee.wait_p99_ms)} ms"
    law = (
        f"by Little's law {amount(knee.per_second)}/s x {amount(knee.usage_ms)} ms keeps {amount(knee.in_use)} of"
        f" {knee.size} in use"
    )
    if _is_at_its_limit(found, knee, plan):
        bound = "no knee yet: the pool is still what limits it, try greater sizes"
    elif _is_used_up(knee) and _suffices_for_all(knee, plan):
        bound = f"no more than {plan.concurrency} at a time ask for one: a greater size needs a greater --concurrency"
    elif plan.rate is not None:
        bound = "more connections shorten no wait that matters"
    elif _is_used_up(knee):
        bound = "beyond it the server, or this process, is what limits it"
    else:
        bound = "not the pool but the server, or this process, is what limits it"
    together = knee.size * ground.workers
    room = ""
    if ground.room is not None and together > ground.room:
        room = f"; the server has no room for {ground.workers} x {knee.size} connections ({ground.room} left)"
    return f"{at}; {law}; {bound}{room}"
