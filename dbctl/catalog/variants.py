"""Holding many databases against each other: which of them are the same, and in what the others differ.

Of each database is kept only in what it differs from the first one, and of those that are alike that is kept once: so
it is no matter how large they are, nor how many.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dbctl.catalog.schemas import Part
from dbctl.records import record

Changes = frozenset[tuple[Part, str | None]]
"""In which parts one differs, and what it has there; None where it has nothing of the kind."""


@record
class Change:
    """One thing in which a group of databases differs; None where one side has nothing of the kind."""

    part: Part
    reference: str | None
    found: str | None


@record
class Group:
    """Databases that are alike, in the order in which they were named, and in what they differ from the reference."""

    names: Sequence[str]
    changes: Sequence[Change]


class Variants:
    """The databases that are held against each other. They may be added by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: dict[Part, str] | None = None
        self._names: dict[Changes, list[str]] = defaultdict(list)

    def add(self, name: str, parts: Mapping[Part, str]) -> None:
        """Add a database.

        Args:
            name: Its name.
            parts: What there is in it, as `dbctl.catalog.schemas.parts_of` has it.
        """
        with self._lock:
            if self._first is None:
                self._first = dict(parts)
            keys = self._first.keys() | parts.keys()
            changes = frozenset((key, parts.get(key)) for key in keys if parts.get(key) != self._first.get(key))
            self._names[changes].append(name)

    def groups(self, order: Sequence[str], reference: str | None = None) -> list[Group]:
        """Return the groups: first the one that is the reference, then the others as their first ones were named.

        Args:
            order: All names, in the order in which they were named.
            reference: The name of the one that the others are held against; unless given, of those that most are like,
                or among several such of the one that was named first.
        """
        places = {name: place for place, name in enumerate(order)}
        sorted_names = {changes: sorted(names, key=places.__getitem__) for changes, names in self._names.items()}
        found = sorted(sorted_names.items(), key=lambda item: places[item[1][0]])
        if reference is None:
            first = max(found, key=lambda item: len(item[1]), default=None)
        else:
            first = next(item for item in found if reference in item[1])
        if first is None:
            return []
        others = [item for item in found if item is not first]
        return [
            Group(first[1], ()),
            *(Group(names, [*self._between(dict(first[0]), dict(changes))]) for changes, names in others),
        ]

    def _between(self, reference: Mapping[Part, str | None], other: Mapping[Part, str | None]) -> Iterator[Change]:
        first: Mapping[Part, str] = self._first or {}
        for part in _in_order(reference.keys() | other.keys()):
            want, have = (said.get(part, first.get(part)) for said in (reference, other))
            if want != have:
                yield Change(part, want, have)


def whole(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield what is to be told: of a table that only one side has not each of its parts."""
    told = list(changes)
    tables = {each.part[0] for each in told if each.part[1] == "table" and None in (each.reference, each.found)}
    return (each for each in told if each.part[1] == "table" or each.part[0] not in tables)


def _in_order(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: (part[0], part[1] != "table", part[1]))
