"""The tree of who keeps whom waiting, whatever it looks like."""

from dbctl.activity.tree import placed
from dbctl.backends.mysql.metadata_locks import MetadataLock, blockers_by_metadata
from dbctl.backends.sessions import SessionThere, State

PLACE = ("TABLE", "shop", "hero")


def session(number: int, *blocked_by: int, suspects: tuple[int, ...] = ()) -> SessionThere:
    state = State.WAITING if blocked_by else State.ACTIVE
    return SessionThere(number, state, blocked_by=blocked_by, suspects=suspects)


def tree(*sessions: SessionThere) -> list[tuple[int | str, int, int | str | None]]:
    return [(each.session.id, each.depth, each.root) for each in placed(sessions)]


def test_who_keeps_most_waiting_comes_first() -> None:
    found = tree(session(1), session(2, 3), session(3), session(4), session(5, 4), session(6, 4))
    assert found == [(4, 0, 4), (5, 1, 4), (6, 1, 4), (3, 0, 3), (2, 1, 3), (1, 0, None)]


def test_who_waits_for_several_stands_below_the_one_that_waits_longest() -> None:
    assert tree(session(3, 1, 2), session(2, 1), session(1)) == [(1, 0, 1), (2, 1, 1), (3, 2, 1)]


def test_a_deadlock_is_shown_once_and_has_an_end() -> None:
    found = tree(session(1, 2), session(2, 1), session(3, 1))
    assert sorted(number for number, _, _ in found) == [1, 2, 3]
    assert len({root for _, _, root in found}) == 1


def test_one_who_is_only_named_is_there_too() -> None:
    [holder, waiting] = placed([session(1, 99)])
    assert (holder.session.id, holder.session.state) == (99, State.NOT_TOLD)
    assert (waiting.session.id, waiting.root) == (1, 99)


def test_a_suspect_is_marked_as_one() -> None:
    found = placed([session(1), session(2, suspects=(1,))])
    assert [(each.session.id, each.suspected) for each in found] == [(1, False), (2, True)]


def test_a_select_waits_behind_an_alter_that_waits_and_not_for_whom_that_waits() -> None:
    locks = [
        MetadataLock(PLACE, "SHARED_READ", True, 1),
        MetadataLock(PLACE, "SHARED_UPGRADABLE", True, 2),
        MetadataLock(PLACE, "EXCLUSIVE", False, 2),
        MetadataLock(PLACE, "SHARED_READ", False, 3),
        MetadataLock(("TABLE", "shop", "team"), "EXCLUSIVE", True, 4),
    ]
    assert blockers_by_metadata(locks) == {2: [1], 3: [2]}


def test_a_lock_by_name_waits_for_its_holder_and_for_nobody_else_who_waits() -> None:
    place = ("USER LEVEL LOCK", None, "nightly")
    locks = [
        MetadataLock(place, "EXCLUSIVE", granted, number) for number, granted in ((1, True), (2, False), (3, False))
    ]
    assert blockers_by_metadata(locks) == {2: [1], 3: [1]}
