"""The renderer of one command: it knows the format, and where the result goes."""

import os
import re
import shutil
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from types import TracebackType
from typing import Any, Self

from dbctl.charts.shown import Charted, Live
from dbctl.cli.choices import Format
from dbctl.cli.counting import rows_in
from dbctl.cli.options import Globals
from dbctl.cli.outcome import current
from dbctl.cli.report import visible
from dbctl.cli.streams import ReaderLeft, Stdout, colours, discard_stdout, in_c_locale, on_terminal
from dbctl.errors import OutputLost
from dbctl.results import Frames, Gathered, Markdown, PlainText, Results, Sections, Single, Unshown, drawn
from dbctl.work.signals import Terminated


class Renderer:
    """Shows the result of one command on stdout; a block, at whose end a person has read what a pager shows.

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
        self._paged = self._on_terminal and not said.no_pager
        self._function = function
        self._ascii_only = sys.stdout is None or sys.stdout.encoding.lower() != "utf-8"
        self._output: Any = None
        self.has_written = False
        """Whether anything of a result was handed to its reader."""

    @property
    def format(self) -> Format:
        """The format that results are written in."""
        return self._format

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._output:
            self._output.close(at_once=kind is not None and issubclass(kind, Terminated))

    def show(self, result: Any, committed: bool | None = None) -> None:
        """Write a result that is there as a whole; a reader that has left, as `| head` does, is no failure.

        Args:
            result: A frozen dataclass, several, or Rows.
            committed: Added to each row as a column where it is not None.

        Raises:
            OutputLost: It can't be written.
        """
        if result is None:
            return
        current().count(rows_in(result))
        if self._silent or isinstance(result, Unshown):
            return
        try:
            self.write(result, {} if committed is None else {"committed": committed})
        except ReaderLeft:
            discard_stdout()

    def write(self, result: Any, extra: dict[str, Any], pause: Callable[[], None] = lambda: None) -> None:
        """Write a result as it comes.

        Args:
            result: What `show` takes.
            extra: Values to add to each row, by column.
            pause: Called between two pieces, and now and then while a pager's reader takes none.

        Raises:
            ReaderLeft: Nobody reads it any more.
            OutputLost: It can't be written.
        """
        if self._silent:
            drained = drawn(result) if isinstance(result, Results) else result
            deque(drained if isinstance(drained, Iterable) else (), maxlen=0)
            if isinstance(result, Live):
                result.conclude()
            return
        last = "\n"
        self._paged = self._paged and not isinstance(result, Frames)
        self.open(pause)
        try:
            with self._left_by_key(result):
                for piece in self._pieces(result, extra):
                    pause()
                    self._put(piece)
                    last = piece or last
        except BaseException:
            if not last.endswith("\n"):
                self._put("\n")  # or what is said of the failure would begin in the middle of a line
            raise
        finally:
            self._finish()

    def open(self, pause: Callable[[], None] = lambda: None) -> None:
        """Take what stdout is now for all that is written, before something else is put in its place.

        Args:
            pause: As `write` has it.
        """
        if self._output is not None or self._silent:
            return
        self._output = Stdout()
        if self._paged:
            from dbctl.cli.pager import Paged, pager_command

            self._output = Paged(pager_command(), pause)

    def _put(self, piece: str) -> None:
        self._attempt(lambda: self._output.write(piece))
        self.has_written = True

    def _finish(self) -> None:
        self._attempt(self._output.finish)

    def _attempt(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            discard_stdout()
            raise OutputLost(f"can't write the result: {error.strerror}") from error

    @property
    def readers_descriptor(self) -> int | None:
        """The pipe or socket whose reader may leave; None where all goes to a file or a screen."""
        descriptor: int | None = self._output.descriptor if self._output else None
        if descriptor is None:
            return None
        mode = os.fstat(descriptor).st_mode
        return descriptor if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None

    def _pieces(self, result: Any, extra: dict[str, Any]) -> Iterator[str]:
        from dbctl.cli.render.sheets import is_text

        writers: dict[type, Callable[..., Iterator[str]]]
        writers = {Live: self._on_board, Charted: self._charted, Frames: self._live, Gathered: self._gathered}
        for kind, write in writers.items():
            if isinstance(result, kind):
                return write(result, extra)
        if self._format in {Format.TABLE, Format.TSV} and isinstance(result, list | tuple | Iterator):
            items = iter(result)
            first = next(items, None)
            result = () if first is None else chain([first], items)
            if is_text(first):
                return map(self._text, result)
        if isinstance(result, Results | Single):
            return self._several(result, extra)
        if isinstance(result, Sections) and self._format is not Format.JSON:
            from dbctl.cli.render import sections

            if self._format is Format.TABLE:
                return sections.blocks(result, self._screen, self._function)
            return self._sheet(sections.rows_of(result), extra)
        return self._sheet(result, extra)

    def _on_board(self, result: Live[Any], extra: dict[str, Any]) -> Iterator[str]:
        """Show a live screen, and below what was there before what is left to be shown; elsewhere rows alone."""
        if not self._draws_over:
            yield from self._live(result, extra)
            result.conclude()
            return
        from dbctl.cli.render import dashboard

        self._attempt(lambda: dashboard.show(result, self._screen, self._output))
        if (rest := result.conclude()) is not None:
            yield from self._pieces(rest, extra)

    def _charted(self, result: Charted, extra: dict[str, Any]) -> Iterator[str]:
        yield from self._pieces(result.result, extra)
        if self._format is Format.TABLE:
            from dbctl.cli.render import charts

            yield from charts.drawn(result.charts, self._screen)

    def _gathered(self, result: Gathered, _extra: dict[str, Any]) -> Iterator[str]:
        first = next(result.values, None)
        parts = chain(() if first is None else [first], result.values)
        if first is not None and first.text:
            return (_lines(part.text) for part in parts)
        return self._sheet(Gathered(result.title, parts, result.whole), {})

    def _several(self, result: Results | Single, extra: dict[str, Any]) -> Iterator[str]:
        from dbctl.cli.render import several

        if isinstance(result, Single):
            return several.bare(result, self._format, on_terminal=self._on_terminal)
        if self._format is Format.JSON:
            return several.array(result, extra, ascii_only=self._ascii_only)
        return several.blocks(result, self._format, lambda rows: self._sheet(rows, extra), extra)

    def refuse(self, result: Any) -> None:
        """Refuse a result that its format can't show, while there is still time to.

        Raises:
            UsageError: It is several results with rows, and the format has one header.
        """
        if isinstance(result, Results) and self._format in {Format.CSV, Format.TSV} and not self._silent:
            from dbctl.cli.render import several

            several.refuse_more_than_one(result, self._format)

    def _live(self, result: Frames[Any], extra: dict[str, Any]) -> Iterator[str]:
        """Draw each frame over the last one on a screen that can; else write all rows, and what is new to be said."""
        from dbctl.cli.render import live

        if self._draws_over:
            return live.screens(result, lambda rows: "".join(self._sheet(rows, extra)), self._screen)
        return self._sheet(live.saying(result), extra)

    def _left_by_key(self, result: Any) -> AbstractContextManager[None]:
        if not (isinstance(result, Frames) and self._draws_over):
            return nullcontext()
        from dbctl.cli.render import live

        return live.left_by_key(result)

    @property
    def _draws_over(self) -> bool:
        """Whether what is shown may take the place of what was."""
        return self._on_terminal and self._format is Format.TABLE and os.environ.get("TERM") != "dumb"

    def _sheet(self, result: Any, extra: dict[str, Any]) -> Iterator[str]:
        from dbctl.cli.render import delimited, json_text
        from dbctl.cli.render.sheets import sheet_of

        people, flat = self._format is Format.TABLE, self._format not in {Format.JSON, Format.JSONL}
        sheet = sheet_of(result, self._function, extra, flat=flat, people=people)
        match self._format:
            case Format.JSON:
                return json_text.array(sheet, ascii_only=self._ascii_only)
            case Format.JSONL:
                return json_text.lines(sheet, ascii_only=self._ascii_only)
            case Format.CSV:
                return delimited.csv_text(sheet, on_terminal=self._on_terminal)
            case Format.TSV:
                return delimited.tsv_text(sheet)
        from dbctl.cli.render.table import table

        return table(sheet, self._screen)

    @property
    def _screen(self) -> Any:
        from dbctl.cli.render.screen import Screen

        return Screen(
            shutil.get_terminal_size().columns if self._on_terminal else None,
            self._on_terminal and colours(),
            ascii_only=self._ascii_only or in_c_locale(),
        )

    def _text(self, item: PlainText) -> str:
        if not (isinstance(item, Markdown) and self._on_terminal and self._format is Format.TABLE):
            return f"{_lines(str(item))}\n"
        from dbctl.cli.markdown import laid_out

        return laid_out(str(item), shutil.get_terminal_size().columns, styled=colours())


def _lines(text: str) -> str:
    return "".join(part if part in "\n\t" else visible(part) for part in re.split(r"([\n\t])", text))
