"""What is said of what a database was measured to be, in the order in which equally bad findings are shown."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from dbctl.backends.audit import Facts, IdleTransaction, Timeout, Way
from dbctl.backends.findings import Figures, Finding, Level
from dbctl.profiles import Profile
from dbctl.profiles.model import Pool
from dbctl.profiles.tls import VERIFYING

_OLD_TLS = {"SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"}
"""Protocols that RFC 8996 and RFC 7568 took out of use."""
_RENEW_DAYS, _URGENT_DAYS = 30, 7
"""What is left of a certificate's time when that is a warning, and an error. Many authorities renew at 30 days."""
_APART_S = 1.0
"""Seconds by which clocks may differ."""
_IDLE_S = 60.0
"""Seconds for which a transaction may be idle before that is a warning."""
_SHOWN = 3
"""Sessions that are named; the rest is counted."""


def _connections(profile: Profile, facts: Facts) -> Iterator[Finding]:
    bounds = [(bound.limit, bound) for bound in facts.limits if bound.limit is not None]
    if not bounds:
        return
    pool, workers = profile.pool, profile.workers
    limit, tightest = min(bounds, key=lambda pair: pair[0] - pair[1].in_use + pair[1].own)
    others = tightest.in_use - tightest.own
    allowed = f"{tightest.name}: {limit}, {others} of them in use by others"
    why = "Beyond the limit the server refuses to connect, to this service and to all others."
    fix = _smaller_pool(pool, limit - others, workers) or f"raise {tightest.name}"
    figures: Figures = {"value": None, "limit": limit, "used": others, "unit": "connections"}
    if math.isinf(pool.capacity):
        yield Finding(Level.WARNING, "connections", f"the pool has no limit; {allowed}", why, fix, **figures)
        return
    figures["value"] = demand = workers * int(pool.capacity)
    measured = f"{workers} * ({pool.size} + {pool.max_overflow}) = {demand}; {allowed}"
    if demand <= limit - others:
        yield Finding(Level.OK, "connections", measured, **figures)
    else:
        level = Level.ERROR if demand > limit else Level.WARNING
        yield Finding(level, "connections", measured, why, fix, **figures)


def _smaller_pool(pool: Pool, room: int, workers: int) -> str | None:
    """Return the settings with which all workers fit into the room, the overflow kept as it is where that goes."""
    share = room // workers
    if share < 1:
        return None
    if pool.max_overflow < 0 and 0 < pool.size <= share:
        return f"pool.max_overflow = {share - pool.size}"
    if 0 <= pool.max_overflow < share:
        return f"pool.size = {share - pool.max_overflow}"
    return f"pool.size = {share}, pool.max_overflow = 0"


def _recycle(profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.idle is None:
        return
    name, seconds, recycle = facts.idle.name, facts.idle.seconds, profile.pool.recycle
    figures: Figures = {"value": recycle if recycle >= 0 else None, "limit": seconds, "unit": "s"}
    if seconds is None:
        yield Finding(Level.OK, "recycle", f"the server ends no idle connection ({name} = 0)", **figures)
        return
    measured = f"{f'{recycle} s' if recycle >= 0 else 'never'}; the server's {name} is {seconds:g} s"
    if 0 <= recycle < seconds:
        yield Finding(Level.OK, "recycle", measured, **figures)
        return
    fix = f"pool.recycle = {int(seconds * 0.9)}"
    if profile.pool.pre_ping:
        why = "The server ends connections that the pool still keeps; pre-ping finds that out and connects anew."
        yield Finding(Level.NOTE, "recycle", measured, why, fix, **figures)
    else:
        why = "The pool hands out connections that the server has ended: the first request after a quiet time fails."
        yield Finding(Level.ERROR, "recycle", measured, why, fix, **figures)


def _pre_ping(profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.way is None:
        return
    if profile.pool.pre_ping:
        yield Finding(Level.OK, "pre_ping", "on")
    else:
        why = "After a restart of the server, or a firewall's timeout, requests fail until the pool is used up."
        yield Finding(Level.WARNING, "pre_ping", "off", why, "pool.pre_ping = true")


def _tls(profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.way is None:
        return
    mode, near = profile.ssl.mode, facts.way in {Way.SOCKET_FILE, Way.LOOPBACK}
    fix = 'ssl.mode = "verify-full", and ssl.ca where the authority is your own'
    if facts.tls is None:
        if facts.way is Way.SOCKET_FILE:
            yield Finding(Level.OK, "tls", "none is needed on a socket file")
            return
        level = Level.NOTE if near else Level.ERROR if profile.environment == "production" else Level.WARNING
        why = "It does not leave this machine." if near else "Whoever is on the way can read the data, and change them."
        if facts.way is Way.TUNNEL:
            level, why = Level.WARNING, f"It is in plaintext again behind the tunnel's far end. {why}"
        yield Finding(level, "tls", f"plaintext to {facts.way.value} (ssl.mode = {mode})", why, fix)
        return
    if facts.tls in _OLD_TLS:
        why = "It has known weaknesses; TLS 1.2 is the oldest that is still in use."
        yield Finding(Level.WARNING, "tls", facts.tls, why, "the server's TLS library or its settings")
    if mode in VERIFYING:
        yield Finding(Level.OK, "tls", f"{facts.tls} (ssl.mode = {mode})")
    else:
        measured = f"{facts.tls}, the server's certificate is not verified (ssl.mode = {mode})"
        why = "Whoever is on the way can answer in the server's place."
        level = Level.NOTE if near or facts.way is Way.TUNNEL else Level.WARNING
        yield Finding(level, "tls", measured, why, fix)


def _certificate(_profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.certificate_ends is None:
        return
    days = (facts.certificate_ends - datetime.now(UTC)).total_seconds() / 86400
    day = f"{facts.certificate_ends:%Y-%m-%d}"
    measured = f"the server's ends on {day}, in {days:.0f} days" if days >= 0 else f"the server's ended on {day}"
    figures: Figures = {"value": round(days, 2), "limit": _RENEW_DAYS, "unit": "days"}
    if days >= _RENEW_DAYS:
        yield Finding(Level.OK, "certificate", measured, **figures)
    else:
        why = "From then on clients that verify it can't connect."
        level = Level.ERROR if days < _URGENT_DAYS else Level.WARNING
        yield Finding(level, "certificate", measured, why, "renew the server's certificate", **figures)


def _login(_profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.login is None:
        return
    if facts.login.power is None:
        yield Finding(Level.OK, "login", f"{facts.login.user} is an ordinary user")
    else:
        why = "Whoever gets into the service gets the whole server, and its limits do not hold for this user."
        measured = f"{facts.login.user} has {facts.login.power}"
        yield Finding(Level.WARNING, "login", measured, why, "user = an ordinary user that owns the database")


def _echo(profile: Profile, _facts: Facts) -> Iterator[Finding]:
    if profile.echo and (profile.protected or profile.environment == "production"):
        why = "Every statement is written to stderr: that is slow, and where parameters are not hidden, a leak."
        yield Finding(Level.WARNING, "echo", "on", why, "echo = false")


def _statement_timeout(profile: Profile, facts: Facts) -> Iterator[Finding]:
    own, servers = profile.statement_timeout, facts.statement.seconds if facts.statement else None
    figures: Figures = {"value": own or servers, "unit": "s"}
    if own is not None:
        yield Finding(Level.OK, "statement_timeout", f"{own:g} s", **figures)
    elif facts.statement is not None and servers is not None:
        yield Finding(Level.OK, "statement_timeout", f"{_limit(facts.statement)}, the server's", **figures)
    else:
        why = "A statement may run for ever, and keep its connection and its locks for as long."
        level = Level.WARNING if profile.environment == "production" else Level.NOTE
        yield Finding(level, "statement_timeout", "none", why, "statement_timeout = 30", **figures)


def _open_transaction(_profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.open_transaction is None:
        return
    measured, seconds = _limit(facts.open_transaction), facts.open_transaction.seconds
    figures: Figures = {"value": seconds, "unit": "s"}
    if seconds is not None:
        yield Finding(Level.OK, "transaction_timeout", measured, **figures)
    else:
        why = "A transaction that is left open keeps its locks until somebody finds it."
        yield Finding(Level.NOTE, "transaction_timeout", measured, why, facts.open_transaction.fix, **figures)


def _limit(timeout: Timeout) -> str:
    return f"{timeout.name} = {f'{timeout.seconds:g} s' if timeout.seconds is not None else '0'}"


def _idle_transactions(_profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.transactions is None:
        return
    longest = max((each.seconds for each in facts.transactions), default=0)
    figures: Figures = {"value": round(longest, 3), "limit": _IDLE_S, "unit": "s"}
    if not facts.transactions:
        yield Finding(Level.OK, "idle_transactions", "none", **figures)
        return
    told = [_idling(each) for each in facts.transactions[:_SHOWN]]
    if len(facts.transactions) > _SHOWN:
        told.append(f"and {len(facts.transactions) - _SHOWN} more")
    bad = any(each.blocks or each.seconds >= _IDLE_S for each in facts.transactions)
    why = "A transaction that does nothing keeps its locks and its connection, and old rows from being cleaned up."
    fix = "commit or roll back before waiting for anything else: dbctl.session does at its end"
    level = Level.WARNING if bad else Level.NOTE
    yield Finding(level, "idle_transactions", "; ".join(told), why, fix, **figures)


def _idling(transaction: IdleTransaction) -> str:
    blocks = f", blocking session {', '.join(map(str, transaction.blocks))}" if transaction.blocks else ""
    return f"session {transaction.session} for {transaction.seconds:.0f} s{blocks}"


def _clock(_profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.clock is None:
        return
    ahead, within = facts.clock.ahead, facts.clock.within
    figures: Figures = {"value": round(ahead, 6), "limit": _APART_S, "unit": "s"}
    if abs(ahead) - within <= _APART_S:
        yield Finding(Level.OK, "clock", f"at most {abs(ahead) + within:.4f} s from this machine's", **figures)
    else:
        measured = f"the server's is {ahead:+.3f} s from this machine's (± {within:.3f} s)"
        why = "Times that the server writes and times that the service writes do not compare."
        fix = "run an NTP client, such as chrony, on both machines"
        yield Finding(Level.WARNING, "clock", measured, why, fix, **figures)


def _time_zone(_profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.clock is None:
        return
    here = time.localtime().tm_gmtoff
    figures: Figures = {"value": facts.clock.utc_offset - here, "limit": 0, "unit": "s"}
    if facts.clock.utc_offset == here:
        yield Finding(Level.OK, "time_zone", "the server's is this machine's", **figures)
    else:
        measured = f"the server's is {_zone(facts.clock.utc_offset)}, this machine's {_zone(here)}"
        why = "now() and datetime.now() differ by that where a time is stored without its zone."
        fix = "store times with their zone, or in UTC: datetime.now(UTC)"
        yield Finding(Level.NOTE, "time_zone", measured, why, fix, **figures)


def _zone(seconds: int) -> str:
    return f"UTC{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02}:{abs(seconds) // 60 % 60:02}"


def _encoding(_profile: Profile, facts: Facts) -> Iterator[Finding]:
    if facts.encoding is None:
        return
    if facts.encoding.fix is None:
        yield Finding(Level.OK, "encoding", facts.encoding.name)
    else:
        why = "It does not hold all of Unicode: some text is refused or changed."
        yield Finding(Level.WARNING, "encoding", facts.encoding.name, why, facts.encoding.fix)


RULES: Sequence[Callable[[Profile, Facts], Iterator[Finding]]] = (
    _connections,
    _recycle,
    _pre_ping,
    _tls,
    _certificate,
    _login,
    _echo,
    _statement_timeout,
    _open_transaction,
    _idle_transactions,
    _clock,
    _time_zone,
    _encoding,
)
