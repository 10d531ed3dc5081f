"""Results of several statements, and one bare value.

JSON has an array of results, each with its rows; a table is a block for each. CSV and tab-separated text have one
header, and so show one result with rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dbctl.cli.choices import Format
from dbctl.cli.render import json_text
from dbctl.cli.render.sheets import sheet_of
from dbctl.cli.render.values import text
from dbctl.cli.report import visible
from dbctl.errors import UsageError
from dbctl.results import Result, Results, Rows, Single


def bare(result: Single, kind: Format, *, on_terminal: bool) -> Iterator[str]:
    """Write a value alone, on a line: as JSON where that is said, and as it is elsewhere."""
    if kind in {Format.JSON, Format.JSONL}:
        yield f"{json_text.value_text(result.value, ascii_only=False)}\n"
    else:
        yield f"{visible(text(result.value)) if on_terminal else text(result.value)}\n"


def array(results: Results, extra: dict[str, Any], *, ascii_only: bool) -> Iterator[str]:
    """Write an array with an object for each statement, whose rows are written as they come."""

    def value(of: Any) -> str:
        return json_text.value_text(of, ascii_only=ascii_only)

    before = "[\n"
    for one in results.values:
        known = {"line": one.line, "statement": one.statement, "changed": one.changed, **extra}
        yield before + "  {\n" + "".join(f"    {value(key)}: {value(of)},\n" for key, of in known.items())
        yield '    "rows": '
        if one.rows is None:
            yield "null"
        else:
            yield from json_text.array(sheet_of(one.rows, array, {}, flat=False), ascii_only=ascii_only, within=2)
        yield "\n  }"
        before = ",\n"
    yield "\n]\n" if before != "[\n" else "[]\n"


def blocks(
    results: Results, kind: Format, write: Callable[[Any], Iterator[str]], extra: dict[str, Any]
) -> Iterator[str]:
    """Write one result behind the other.

    Args:
        results: The results.
        kind: The format, which is not JSON.
        write: Writes rows, or one record.
        extra: Values to add to each record.

    Raises:
        UsageError: There is a second one with rows, and the format has one header.
    """
    shown = 0
    for one in results.values:
        if one.rows is None:
            yield from _counted(one, kind, extra, first=not shown)
            shown += kind is Format.TABLE and one.changed is not None
            continue
        if shown and kind in {Format.CSV, Format.TSV}:
            raise _more_than_one(one, kind)
        if shown and kind is Format.TABLE:
            yield "\n"
        yield from write(one.rows)
        shown += 1


def _counted(one: Result, kind: Format, extra: dict[str, Any], *, first: bool) -> Iterator[str]:
    """Write how many rows a statement changed that returned none, where the format has a place for it."""
    if one.changed is None or kind in {Format.CSV, Format.TSV}:
        return
    if kind is Format.TABLE:
        rows = "1 row" if one.changed == 1 else f"{one.changed} rows"
        not_kept = " (rolled back)" if extra.get("committed") is False else ""
        yield f"{'' if first else chr(10)}{visible(one.statement)}: {rows} changed{not_kept}\n"
        return
    record: Rows[Any] = Rows(["line", "changed", *extra], [(one.line, one.changed, *extra.values())])
    yield from json_text.lines(sheet_of(record, blocks, {}, flat=False), ascii_only=False)


def refuse_more_than_one(results: Results, kind: Format) -> None:
    """Refuse a second result with rows.

    Raises:
        UsageError: There is one.
    """
    with_rows = [one for one in results.values if one.rows is not None]
    if len(with_rows) > 1:
        raise _more_than_one(with_rows[1], kind)


def _more_than_one(one: Result, kind: Format) -> UsageError:
    return UsageError(
        f"line {one.line}: {one.statement}: a second result, and {kind.upper()} has one header",
        "say --output json, or leave one result",
    )
