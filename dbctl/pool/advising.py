"""The size of a running service's pool, by what its recorder has counted, and the command that has the profile so."""

from __future__ import annotations

import math
import shlex

from dbctl.backends import backend_of
from dbctl.charts.model import amount
from dbctl.errors import CheckFailed, Unsupported
from dbctl.pool.queueing import Demand
from dbctl.pool.reading import Reading, is_url, read
from dbctl.pool.scraping import Address
from dbctl.pool.serverside import server_side
from dbctl.pool.verdict import patience
from dbctl.profiles import Profile
from dbctl.profiles.model import URLS
from dbctl.records import record

_BY_CHANCE = 1.0
"""How requests vary in how long they hold a connection: as by chance, unless that is known."""

_MORE = 1.5
"""How many times as many connections to try where all were in use, and nobody knows how many would have been."""


@record
class Advice:
    """What a service asks of a pool, and how large that is to be: of each where it has several, on average.

    A process has one pool, or one of each driver; `pools` is how many those of all processes are. `in_use` is the
    average by Little's law, `in_use_most` what was seen of one; `connections` is what all pools of all workers together
    may open then, `room` how many the server has for them. `lines` is what to run to have the profile so.
    """

    profile: str
    per_second: float
    hold_ms: float
    in_use: float
    in_use_most: int
    wait_p99_ms: float
    queued: int
    timeouts: int
    workers: int
    pools: int
    size: int
    max_overflow: int
    connections: int
    room: int | None
    verdict: str
    lines: str


def advise(profile: Profile, source: str, seconds: float) -> Advice:
    """Size a pool by what its recorder says.

    Args:
        profile: Whose pool, with how many workers.
        source: What `reading.read` takes: a file of the recorder's, or the URL of the service's `/metrics`.
        seconds: How long to look at a URL.

    Raises:
        ConfigError: The source holds nothing of the kind.
        ConnectError: The service, or the database, can't be reached.
        CheckFailed: Nobody took a connection meanwhile.
        Unsupported: The pool has no size.
    """
    if "pool_size" not in backend_of(profile).pool_options():
        raise Unsupported(f"{profile.called}: its pool is one connection that all share, and has no size to be chosen")
    reading = read(source, profile.name, seconds)
    if not reading.usages:
        shown = Address(source).shown if is_url(source) else source
        raise CheckFailed(f"{shown}: nobody gave a connection back in {amount(reading.at)} s", hint="look for longer")
    with server_side(profile) as server:
        before = server.before
    # What the service has open is among those of its user; so is the one by which this was asked.
    room = None if before is None else before.headroom + before.in_use_by_user
    return _advice(profile, reading, room)


def _advice(profile: Profile, reading: Reading, room: int | None) -> Advice:
    processes = max(1, int(reading.gauges.get("workers") or 1))
    pools = max(processes, int(reading.gauges.get("pools") or 0))
    at_once = max(profile.workers, processes) * math.ceil(pools / processes)
    hold = reading.usage_seconds / reading.usages
    demand = Demand(reading.checkouts / reading.at / pools, hold, _BY_CHANCE)
    most = int(reading.gauges.get("in_use_most") or 0)
    needed = demand.needs(patience(hold)) or math.ceil(demand.in_use)
    waited = reading.wait(0.99) > patience(hold) or bool(reading.timeouts)
    least = max(needed, most)
    capacity = max(least, math.ceil(_MORE * most)) if waited else least
    size, overflow = needed, capacity - needed
    fits = room is None or capacity * at_once <= room
    if not fits and room is not None:
        capacity = max(1, room // at_once)
        size, overflow = min(size, capacity), max(0, capacity - size)
    load = f"{amount(demand.rate)} requests/s holding {amount(hold * 1000)} ms keep {amount(demand.in_use)} in use"
    load = f"in each of {pools} pools {load}" if pools > 1 else load
    done = _done(profile, size, overflow, fits=fits, waited=waited)
    if processes > profile.workers:
        done += f"; {processes} workers run, and the profile has workers = {profile.workers}"
    seen = f"at most {most} were, and p99 waited up to {amount(reading.wait(0.99) * 1000)} ms"
    return Advice(
        profile=profile.name,
        per_second=round(demand.rate, 2),
        hold_ms=round(hold * 1000, 3),
        in_use=round(demand.in_use, 2),
        in_use_most=most,
        wait_p99_ms=round(reading.wait(0.99) * 1000, 3),
        queued=reading.queued,
        timeouts=reading.timeouts,
        workers=max(profile.workers, processes),
        pools=pools,
        size=size,
        max_overflow=overflow,
        connections=(size + overflow) * at_once,
        room=room,
        verdict=f"{load}, {seen}: {done}",
        lines=_command(profile, size, overflow, processes),
    )


def _command(profile: Profile, size: int, overflow: int, processes: int) -> str:
    """Return the command that writes it into the profile, in whichever of TOML's layouts that is."""
    name = "NAME" if profile.name in URLS else shlex.quote(profile.name)
    workers = f" workers={processes}" if processes > profile.workers else ""
    return f"dbctl profiles set {name} pool.size={size} pool.max_overflow={overflow}{workers}"


def _done(profile: Profile, size: int, overflow: int, *, fits: bool, waited: bool) -> str:
    if not fits:
        return f"the server has room for {size + overflow} a pool: shorten the hold, or run fewer workers"
    pool, peaks = profile.pool, f", and {overflow} more at peaks" if overflow else ""
    if waited:
        return f"the pool was exhausted: try {size}{peaks}, and look again"
    if (pool.size, pool.max_overflow) == (size, overflow):
        return "the pool is as large as it need be"
    return f"{size} {'suffices' if size == 1 else 'suffice'}{peaks}"
