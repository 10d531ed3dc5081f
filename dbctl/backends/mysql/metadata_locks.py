"""Which metadata locks of MySQL's keep which others waiting.

performance_schema tells who has which lock and who wants one, and not for whom it waits; that follows from the kinds.
https://dev.mysql.com/doc/refman/8.4/en/metadata-locking.html, and the tables in the server's sql/mdl.cc.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dbctl.records import record

# Of what nobody waits for there may be very many.
METADATA_LOCKS = """
SELECT l.object_type, l.object_schema, l.object_name, l.lock_type, l.lock_status, t.processlist_id
FROM performance_schema.metadata_locks l
JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id
JOIN (
    SELECT DISTINCT object_type, object_schema, object_name FROM performance_schema.metadata_locks
    WHERE lock_status = 'PENDING'
) wanted ON wanted.object_type = l.object_type AND wanted.object_schema <=> l.object_schema
    AND wanted.object_name <=> l.object_name
WHERE t.processlist_id IS NOT NULL
"""

_EXCLUSIVE = {"EXCLUSIVE"}
_NO_READ_WRITE = {"SHARED_NO_READ_WRITE", *_EXCLUSIVE}
_WRITERS = {"SHARED_WRITE", "SHARED_WRITE_LOW_PRIO"}
_ALL = {
    *("SHARED", "SHARED_HIGH_PRIO", "SHARED_READ", "SHARED_UPGRADABLE", "SHARED_READ_ONLY", "SHARED_NO_WRITE"),
    *("INTENTION_EXCLUSIVE", *_WRITERS, *_NO_READ_WRITE),
}

_HELD: Mapping[str, set[str]] = {
    "INTENTION_EXCLUSIVE": {"SHARED", *_EXCLUSIVE},
    "SHARED": {"INTENTION_EXCLUSIVE", *_EXCLUSIVE},
    "SHARED_HIGH_PRIO": _EXCLUSIVE,
    "SHARED_READ": _NO_READ_WRITE,
    "SHARED_WRITE": {"SHARED_READ_ONLY", "SHARED_NO_WRITE", *_NO_READ_WRITE},
    "SHARED_WRITE_LOW_PRIO": {"SHARED_READ_ONLY", "SHARED_NO_WRITE", *_NO_READ_WRITE},
    "SHARED_UPGRADABLE": {"SHARED_UPGRADABLE", "SHARED_NO_WRITE", *_NO_READ_WRITE},
    "SHARED_READ_ONLY": {*_WRITERS, *_NO_READ_WRITE},
    "SHARED_NO_WRITE": {*_WRITERS, "SHARED_UPGRADABLE", "SHARED_NO_WRITE", *_NO_READ_WRITE},
    "SHARED_NO_READ_WRITE": _ALL - {"SHARED", "SHARED_HIGH_PRIO", "INTENTION_EXCLUSIVE"},
    "EXCLUSIVE": _ALL,
}
"""By which locks that others have each kind is kept waiting."""

_WANTED: Mapping[str, set[str]] = {
    "INTENTION_EXCLUSIVE": {"SHARED", *_EXCLUSIVE},
    "SHARED": _EXCLUSIVE,
    "SHARED_READ": _NO_READ_WRITE,
    "SHARED_WRITE": {"SHARED_NO_WRITE", *_NO_READ_WRITE},
    "SHARED_WRITE_LOW_PRIO": {"SHARED_READ_ONLY", "SHARED_NO_WRITE", *_NO_READ_WRITE},
    "SHARED_UPGRADABLE": _EXCLUSIVE,
    "SHARED_READ_ONLY": {"SHARED_WRITE", *_NO_READ_WRITE},
    "SHARED_NO_WRITE": _EXCLUSIVE,
    "SHARED_NO_READ_WRITE": _EXCLUSIVE,
}
"""By which locks that others wait for already: so a SELECT waits behind an ALTER that waits."""


@record
class MetadataLock:
    """A lock that a session has on something, or waits for."""

    place: tuple[str | None, ...]
    kind: str
    granted: bool
    session: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> MetadataLock:
        """Make one of what METADATA_LOCKS returns."""
        return cls(tuple(row[:3]), row[3], row[4] != "PENDING", row[5])


def blockers_by_metadata(locks: Iterable[MetadataLock]) -> dict[int, list[int]]:
    """Return for each session that waits for a lock who keeps it waiting."""
    found: dict[int, list[int]] = {}
    by_place = defaultdict(list)
    for lock in locks:
        by_place[lock.place].append(lock)
    for there in by_place.values():
        for wanted in there:
            if not wanted.granted:
                blocking = [lock.session for lock in there if lock.session != wanted.session and _blocks(lock, wanted)]
                found.setdefault(wanted.session, []).extend(dict.fromkeys(blocking))
    return found


def _blocks(lock: MetadataLock, wanted: MetadataLock) -> bool:
    return lock.kind in (_HELD if lock.granted else _WANTED).get(wanted.kind, ())
