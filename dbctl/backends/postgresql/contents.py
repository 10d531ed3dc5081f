"""What a file of pg_dump has: the entries that a table is made of, with what they need.

pg_restore's own --table takes the table and its rows alone, without indexes, constraints, triggers and rights.
https://www.postgresql.org/docs/current/app-pgrestore.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from dbctl.records import record

_LINE = re.compile(r"(\d+); \d+ \d+ (.*)")
_NEEDS = ";\tdepends on:"

# Kinds of entries that name their table, and those that are known for a table's by what they depend on.
_NAMING = (
    *("TABLE DATA", "DEFAULT", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT"),
    *("RULE", "TRIGGER", "POLICY", "ROW SECURITY"),
)
_DEPENDING = (
    *("SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET", "INDEX", "INDEX ATTACH", "TABLE ATTACH", "STATISTICS"),
    *("STATISTICS DATA", "MATERIALIZED VIEW DATA", "COMMENT", "ACL", "SECURITY LABEL"),
)
_OF_ROLES = ("ACL", "DEFAULT ACL", "POLICY", "USER MAPPING")
"""What names roles besides an owner."""
_TABLES = ("TABLE", "MATERIALIZED VIEW")
_OF_OTHERS = {"FK CONSTRAINT": "the foreign key", "TABLE ATTACH": "its place as the partition", "INDEX ATTACH": ""}
"""What needs a further table to be there, and what it is called; an index is attached where its table is."""
_PARENTS = ("CONSTRAINT", "INDEX")
"""What a partition's own of the same kind is one of."""


@record
class Entry:
    """An entry: its number, its kind, schema, name and owner as one text, and the numbers of those that it needs."""

    number: int
    text: str
    needs: frozenset[int]

    def is_one_of(self, kinds: Collection[str]) -> bool:
        """Tell whether it is of one of some kinds; no schema is called as a kind goes on."""
        return any(self.text.startswith(f"{kind} ") for kind in kinds)

    def is_of(self, kinds: Collection[str], schema: str | None, name: str) -> bool:
        """Tell whether it is of one of some kinds, and a table's."""
        return any(self.text.startswith(f"{kind} {schema} {name} ") for kind in kinds)


def entries(listing: str) -> Iterator[Entry]:
    """Yield the entries of what `pg_restore --list --verbose` says."""
    found: Entry | None = None
    for line in listing.splitlines():
        if line.startswith(_NEEDS) and found:
            found = Entry(found.number, found.text, frozenset(map(int, line.removeprefix(_NEEDS).split())))
        elif match := _LINE.match(line):
            if found:
                yield found
            found = Entry(int(match[1]), match[2], frozenset())
    if found:
        yield found


def naming_roles(listing: str) -> frozenset[int]:
    """Return the numbers of the entries that name roles besides their owner, and of the comments on those.

    Args:
        listing: What `pg_restore --list --verbose` says.
    """
    found: set[int] = set()
    for entry in entries(listing):
        if entry.is_one_of(_OF_ROLES) or (entry.is_one_of(["COMMENT"]) and entry.needs & found):
            found.add(entry.number)
    return frozenset(found)


class Picked:
    """The entries that some tables are made of.

    Attributes:
        numbers: Of them, in their order.
        left_out: In words those that are of a table and another one, which is not among them.
    """

    def __init__(self, listing: str, tables: Sequence[tuple[str | None, str]], *, beside: bool) -> None:
        """Pick.

        Args:
            listing: What `pg_restore --list --verbose` says.
            tables: The schemas and names of the tables; partitions come along.
            beside: Whether what they need is there, and so are the tables that their foreign keys refer to.
        """
        self._all = {entry.number: entry for entry in entries(listing)}
        self._tables = self._with_partitions(
            {one.number for one in self._all.values() if any(one.is_of(_TABLES, *table) for table in tables)}
        )
        self.left_out: list[str] = []
        picked = self._of_tables(beside=beside)
        if not beside:
            picked |= self._needed_by(picked)
        self.numbers = [number for number in self._all if number in picked]

    def _with_partitions(self, tables: set[int]) -> set[int]:
        attached = [entry for entry in self._all.values() if entry.is_one_of(["TABLE ATTACH"])]
        more = {number for entry in attached if entry.needs & tables for number in self._children(entry) - tables}
        return self._with_partitions(tables | more) if more else tables

    def _children(self, attached: Entry) -> frozenset[int]:
        """Return the partition that is attached: the one that needs the other."""
        return frozenset(one for one in attached.needs if self._all[one].needs & attached.needs)

    def _of_tables(self, *, beside: bool) -> set[int]:
        """Return the tables, and what is theirs."""
        picked = set(self._tables)
        names = [self._all[number].text.rpartition(" ")[0] for number in self._tables]
        own = tuple(
            f"{kind} {name.removeprefix('MATERIALIZED VIEW ').removeprefix('TABLE ')} "
            for kind in _NAMING
            for name in names
        )
        for entry in self._all.values():  # an entry comes after those that it needs
            theirs = entry.text.startswith(own) or (entry.is_one_of(_DEPENDING) and entry.needs & picked)
            if not theirs:
                continue
            if entry.is_one_of(_OF_OTHERS) and self._strangers(entry) and not (beside and entry.is_one_of(_NAMING)):
                self._leave_out(entry)
            else:
                picked.add(entry.number)
        return picked

    def _leave_out(self, entry: Entry) -> None:
        for kind, title in _OF_OTHERS.items():
            if title and entry.is_one_of([kind]):
                self.left_out.append(title + entry.text.removeprefix(kind).rpartition(" ")[0])

    def _strangers(self, entry: Entry) -> set[int]:
        """Return the tables that an entry needs and that are not picked."""
        return {one for one in entry.needs - self._tables if one in self._all and self._all[one].is_one_of(["TABLE"])}

    def _needed_by(self, picked: set[int]) -> set[int]:
        """Return what some entries need, and that needs in turn; a partition does without what it is one of."""
        attached = {
            number for entry in self._all.values() if entry.is_one_of(["TABLE ATTACH"]) for number in entry.needs
        }
        found: set[int] = set()
        waiting = list(picked)
        while waiting:
            entry = self._all[waiting.pop()]
            for number in entry.needs - picked - found:
                needed = self._all.get(number)
                if needed and number not in attached and not needed.is_one_of(_PARENTS):
                    found.add(number)
                    waiting.append(number)
        values = [one for one in self._all.values() if one.is_one_of(["SEQUENCE SET"]) and one.needs & found]
        return found | {one.number for one in values}
