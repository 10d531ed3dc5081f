"""By what statements a lock of a name is taken, kept and given back: a session's own, or a row that is leased.

A row excludes also where machines of a cluster keep their sessions' locks to themselves: two that write the same row
at the same time can't both commit. Who has it writes a token of his own there, and until when it is his; he renews that
long before it is over. Who is gone renews no more, and the row is the next one's. No transaction stays open for it,
which a cluster would end for the first schema change.

A row may also be over because the cluster stalls, as for the length of a schema change, or because a clock is wrong. So
the next one watches it for a while before he takes it: who lives renews it meanwhile. He watches by reads that wait for
all that the cluster has ordered before them, and takes it as he has seen it last, or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from dbctl.records import record

TABLE = "dbctl_lock"
"""The table of such rows, in the profile's database; it is made when the first lock is taken there."""

LEASE = 20.0
"""Seconds for which a row is its holder's, unless it is renewed: the stall of a cluster that loses a node fits in."""

BEATS = 5
"""How often within a lease it is renewed."""

WATCH = 1.5 * LEASE / BEATS
"""Seconds for which a row that is over has to stay as it is before it is the next one's."""

_LONGEST_NAME = 190
"""Characters of a key that every version of the databases at hand can have, at 4 bytes each."""


@record
class LockStatements:
    """The statements, each on a session of the lock's own, which commits each.

    They get `:key`, what the backend's `lock_key` returns; rows get `:name`, a `:token` that no other run has, and
    `:holder`, words for people.

    Attributes:
        take: Take it where it is free; the last one returns whether it is this session's, or this token's, now.
        keep: Renew it, where that is needed; the last one returns whether it still is.
        give_back: Frees it, where it is this session's or this token's.
        holder: Returns who has it, in words, or null.
        lease: After how many seconds it is free unless it was renewed; 0 where it lasts as long as the session.
        over: Ask for the time at which the row was over, as all machines have it; the last one returns null where it is
            not.
        take_over: Take the row where that time is still `:over`; the last one returns whether it is this token's now.
        table: What makes the table for it, where that is missing; "" where there is none.
    """

    take: Sequence[str]
    keep: Sequence[str]
    give_back: str
    holder: str
    lease: float = 0.0
    over: Sequence[str] = ()
    take_over: Sequence[str] = ()
    table: str = ""


def by_row(*, table: str, upsert: str, now: str, fresh: Sequence[str] = ("{}",)) -> LockStatements:
    """Return the statements for a lock that is a row of `TABLE`.

    Args:
        table: Makes the table where it is not there: `name`, its primary key; `token`; `holder`; `expires`.
        upsert: Writes `:name`, `:token`, `:holder` and `LEASE` seconds from now as `expires`, in a new row. It changes
            nothing where there is one.
        now: An expression for the server's time, of the type of `expires`, to which seconds can be added by
            `+ INTERVAL '20' SECOND`.
        fresh: Run a query, which stands for `{}` in the last one, that it sees all that was committed before it on any
            machine; the query alone where that is so by itself.
    """
    mine = f"SELECT count(*) FROM {TABLE} WHERE name = :name AND token = :token"
    renew = f"UPDATE {TABLE} SET expires = {later(now)} WHERE name = :name AND token = :token"
    over = f"SELECT expires FROM {TABLE} WHERE name = :name AND expires < {now}"
    taking = f"SET token = :token, holder = :holder, expires = {later(now)} WHERE name = :name AND expires = :over"
    return LockStatements(
        take=(upsert, mine),
        keep=(renew, mine),
        give_back=f"DELETE FROM {TABLE} WHERE name = :name AND token = :token",
        holder=f"SELECT holder FROM {TABLE} WHERE name = :name",
        lease=LEASE,
        over=[each.format(over) for each in fresh],
        take_over=(f"UPDATE {TABLE} {taking}", mine),
        table=table,
    )


def later(now: str) -> str:
    """Return an expression for when a lease ends that begins now."""
    return f"{now} + INTERVAL '{LEASE:g}' SECOND"


def row_name(name: str) -> str:
    """Return what the row of a lock is called: the lock's own name, as far as that fits."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:120]} {hashlib.sha256(name.encode()).hexdigest()[:48]}"
