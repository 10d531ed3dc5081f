"""One thing in sections: tables below each other for people, and a row for each part where all rows are alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from dbctl.cli.render.records import heading, record
from dbctl.cli.render.screen import Screen
from dbctl.cli.render.sheets import sheet_of
from dbctl.cli.render.table import table
from dbctl.results import Rows, Sections


def rows_of(shown: Sections) -> Rows[Any]:
    """Return a row for each record in the lists."""
    values = [(name, _name(each), each.definition) for name, records in _lists(shown) for each in records]
    return Rows(["part", "name", "definition"], values)


def _name(record_: Any) -> str:
    """Return a record's name, behind that of the table that it is of where it has one."""
    return ".".join(filter(None, (getattr(record_, "table", None), record_.name)))


def blocks(shown: Sections, screen: Screen, function: Callable[..., Any]) -> Iterator[str]:
    """Write the plain fields, and then each list that has records, below its name."""
    every: Any = fields(shown)  # type: ignore[arg-type]
    names = [each.name for each in every if each.metadata.get("table", True)]
    plain = [name for name in names if not isinstance(getattr(shown, name), list)]
    yield record(plain, [getattr(shown, name) for name in plain], screen)
    for name, records in _lists(shown):
        yield f"\n{screen.bold(screen.own(heading(name)))}\n"
        hidden = [each.name for each in fields(records[0]) if not each.metadata.get("table", True)]
        across = [each.name for each in fields(records[0]) if "across" in each.metadata]
        sheet = replace(sheet_of(records, function, {}, flat=True), for_programs=hidden, across=across)
        yield from table(sheet, screen)


def _lists(shown: Sections) -> list[tuple[str, Sequence[Any]]]:
    every: Any = fields(shown)  # type: ignore[arg-type]
    found = ((each.name, getattr(shown, each.name)) for each in every)
    return [(name, value) for name, value in found if isinstance(value, list) and value]
