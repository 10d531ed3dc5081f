"""CSV, and tab-separated text: a header and a line for each row; of a single record tab-separated text has pairs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from dbctl.cli.render.sheets import Sheet
from dbctl.cli.render.values import text, texts
from dbctl.cli.report import visible

_TO_ESCAPE = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


def csv_text(sheet: Sheet, *, on_terminal: bool) -> Iterator[str]:
    """Write CSV by RFC 4180, but with LF; a terminal gets no control characters."""
    began = False
    for batch in sheet.uniform():
        rows = batch.rows
        columns = list(zip(*rows, strict=True))
        if on_terminal:
            rows = list(zip(*[[visible(text(value)) for value in column] for column in columns], strict=True))
        elif any(texts(column) is not column for column in columns):
            rows = list(zip(*map(texts, columns), strict=True))
        yield _csv(rows if began else [batch.columns, *rows])
        began = True
    if not began and sheet.columns:
        yield _csv([sheet.columns])


def _csv(rows: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    if "\r" not in out.getvalue():
        return out.getvalue()
    out = io.StringIO()
    some, all_ = (csv.writer(out, lineterminator="\n", quoting=how) for how in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    for row in rows:
        # A reader may take a carriage return for a line's end, so it is quoted, which csv does not do by itself.
        (all_ if any("\r" in str(value) for value in row) else some).writerow(row)
    return out.getvalue()


def tsv_text(sheet: Sheet) -> Iterator[str]:
    r"""Write tab-separated text: a line is a row whatever is in it, for what would end one is written \n."""
    began = False
    for batch in sheet.uniform():
        columns = [_escaped(texts(column)) for column in zip(*batch.rows, strict=True)]
        if sheet.single:
            yield from (f"{name}\t{value}\n" for name, [value] in zip(batch.columns, columns, strict=True))
            return
        lines = map("\t".join, zip(*columns, strict=True)) if columns else [""] * len(batch.rows)
        header = "" if began else _header(batch.columns)
        yield header + "\n".join(lines) + "\n"
        began = True
    if not began and sheet.columns:
        yield _header(sheet.columns)


def _header(columns: Sequence[str]) -> str:
    return "\t".join(_escaped(columns)) + "\n"


def _escaped(values: Sequence[Any]) -> Sequence[str]:
    cells = values if set(map(type, values)) == {str} else ["" if value is None else str(value) for value in values]
    if _TO_ESCAPE.search("".join(cells)):
        return [visible(cell.replace("\\", "\\\\")) for cell in cells]
    return cells
