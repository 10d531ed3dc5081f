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

_TO_QUOTE = re.compile(r'[",\r\n]')
_TO_ESCAPE = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


def csv_text(sheet: Sheet, *, on_terminal: bool) -> Iterator[str]:
    """Write CSV by RFC 4180, but with LF; a terminal gets no control characters."""
    began = False
    for batch in sheet.uniform():
        columns = list(zip(*batch.rows, strict=True))
        cells = [[visible(text(value)) for value in column] if on_terminal else _cells(column) for column in columns]
        header = "" if began else _csv_header(batch.columns)
        yield header + (_csv(cells) if cells else "\n" * len(batch.rows))
        began = True
    if not began and sheet.columns:
        yield _csv_header(sheet.columns)


def _csv_header(columns: Sequence[str]) -> str:
    return _csv([[name] for name in columns]) if columns else "\n"


def _csv(columns: Sequence[Sequence[str]]) -> str:
    # A column that is empty and alone would be an empty line, so csv writes "" for it.
    if len(columns) > 1 and not any(_TO_QUOTE.search("".join(column)) for column in columns):
        return "\n".join(map(",".join, zip(*columns, strict=True))) + "\n"
    out = io.StringIO()
    some, all_ = (csv.writer(out, lineterminator="\n", quoting=how) for how in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    for row in zip(*columns, strict=True):
        # A reader may take a carriage return for a line's end, so it is quoted, which csv does not do by itself.
        (all_ if any("\r" in value for value in row) else some).writerow(row)
    return out.getvalue()


def tsv_text(sheet: Sheet) -> Iterator[str]:
    r"""Write tab-separated text: a line is a row whatever is in it, for what would end one is written \n."""
    began = False
    for batch in sheet.uniform():
        columns = [_escaped(_cells(column)) for column in zip(*batch.rows, strict=True)]
        if sheet.single:
            yield from (f"{name}\t{value}\n" for name, [value] in zip(batch.columns, columns, strict=True))
            return
        lines = map("\t".join, zip(*columns, strict=True)) if columns else [""] * len(batch.rows)
        header = "" if began else _header(batch.columns)
        yield header + "".join(f"{line}\n" for line in lines)
        began = True
    if not began and sheet.columns:
        yield _header(sheet.columns)


def _header(columns: Sequence[str]) -> str:
    return "\t".join(_escaped(columns)) + "\n"


def _escaped(cells: Sequence[str]) -> Sequence[str]:
    if _TO_ESCAPE.search("".join(cells)):
        return [visible(cell.replace("\\", "\\\\")) for cell in cells]
    return cells


def _cells(values: Sequence[Any]) -> Sequence[str]:
    """Return a column's values as the texts that they are in a line."""
    plain = texts(values)
    return plain if set(map(type, plain)) == {str} else ["" if value is None else str(value) for value in plain]
