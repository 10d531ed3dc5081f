"""Showing a command's result: frozen dataclasses as a table for people, or as JSON, CSV or tab-separated text."""

import csv
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import Field, fields, is_dataclass
from datetime import datetime
from typing import Any, get_args, get_type_hints

from dbctl.cli.options import Format, Globals
from dbctl.cli.report import visible
from dbctl.cli.streams import colours, on_terminal, write
from dbctl.results import Markdown, PlainText

Row = dict[str, Any]


class Renderer:
    """Shows the result of one command on stdout.

    Args:
        said: The global options.
        function: The command function, whose return annotation tells the columns of an empty result.

    Raises:
        UsageError: DBCTL_OUTPUT names no format.
    """

    def __init__(self, said: Globals, function: Callable[..., Any]) -> None:
        self._on_terminal = on_terminal()
        self._format = said.format(self._on_terminal)
        self._silent = said.quiet or sys.stdout is None
        self._no_color = said.no_color or os.environ.get("TERM") == "dumb"
        self._function = function

    def show(self, result: Any, committed: bool | None = None) -> None:
        """Write the result.

        Args:
            result: A frozen dataclass, or several.
            committed: Added to each row as a column where it is not None.

        Raises:
            OutputLost: It can't be written.
        """
        if not self._silent and result is not None:
            write(self._written(result, {} if committed is None else {"committed": committed}))

    def _written(self, result: Any, extra: Row) -> Iterator[str]:
        if self._format in {Format.TABLE, Format.TSV} and _is_text(result := _listed(result)):
            yield from map(self._text, result)
            return
        single = is_dataclass(result)
        rows: Iterable[Row] = (_record(item) | extra for item in ([result] if single else result))
        if self._format is Format.JSON:
            rows = list(rows)
            yield _json(rows[0] if single else rows, indent=2)
        elif self._format is Format.JSONL:
            yield from map(_json, rows)
        elif self._format is Format.TABLE:
            yield self._table([_flat(row) for row in rows], self._columns(extra), single=single)
        elif single and self._format is Format.TSV:
            for row in rows:
                yield from (_tsv_line([key, _text(value)], self._on_terminal) for key, value in _flat(row).items())
        else:
            line = _csv_line if self._format is Format.CSV else _tsv_line
            columns: list[str] | None = None
            for flat in map(_flat, rows):
                if columns is None:
                    columns = list(flat)
                    yield line(columns, self._on_terminal)
                yield line([_text(flat.get(column)) for column in columns], self._on_terminal)
            if columns is None and (columns := self._columns(extra)):
                yield line(columns, self._on_terminal)

    def _text(self, item: PlainText) -> str:
        if not (isinstance(item, Markdown) and self._on_terminal and self._format is Format.TABLE):
            return f"{_lines(str(item))}\n"
        from dbctl.cli.markdown import laid_out

        return laid_out(str(item), shutil.get_terminal_size().columns, styled=colours())

    def _fields(self) -> Sequence[Field[Any]]:
        """Return the fields of a row, from the command's return annotation; none where rows are of several kinds."""
        annotation = get_type_hints(self._function).get("return")
        kind = next(iter(get_args(annotation)), annotation)
        return fields(kind) if is_dataclass(kind) else ()

    def _columns(self, extra: Row) -> list[str]:
        """Return the columns of a result without rows."""
        names = [field.name for field in self._fields()]
        return [*names, *extra] if names else []

    def _table(self, rows: list[Row], columns: list[str], *, single: bool) -> str:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        out = io.StringIO()
        # Rich takes a pipe for 80 columns wide, and would cut what does not fit.
        width = None if self._on_terminal else 1_000_000
        console = Console(
            file=out, width=width or Console(file=sys.stdout).width, force_terminal=self._on_terminal,
            no_color=self._no_color or None, highlight=False, markup=False, emoji=False,
        )  # fmt: skip
        table = Table(box=box.SIMPLE_HEAD, show_header=not single, pad_edge=False, show_edge=False)
        if single:
            table.add_column(style="bold", no_wrap=True)
            table.add_column(overflow="fold")
            for key, value in rows[0].items():
                if value is None:
                    continue
                table.add_row(Text(_heading(key)), Text(visible(_text(value, people=True))))
        else:
            # Long texts would squeeze the columns: a field whose metadata has a mark for it stands below the last one.
            marks = {field.name: field.metadata["below"] for field in self._fields() if "below" in field.metadata}
            columns = [column for column in (list(rows[0]) if rows else columns) if column not in marks]
            for column in columns:
                numbers = all(_is_number(row[column]) for row in rows if row[column] is not None)
                table.add_column(_heading(column), overflow="fold", justify="right" if numbers else "left")
            for row in rows:
                cells = [Text(visible(_text(row[column], people=True))) for column in columns]
                for name, mark in marks.items():
                    if row[name] is not None:
                        cells[-1].append(f"\n{mark}{visible(_text(row[name], people=True))}", "" if mark else "dim")
                table.add_row(*cells)
        console.print(table)
        return "".join(f"{line.rstrip()}\n" for line in out.getvalue().rstrip("\n").split("\n"))


def _listed(result: Any) -> Any:
    return list(result) if isinstance(result, Iterator) else result


def _is_text(result: Any) -> bool:
    return isinstance(result, Sequence) and bool(result) and isinstance(result[0], PlainText)


def _lines(text: str) -> str:
    return "".join(part if part in "\n\t" else visible(part) for part in re.split(r"([\n\t])", text))


def _record(item: Any) -> Row:
    return {field.name: _plain(getattr(item, field.name)) for field in fields(item)}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _record(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _flat(row: Row, prefix: str = "") -> Row:
    flat: Row = {}
    for key, value in row.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=sys.stdout.encoding.lower() != "utf-8", indent=indent, default=_text)
    # JSON leaves DEL and the C1 controls as they are, and a terminal would obey them.
    return "".join(f"\\u{ord(c):04x}" if "\x7f" <= c <= "\x9f" else c for c in text) + "\n"


def _csv_line(values: Sequence[str], on_terminal: bool) -> str:
    line = io.StringIO()
    # A reader may take a carriage return for a line's end, so it is quoted, which csv does not do by itself.
    write = csv.writer(line, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    if "\r" in "".join(values):
        write = csv.writer(line, lineterminator="\n", quoting=csv.QUOTE_ALL)
    write.writerow(map(visible, values) if on_terminal else values)
    return line.getvalue()


def _tsv_line(values: Sequence[str], _on_terminal: bool) -> str:
    return "\t".join(visible(value.replace("\\", "\\\\")) for value in values) + "\n"


def _text(value: Any, *, people: bool = False) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return ("yes" if value else "no") if people else ("true" if value else "false")
    if isinstance(value, datetime):
        # People read seconds; programs get all there is.
        return value.isoformat(sep=" " if people else "T", timespec="seconds" if people else "auto").replace(
            "+00:00", "Z"
        )
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) and people else str(value)


def _heading(key: str) -> str:
    return key.replace("_", " ").replace(".", " · ")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
