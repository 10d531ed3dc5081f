"""The tree of who keeps whom waiting, its roots first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from dbctl.backends.sessions import SessionThere, State
from dbctl.records import record

Id = int | str


@record
class Placed:
    """A session in the tree.

    Args:
        session: The session.
        depth: How many stand above it.
        root: Who stands at the top of its tree; None where it keeps nobody waiting, and waits for nobody.
        suspected: Whether it is only suspected that it waits for the one above it.
    """

    session: SessionThere
    depth: int = 0
    root: Id | None = None
    suspected: bool = False


def placed(sessions: Sequence[SessionThere]) -> list[Placed]:
    """Return sessions so that each stands below the one that it waits for: who keeps most waiting first.

    Who waits for several stands below the one that has to wait longest itself. A session that is only named by those
    that wait for it is there too, with nothing known of it.
    """
    there = {each.id: each for each in sessions}
    for each in sessions:
        for other in _above(each):
            there.setdefault(other, SessionThere(other, State.NOT_TOLD))
    depths: dict[Id, int] = {}
    for each in there.values():
        _depth(each, there, depths, ())
    below: dict[Id, list[SessionThere]] = defaultdict(list)
    tops = []
    for each in there.values():
        if depths[each.id]:
            below[_parent(each, there, depths)].append(each)
        else:
            tops.append(each)
    sizes = {each.id: sum(1 for _ in _branch(each, below, 0, each.id)) for each in tops}
    tops.sort(key=lambda each: (-sizes[each.id], -(each.transaction_seconds or each.seconds or 0.0)))
    return [found for top in tops for found in (_branch(top, below, 0, top.id) if sizes[top.id] > 1 else [Placed(top)])]


def _above(session: SessionThere) -> Sequence[Id]:
    return session.blocked_by or session.suspects


def _depth(session: SessionThere, there: dict[Id, SessionThere], depths: dict[Id, int], way: tuple[Id, ...]) -> int:
    """Return how long the longest way up is; one that leads back, as of a deadlock, ends there."""
    if session.id not in depths:
        further = [there[other] for other in _above(session) if other not in (*way, session.id)]
        found = max((_depth(other, there, depths, (*way, session.id)) + 1 for other in further), default=0)
        depths.setdefault(session.id, found)
    return depths[session.id]


def _parent(session: SessionThere, there: dict[Id, SessionThere], depths: dict[Id, int]) -> Id:
    higher = [other for other in _above(session) if depths[other] < depths[session.id]]
    return max(higher, key=lambda other: (depths[other], there[other].transaction_seconds or 0.0))


def _branch(session: SessionThere, below: dict[Id, list[SessionThere]], depth: int, root: Id) -> Iterator[Placed]:
    yield Placed(session, depth, root, bool(depth) and not session.blocked_by)
    for each in sorted(below[session.id], key=lambda one: -(one.seconds or 0.0)):
        yield from _branch(each, below, depth + 1, root)
