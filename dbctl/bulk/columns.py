"""Which column of the table each column of a file is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from dbctl.backends.kinds import BulkColumn
from dbctl.bulk.advice import MARKS, NAME_THEM, other_delimiter, told_header, told_name
from dbctl.errors import UsageError
from dbctl.records import record

OF_REJECTS = ("_file", "_line", "_column", "_reason")
"""The columns that a file of rejected rows has besides, and that are left out when it is imported."""


@record
class Layout:
    """How the columns of a file are those of a table.

    Args:
        kinds: The table's columns that are loaded, in their order.
        places: Where in the file each of them stands; None where it is the same for all rows.
        given: The values that are the same for all rows, by the columns' names.
    """

    kinds: Sequence[BulkColumn]
    places: Sequence[int | None]
    given: Mapping[str, str]

    def as_it_stands(self, width: int) -> bool:
        """Tell whether a file with so many columns has just these."""
        return list(self.places) == list(range(width))


@record
class Wanted:
    """What is said of a file's columns.

    Args:
        renamed: The table's columns by the file's; "" for those that are left out.
        given: Values that are the same for all rows, by the table's columns.
        masked: Whether no value is told: where a file has no header, its first row's are taken for names.
    """

    renamed: Mapping[str, str]
    given: Mapping[str, str]
    masked: bool = False


def layout(file: str, names: Sequence[str], wanted: Wanted, table: str, columns: Sequence[BulkColumn]) -> Layout:
    """Return how a file's columns are the table's.

    Args:
        file: The file's name, for messages.
        names: Its columns.
        wanted: What was said of them.
        table: The table's name, for messages.
        columns: The table's columns.

    Raises:
        UsageError: A column has no name, or the table has no such one, has it twice, or computes it.
    """
    by_name = {one.name: one for one in columns}
    known = any(wanted.renamed.get(name, name) in by_name for name in names)
    if not known:
        _refuse_other_delimiter(file, names, table, by_name, masked=wanted.masked)
    kinds: list[BulkColumn] = []
    places: list[int | None] = []
    for place, name in enumerate(names):
        target = wanted.renamed.get(name, name)
        if name == "" and name not in wanted.renamed:
            raise UsageError(f"{file}: column {place + 1} has no name", 'say --map "=" to leave it out, or "=NAME"')
        if target == "" or (name in OF_REJECTS and name not in by_name and name not in wanted.renamed):
            continue
        if target not in by_name and name not in wanted.renamed and (wanted.masked or not known):
            told = told_name(names, place, masked=wanted.masked)
            raise UsageError(_unknown(file, told, table, columns), NAME_THEM)
        kinds.append(_found(file, name, target, table, by_name))
        places.append(place)
    for name in wanted.given:
        kinds.append(_found("--set", name, name, table, by_name))
        places.append(None)
    loaded = [one.name for one in kinds]
    if again := next((name for name in loaded if loaded.count(name) > 1), None):
        raise UsageError(f"{file}: column {again} of {table} would be loaded twice", "leave one out with --map NAME=")
    if not kinds:
        raise UsageError(f"{file}: it has no column of {table}")
    return Layout(kinds, places, wanted.given)


def _refuse_other_delimiter(
    file: str, names: Sequence[str], table: str, columns: Collection[str], *, masked: bool
) -> None:
    """Do nothing where no column is known that stands between other delimiters.

    Raises:
        UsageError: There is one.
    """
    if mark := other_delimiter(names, columns):
        told = told_header(names, masked=masked)
        raise UsageError(f"{file}: {told}, which {table} has not", f"say --delimiter {MARKS[mark]}")


def _found(file: str, name: str, target: str, table: str, columns: Mapping[str, BulkColumn]) -> BulkColumn:
    found = columns.get(target)
    if found is None:
        near = next((one for one in columns if one.lower() == target.strip().lower()), "COLUMN")
        raise UsageError(
            _unknown(file, f'"{target}"', table, columns.values()),
            f'say --map "{name}={near}", or --map "{name}=" to leave it out',
        )
    if found.generated:
        raise UsageError(
            f"{file}: the database computes column {target} of {table} by itself", f'leave it out with --map "{name}="'
        )
    return found


def _unknown(file: str, told: str, table: str, columns: Iterable[BulkColumn]) -> str:
    there = ", ".join(one.name for one in columns if not one.generated)
    return f"{file}: {table} has no column {told}; it has {there}"


def pairs(option: str, said: Sequence[str], *, empty: bool = False) -> dict[str, str]:
    """Return options of the form NAME=VALUE by their names.

    Raises:
        UsageError: One has no `=`, or a name is given twice.
    """
    found: dict[str, str] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals or not (name or empty) or not (value or empty):
            raise UsageError(f"{option} {one}: it is to be NAME=VALUE")
        if name in found:
            raise UsageError(f"{option}: {name} is given twice")
        found[name] = value
    return found
