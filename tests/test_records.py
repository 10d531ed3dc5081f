"""A record is what `dataclass(frozen=True)` makes."""

import pickle
from copy import copy
from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace
from typing import Any

import pytest

from dbctl.records import record


@record
class Point:
    """A record."""

    x: int
    y: int = 0
    note: str = field(default="", compare=False, repr=False)


@record
class Place(Point):
    """One that adds a field, and has a representation of its own."""

    name: str = "here"

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Peer:
    """What `Point` would be."""

    x: int
    y: int = 0
    note: str = field(default="", compare=False, repr=False)


def test_it_is_a_dataclass_of_the_same_behaviour() -> None:
    ours: Any = Point(1, note="n")
    theirs = Peer(1, note="n")
    assert asdict(ours) == asdict(theirs)
    assert repr(ours).removeprefix("Point") == repr(theirs).removeprefix("Peer")
    assert hash(ours) == hash(theirs)
    assert ours == Point(1, note="another") != Point(2)
    assert ours != theirs
    assert replace(ours, y=3) == Point(1, 3)
    assert copy(ours) == pickle.loads(pickle.dumps(ours)) == ours
    assert len({ours, Point(1), Point(2)}) == 2


def test_it_does_not_change() -> None:
    point: Any = Point(1)
    for name in ("x", "y", "note"):
        with pytest.raises(FrozenInstanceError):
            setattr(point, name, 2)
        with pytest.raises(FrozenInstanceError):
            delattr(point, name)
    assert point == Point(1)


def test_one_may_add_to_another_and_keep_what_it_says_itself() -> None:
    place = Place(1, name="there")
    assert (repr(place), place) == ("there", Place(1, name="there"))
    assert place != Place(1) != Point(1)
