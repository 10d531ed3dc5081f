"""The results of several profiles as one: rows with the profile before their columns, or a block of text a profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dbctl.cli.choices import Format
from dbctl.cli.outcome import current
from dbctl.cli.render.sheets import is_text, sheet_of
from dbctl.errors import UsageError
from dbctl.results import Frames, Part, PlainText, Results, Rows, Sections, Single, Unshown, told_apart

TITLE = "profile"
"""The column that tells whose a row is."""


class Reader:
    """Takes results apart, in the thread of whom they are of.

    Args:
        function: The command function.
        format: How they are written.
        extra: Values to add to each row, by column.
    """

    def __init__(self, function: Callable[..., Any], format: Format, extra: dict[str, Any]) -> None:
        self._function, self._format, self._extra = function, format, extra
        self._flat = format not in {Format.JSON, Format.JSONL}
        self._columns: dict[str, tuple[str, ...]] = {}
        self.header: tuple[str, ...] = ()
        """The columns that rows would have, where the format has a header and no row has come."""

    def parts(self, whose: str, result: Any) -> Iterator[Part]:
        """Yield the parts of a profile's result, as they are drawn.

        Raises:
            UsageError: It is of a kind that has no place among others, or has other columns than those before it.
        """
        if result is None:
            return
        for each in self._plain(result):
            if isinstance(each, list | tuple) and each and is_text(each[0]) and self._flat:
                yield Part(whose, text=f"-- {whose}\n" + "".join(f"{item}\n" for item in each))
                continue
            sheet = sheet_of(each, self._function, self._extra, flat=self._flat, people=self._format is Format.TABLE)
            if self._format in {Format.CSV, Format.TSV} and sheet.columns:
                self.header = told_apart((TITLE, *sheet.columns))
            for batch in sheet.batches:
                columns = told_apart((TITLE, *batch.columns))
                self._refuse_others(whose, columns)
                current().count(len(batch.rows))
                yield Part(whose, columns, [(whose, *row) for row in batch.rows])
        if isinstance(result, Rows | Results):
            result.conclude()

    def refuse(self, result: Any) -> None:
        """Refuse what has no place among others' results, while there is still time to.

        Raises:
            UsageError: It is several results with rows, or is shown again and again.
        """
        if isinstance(result, Frames):
            raise UsageError("what is shown again and again is of one profile", "name one")
        if isinstance(result, Results) and sum(one.rows is not None for one in result.values) > 1:
            raise _several_results()

    def _plain(self, result: Any) -> Iterator[Any]:
        """Yield what rows can be read of, one after the other as it is drawn."""
        if isinstance(result, Results):
            seen = False
            for one in result.values:
                if one.rows is not None:
                    if seen:
                        raise _several_results()
                    seen = True
                    yield one.rows
        elif isinstance(result, Single):
            yield Rows(["value"], [[result.value]])
        elif isinstance(result, Sections) and self._flat:
            from dbctl.cli.render.sections import rows_of

            yield rows_of(result)
        elif not isinstance(result, Unshown):
            self.refuse(result)
            yield [result] if isinstance(result, PlainText) else result

    def _refuse_others(self, whose: str, columns: tuple[str, ...]) -> None:
        """Refuse other columns than those before where all rows have one header."""
        first, known = next(iter(self._columns.items()), (whose, columns))
        self._columns.setdefault(first, known)
        if self._flat and columns != known:
            raise UsageError(
                f"the columns differ from those of {first}, and only JSON can show both", "say --output jsonl"
            )


def _several_results() -> UsageError:
    return UsageError("several statements return rows, and several profiles are named", "say one statement")
