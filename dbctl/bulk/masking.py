"""Masking columns while they are read, by the source's own SQL, so that what they hold never leaves it.

The same value masks to the same under one key: so keys that refer to each other still fit. Without the key, which is
made for each run unless DBCTL_MASK_KEY says one, nobody can try values out.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.names import unquoted
from dbctl.errors import UsageError, WorkRefused
from dbctl.profiles.words import nearly
from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.backends.bulk import Bulk
    from dbctl.backends.inventory import Relation
    from dbctl.bulk.reading_out import Moment

VARIABLE = "DBCTL_MASK_KEY"
WAYS = ("hash", "null", "fake", "keep")
"""How a column can be masked; `keep` says that there is nothing to be masked in it."""

_FIRST = (
    "Ada Alba Bela Bruno Cleo Cosmo Dora Dario Edna Elio Faye Fritz Gala Gino Hedda Hugo"
    " Ines Ivo Jana Jonas Kira Klaus Lena Leo Mara Milo Nora Nils Olga Otto Pia Piet"
)
_LAST = (
    "Acker Arndt Bach Berg Brook Busch Dorn Eich Esch Feld Forst Grund Hain Heide Hof Horn"
    " Kamp Kern Kranz Lang Linde Moor Ort Pfau Quell Rain Roth Sand Stein Tal Wald Wiese"
)
_LONGEST = 32
"""Characters of a text that a hash makes."""


def _key() -> str:
    said = os.environ.get(VARIABLE)
    return hashlib.sha256(said.encode()).hexdigest()[:32] if said else secrets.token_hex(16)


@record
class Masks:
    """How columns are masked.

    Args:
        rules: By columns, as `table.column` or a pattern of such, how each is; the last one that fits counts.
        complete: Whether each column that is copied has to be named.
        key: What values are hashed with, in hexadecimal digits.
        said: The rules that were said for this copy, and are not the profile's.
    """

    rules: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False
    key: str = field(default_factory=_key, repr=False)
    said: Collection[str] = ()

    def way(self, table: str, column: str) -> str | None:
        """Return how a column is masked; None where no rule names it."""
        fitting = [way for name, way in self.rules.items() if fnmatchcase(f"{table}.{column}", name)]
        return fitting[-1] if fitting else None

    def expressions(self, backend: Bulk, table: str, columns: Sequence[BulkColumn]) -> Mapping[str, str]:
        """Return the SQL that masks a table's columns, by their names; those that are kept are left out.

        Raises:
            UsageError: A column can't be masked so.
        """
        ways = {one.name: self.way(table, one.name) for one in columns}
        masked = [one for one in columns if ways[one.name] not in {None, "keep"}]
        return {one.name: self._expression(backend, table, one, str(ways[one.name])) for one in masked}

    def refuse_bare(self, columns: Mapping[str, Iterable[str]]) -> None:
        """Do nothing where rules name all columns, or need not.

        Args:
            columns: The names of the columns that are copied, by their tables.

        Raises:
            WorkRefused: No rule names some.
        """
        names = ((table, name) for table, own in columns.items() for name in own if self.complete)
        if bare := [f"{table}.{name}" for table, name in names if self.way(table, name) is None]:
            raise WorkRefused(f"no rule names {', '.join(bare)}", "say how each is masked, or keep")

    def refuse_own_key(self, masked: Iterable[Mapping[str, str]]) -> None:
        """Do nothing where no column is hashed with a key that is this run's alone.

        Args:
            masked: The SQL that masks each table's columns.

        Raises:
            UsageError: One is.
        """
        if VARIABLE not in os.environ and any(self.key in sql for one in masked for sql in one.values()):
            text = "each run with --resume would mask the same value by a key of its own"
            raise UsageError(text, f"set {VARIABLE} to one that they share")

    def _expression(self, backend: Bulk, table: str, column: BulkColumn, way: str) -> str:
        if way == "null":
            if not column.nullable:
                raise UsageError(f"{table}.{column.name} is NOT NULL, and can't be masked by null", "take hash or fake")
            return "NULL"
        digest = backend.mask_digest(backend.sql_name(column.name), self.key)
        if column.kind is Kind.TEXT and way == "fake":
            return self._fake(backend, column, digest)
        if way == "hash" and column.kind is Kind.TEXT:
            return f"substr({digest}, 1, {_room(column)})"
        if way == "hash" and column.kind is Kind.INTEGER:
            if (digits := _room(column)) == 0:
                text = f"{table}.{column.name}: a {column.type} has no room for a hash"
                raise UsageError(text, "take null or keep")
            return backend.mask_number(digest, 1, digits)
        if way == "hash" and column.kind is Kind.UUID:
            return backend.mask_uuid(digest)
        raise UsageError(f"{table}.{column.name}: a {column.type} can't be masked by {way}", "take null or keep")

    @staticmethod
    def _fake(backend: Bulk, column: BulkColumn, digest: str) -> str:
        """Return a text that looks like what a column of such a name has; of a value always the same."""
        name = column.name.lower()
        tail = f"substr({digest}, 9, 8)"
        if "mail" in name:
            parts = [f"substr({digest}, 1, 12)", "'@example.com'"]
        elif "phone" in name or "mobile" in name or name.startswith("tel"):
            parts = ["'+1555'", backend.mask_number(digest, 1, 6)]
        elif "name" in name:
            first, last = (_picked(backend, words, digest, at) for at, words in ((1, _FIRST), (3, _LAST)))
            parts = [first, "' '", last, "' '", tail]
        else:
            parts = ["'fake '", tail]
        return f"substr({backend.joined(parts)}, 1, {_length(column)})"

    def refuse_idle(self, copied: Collection[str], others: Iterable[str]) -> None:
        """Do nothing where each rule masks a column: one that is misspelt would let all of its column through.

        Args:
            copied: The columns that are copied, as `table.column`.
            others: The source's other columns, which a profile's rules may be about; drawn only where one may be.

        Raises:
            UsageError: A rule names no column.
        """
        idle = {name for name in self.rules if not _fits_one(name, copied)}
        if unsaid := idle.intersection(self.said):
            raise _idle(unsaid, "no column that is copied", copied)
        seen = list(copied)
        for column in others if idle else ():
            seen.append(column)
            idle = {name for name in idle if not fnmatchcase(column, name)}
        if idle:
            raise _idle(idle, "no column of the source", seen)

    def refuse_unfitting(self, moment: Moment, relations: Sequence[tuple[str, Relation]]) -> None:
        """Do nothing where columns that refer to each other are masked in the same way.

        Raises:
            UsageError: A foreign key would not fit any more.
        """
        from dbctl.bulk.reading_out import foreign_keys

        names = {(one.schema, one.name): called for called, one in relations}
        room = {
            f"{called}.{column.name}": _room(column)
            for called, one in relations
            for column in moment.backend.table_columns(moment.connection, one)
        }
        for called, relation in relations:
            for key in foreign_keys(moment, relation):
                other = names.get((key["referred_schema"] or relation.schema, key["referred_table"]))
                for column, referred in zip(key["constrained_columns"], key["referred_columns"], strict=True):
                    own = self.way(called, column) or "keep"
                    theirs = (other and self.way(other, referred)) or "keep"
                    if own not in {theirs, "null"}:
                        message = f"{called}.{column} refers to {other or key['referred_table']}.{referred}"
                        raise UsageError(f"{message}, and would not fit any more", f"mask both by {own}, or none")
                    if own == "hash" and room[f"{called}.{column}"] != room[f"{other}.{referred}"]:
                        message = f"{called}.{column} refers to {other}.{referred}, which has a hash of another length"
                        raise UsageError(message, "keep both, or give both one type at the source")


def masks_of(rules: Mapping[str, str], said: Sequence[str], *, complete: bool) -> Masks:
    """Return the masks that a profile has, and those that were said besides, as `table.column=way`.

    Raises:
        UsageError: There is no such way.
    """
    found = {unquoted(name): way for name, way in rules.items()}
    for one in said:
        name, _, way = unquoted(one).partition("=")
        found.pop(name, None)  # the last one counts, also in the order
        found[name] = way
    for name, way in found.items():
        if way not in WAYS or "." not in name:
            raise UsageError(f"mask {name}={way}: there is to be TABLE.COLUMN and one of {', '.join(WAYS)}")
    return Masks(found, complete, said=[unquoted(one).partition("=")[0] for one in said])


def _fits_one(rule: str, columns: Iterable[str]) -> bool:
    return any(fnmatchcase(column, rule) for column in columns)


def _idle(rules: Iterable[str], where: str, columns: Iterable[str]) -> UsageError:
    name = min(rules)
    meant = nearly(name, columns)
    return UsageError(
        f"mask {name}: {where} is called so", f'did you mean "{meant}"?' if meant else "look at `dbctl describe TABLE`"
    )


def _room(column: BulkColumn) -> int:
    """Return how many hexadecimal digits of a hash a column takes; 0 where it holds only small numbers."""
    if column.kind is not Kind.INTEGER:
        return min(_length(column), _LONGEST)
    if column.wide or "bigint" in column.type or column.type.startswith("int8"):
        return 15
    return 0 if re.match("tiny|small|medium|year|int2", column.type, re.IGNORECASE) else 7


def _length(column: BulkColumn) -> int:
    found = re.search(r"char\w*(?: varying)?\((\d+)\)", column.type, re.IGNORECASE)
    return int(found[1]) if found else 1_000


def _picked(backend: Bulk, words: str, digest: str, at: int) -> str:
    number = f"({backend.mask_number(digest, at, 2)}) % {len(words.split())}"
    return f"CASE {number} " + " ".join(f"WHEN {n} THEN '{word}'" for n, word in enumerate(words.split())) + " END"
