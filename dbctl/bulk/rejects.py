"""Rows that can't be loaded: told one by one, and written to a file, from which they can be imported when mended."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dbctl.backends.bulk_texts import tab_separated
from dbctl.bulk.bad_rows import Bad
from dbctl.bulk.columns import OF_REJECTS
from dbctl.bulk.terms import rows_in_words
from dbctl.errors import Conflict, NoSpace, UsageError

_TOLD = 10
"""How many of them are told by themselves."""

_LONGEST = 80
"""Characters of a value that are told."""

_log = logging.getLogger(__name__)


class Rejects:
    """Takes the rows that can't be loaded; a block, at whose end the file has its name.

    Args:
        path: The file, or None.
        most: How many there may be.
        masked: Whether their values are not told.

    Raises:
        UsageError: There is such a file already, it can't be written, or its name says a format that is not written.
        NoSpace: There is no room for it any more.
    """

    def __init__(self, path: str | None, most: int, *, masked: bool) -> None:
        self._path = Path(path).expanduser() if path else None
        self._ending = self._path.suffix.lower() if self._path else ""
        if self._ending in {".gz", ".zst", ".json", ".parquet"}:
            raise UsageError(f"--rejects {path}: it is no {self._ending}", "name it .csv, .tsv or .jsonl")
        self._most, self._masked = most, masked
        self.count = 0
        self._file: IO[str] | None = None
        self._names: Sequence[str] | None = None

    def __enter__(self) -> Rejects:
        """Open the file under another name."""
        if self._path is not None:
            if os.path.lexists(self._path):
                raise UsageError(
                    f"{self._path} is there already, and is not replaced", "name another file for --rejects"
                )
            try:
                descriptor = os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            except OSError as error:
                raise UsageError(f"{self._path}: it can't be written: {error.strerror}") from error
            self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the file its name; where there was nothing to write there is none."""
        if self._file is not None and self._path is not None:
            whole = False
            try:
                with self._room():
                    self._file.close()
                    whole = self.count > 0 and (kind is None or issubclass(kind, Conflict))
            finally:
                if whole:
                    self._unfinished.rename(self._path)
                else:
                    self._unfinished.unlink()

    @property
    def _unfinished(self) -> Path:
        assert self._path is not None
        return self._path.with_name(f".{self._path.name}.unfinished")

    def take(self, bad: Bad) -> None:
        """Take note of a row.

        Raises:
            Conflict: There are more than there may be.
        """
        self.count += 1
        text = told(bad, masked=self._masked)
        if self._most == 0:
            raise Conflict(text)
        if self._file is not None:
            with self._room():
                self._write(self._file, bad)
        if self.count > self._most:
            raise Conflict(f"more than {rows_in_words(self._most)} can't be loaded; the last is {text}")
        if self.count <= _TOLD:
            _log.warning("%s", text)

    def conclude(self) -> None:
        """Tell how many there were."""
        if self.count:
            are = "is" if self.count == 1 else "are"
            where = f", and {are} in {self._path}" if self._path else ""
            _log.warning("%s can't be loaded%s", rows_in_words(self.count), where)

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NoSpace(
                f"{self._path}: it can't be written: {error.strerror or error}; nothing is left of it"
            ) from error

    def _write(self, file: IO[str], bad: Bad) -> None:
        row = dict(zip(bad.names, [*bad.values, *[None] * len(bad.names)], strict=False))
        why = [bad.file, str(bad.line) if bad.line is not None else None, bad.column, bad.reason]
        if self._ending == ".jsonl":
            file.write(json.dumps(row | dict(zip(OF_REJECTS, why, strict=True)), ensure_ascii=False) + "\n")
            return
        line = _tab_separated if self._ending == ".tsv" else _line
        if self._names is None:
            self._names = bad.names
            file.write(line([*bad.names, *OF_REJECTS]))
        if set(self._names) != set(bad.names):
            raise UsageError(
                f"{bad.file} has rows of other columns", "name a file .jsonl for --rejects, that may have both"
            )
        file.write(line([*(row[name] for name in self._names), *why]))


def _tab_separated(values: Sequence[Any]) -> str:
    return tab_separated([[value] for value in values]).decode()


def _line(values: Sequence[Any]) -> str:
    return ",".join(map(_cell, values)) + "\n"


def _cell(value: Any) -> str:
    """Return a value as CSV has it, where nothing is NULL and the empty text is quoted."""
    if value is None:
        return ""
    text = str(value)
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if not text or re.search('[,"\r\n]', text) else text


def told(bad: Bad, *, masked: bool) -> str:
    """Return which row it is, and why it can't be loaded.

    Args:
        bad: The row.
        masked: Whether no value of it is told.
    """
    known = bad.through in {None, bad.line}
    place = f"{bad.counted} {bad.line}" if known else f"one of the {bad.counted}s {bad.line} to {bad.through}"
    parts = [bad.file, place]
    if bad.column is not None:
        parts.append(f"column {bad.column}")
    reason = (bad.bare or _without_values(bad)) if masked else bad.reason
    if bad.value is None or masked:
        return f"{', '.join(parts)}: {reason}"
    value = str(bad.value)
    said = reason.removesuffix(f': "{value}"')
    value = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    return f'{", ".join(parts)}: "{value}": {said}'


def _without_values(bad: Bad) -> str:
    """Return the reason without what the row holds."""
    text = re.sub(r": (?:Key|DETAIL|Failing row) .*\Z", "", bad.reason, flags=re.DOTALL)
    if bad.through not in {None, bad.line}:  # of whichever row it speaks
        text = re.sub(r"(['\"]).*\1", "…", text, flags=re.DOTALL)
    for value in sorted({str(value) for value in (*bad.values, *bad.given) if value}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", text)
    return text
