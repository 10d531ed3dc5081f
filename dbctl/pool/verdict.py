"""What the figures of a run amount to, in a line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from dbctl.backends.audit import ServerUsage
from dbctl.charts.model import amount
from dbctl.connections.connector import Connector
from dbctl.pool.figures import Run
from dbctl.pool.queueing import Demand
from dbctl.pool.times import Tally
from dbctl.records import record

SHORT = 0.005
"""Seconds that nobody minds to wait for a connection, however short the work is."""

_OFTEN = 1.5
"""How many times as many connections have to be opened as are in use for that to be worth a word."""

_RARE = 0.01
"""The share of requests that may meet what is not worth a word."""


def patience(hold: float) -> float:
    """Return how many seconds 99 % of the requests may wait: no longer than their work takes, or what nobody minds."""
    return max(hold, SHORT)


@record
class Ground:
    """What a pool stands on.

    Args:
        size: How many connections the pool keeps.
        capacity: How many connections it may have; infinity where that has no limit.
        workers: How many processes have such a pool.
        room: How many connections the server had room for; None where there is no server.
        sized: Whether the pool has a size that can be chosen.
    """

    size: int
    capacity: float
    workers: int
    room: int | None
    sized: bool = True

    @classmethod
    def of(cls, connector: Connector[Any], before: ServerUsage | None) -> Ground:
        """Return a connector's."""
        sized = "pool_size" in connector.backend.pool_options()
        room = before.headroom if before else None
        return cls(connector.profile.pool.size, connector.capacity, connector.profile.workers, room, sized)

    def raised(self, needed: int | None, otherwise: str) -> str:
        """Return what to do where so many connections are needed; None where no number of them would do.

        Args:
            needed: How many one process needs.
            otherwise: What else helps.
        """
        if needed is None or not self.sized:
            return otherwise
        together = f"{self.workers} x {needed}" if self.workers > 1 else f"{needed}"
        if self.room is not None and needed * self.workers > self.room:
            return f"{otherwise}: for {together} connections the server has no room ({self.room} left)"
        return f"raise pool.size to {needed}, or {otherwise}"


def verdict(
    run: Run, ground: Ground, waits: Tally, usages: Tally | None, before: ServerUsage | None, after: ServerUsage | None
) -> str:
    """Return it: whether the connections suffice, and what to do where they do not.

    Args:
        run: The figures.
        ground: What the pool stands on.
        waits: How long requests waited.
        usages: For how long connections were held; None where nobody knows, for none has done its work.
        before: What the server said before.
        after: What it said when the pool was closed.
    """
    if usages is None:
        return (
            f"none of {run.cut} had done its work when the time was over: nothing is known until --duration is longer"
        )
    if not usages.count:
        return "no request got a connection: " + ("all timed out" if run.timeouts else "the time was too short")
    said = _at_a_rate(run, ground, waits, usages) if run.rate else _in_turn(run, ground, waits, usages)
    return "; ".join([said, *_on_overflow(run, ground, usages), *_remarks(run, ground, before, after)])


def _at_a_rate(run: Run, ground: Ground, waits: Tally, usages: Tally) -> str:
    hold, rate = usages.mean, run.rate or 0.0
    wait = waits.histogram.quantile(0.99)
    failed = run.timeouts + run.unserved
    load = f"{amount(rate)} requests/s holding {amount(hold * 1000)} ms"
    waiting = f"p99 waits {amount(wait * 1000)} ms"
    if run.timeouts:
        waiting += f", {run.timeouts} got none within pool.timeout"
    if wait <= patience(hold) and failed <= _RARE * waits.count:
        return f"{_connections(run.most_in_use)} {_suffice(run.most_in_use)} for {load}: {waiting}"
    needed = Demand(rate, hold, usages.variation).needs(patience(hold))
    if run.concurrency < min(ground.capacity, needed or math.inf):
        more = f"raise --concurrency to {needed}" if needed else "raise --concurrency, or shorten the hold"
        return f"{load}: {waiting}; no more than {run.concurrency} at a time ask for one: {more}"
    if needed is not None and needed <= ground.capacity:
        reason = "the pool has enough, and what is slow is the server or this process"
        warm = min(ground.size, run.concurrency)
        if run.connections_opened - warm > _RARE * waits.count:
            reason = "what they wait for is that new connections are opened"
        return f"{load}: {waiting}; {reason}"
    return f"{load}: {waiting}; {ground.raised(needed, 'shorten the hold')}"


def _in_turn(run: Run, ground: Ground, waits: Tally, usages: Tally) -> str:
    work = f"{amount(run.per_second)} checkouts/s holding {amount(usages.mean * 1000)} ms"
    wait = waits.histogram.quantile(0.99)
    waiting = f"p99 waits {amount(wait * 1000)} ms"
    if run.timeouts:
        waiting += f", {run.timeouts} got none within pool.timeout"
    if run.concurrency <= ground.capacity:
        return f"{_connections(run.most_in_use)} {_suffice(run.most_in_use)} for {run.concurrency} at a time: {work}"
    return (
        f"{run.concurrency} at a time share {_connections(int(ground.capacity))}: {work}, {waiting};"
        f" {ground.raised(run.concurrency, 'have fewer at a time')}"
    )


def _on_overflow(run: Run, ground: Ground, usages: Tally) -> Iterator[str]:
    """Say where connections are opened again and again, for what is beyond the pool's size is closed after use."""
    kept = run.most_in_use + run.recycled
    if not (run.connect and run.overflow_used and run.connections_opened > _OFTEN * kept):
        return
    beyond = run.connections_opened - run.recycled - ground.size
    opened = f"{beyond} connections were opened as overflow, {amount(run.connect.median_ms)} ms each"
    if run.rate:
        demand = Demand(run.rate, usages.mean, usages.variation)
        wait = demand.wait(ground.size)
        if wait <= patience(usages.mean):
            queued = f"p99 would wait {amount(wait * 1000)} ms for one of {ground.size}"
            yield f"{opened}: with pool.max_overflow = 0 {queued}"
            return
    yield f"{opened}: pool.size = {run.most_in_use} would keep them"


def _remarks(run: Run, ground: Ground, before: ServerUsage | None, after: ServerUsage | None) -> Iterator[str]:
    if run.cut:
        yield f"{run.cut} had not done their work when the time was over, and were ended"
    if before and after and (left := after.in_use_by_user - before.in_use_by_user) > 0:
        yield f"at the server this user has {_connections(left)} more than before"
    if ground.room is None:
        shared = "who writes waits for the file's lock" if ground.sized else "one connection is shared by all"
        yield f"no server counts the connections, and {shared}"
    elif math.isinf(ground.capacity):
        yield "the pool has no limit but the server's"


def _connections(number: int) -> str:
    return f"{number} connection{'' if number == 1 else 's'}"


def _suffice(number: int) -> str:
    return "suffices" if number == 1 else "suffice"
