"""Editing a profile file's text in place: what an edit does not name keeps its comments and its layout.

Whatever an edit makes of the text is read again and compared with what was meant, before anybody sees it.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dbctl.profiles.statements import (
    Data,
    Keys,
    comments_above,
    cut,
    holder,
    newline,
    refusal,
    scan,
    section,
    written,
    written_key,
)  # fmt: skip
from dbctl.records import record


class Edit(Protocol):
    """One change of a file, said twice: of what it means, and of how it is written."""

    def in_data(self, data: Data) -> Data:
        """Return what the file shall mean."""

    def in_text(self, text: str) -> str:
        """Return what shall stand in the file."""


def edited(text: str, edits: Sequence[Edit]) -> str:
    """Return the text after all edits.

    Raises:
        ConfigError: An edit can't be made without rewriting what it does not name.
    """
    for edit in edits:
        intended = edit.in_data(tomllib.loads(text))
        text = edit.in_text(text)
        try:
            same = _pruned(tomllib.loads(text)) == _pruned(intended)
        except tomllib.TOMLDecodeError:
            same = False
        if not same:
            raise refusal("it is written in a way that can't be changed line by line")
    return text


@record
class Append:
    """Add a table at the end of the file."""

    path: Keys
    table: Data

    def in_data(self, data: Data) -> Data:
        """Return the data with the table."""
        return _with(data, self.path, self.table)

    def in_text(self, text: str) -> str:
        """Return the text with the table at its end."""
        import tomli_w

        if inline_table := holder(text, self.path):
            return inline_table.rewritten(text, lambda inline, rest: _with(inline, rest, self.table))
        nested: Data = self.table
        for key in reversed(self.path):
            nested = {key: nested}
        ended = text if not text or text.endswith("\n") else text + newline(text)
        gap = newline(text) if ended and not re.search(r"\n[ \t]*\r?\n\Z", ended) else ""
        return ended + gap + tomli_w.dumps(nested).replace("\n", newline(text))


@record
class Set:
    """Give a key a value."""

    path: Keys
    value: Any

    def in_data(self, data: Data) -> Data:
        """Return the data with the value."""
        return _with(data, self.path, self.value)

    def in_text(self, text: str) -> str:
        """Return the text with the value where the old one was, or at the end of the nearest table."""
        if inline_table := holder(text, self.path):
            return inline_table.rewritten(text, lambda inline, rest: _with(inline, rest, self.value))
        statements = list(scan(text))
        for found in statements:
            if found.path == self.path and not found.is_header:
                return found.replaced(text, self.value)
        header = max((s for s in statements if s.opens(self.path)), key=lambda s: len(s.path), default=None)
        table = header.path if header else ()
        body = [s for s in statements if s.table is header and not s.is_header]
        near = max(body, key=lambda s: (_shared(s.path, self.path), s.start), default=None)
        if len(self.path) > 2 and max(len(table), _shared(near.path, self.path) if near else 0) < 2:
            return Append(self.path[:-1], {self.path[-1]: self.value}).in_text(text)
        line = f"{'.'.join(map(written_key, self.path[len(table) :]))} = {written(self.value)}{newline(text)}"
        if anchor := near or header:
            return anchor.followed_by(text, line)
        if not statements:
            return Append(self.path[:-1], {self.path[-1]: self.value}).in_text(text)
        first = comments_above(text, statements, statements[0])
        return text[:first] + line + newline(text) + text[first:]


@record
class Remove:
    """Take a key or a table away, with its tables below it and the comments that are its own.

    Those are the ones within a table, and directly above its heading or directly below its last line.
    """

    path: Keys

    def in_data(self, data: Data) -> Data:
        """Return the data without it."""
        return _without(data, self.path)

    def in_text(self, text: str) -> str:
        """Return the text without it."""
        if inline_table := holder(text, self.path):
            return inline_table.rewritten(text, _without)
        statements = list(scan(text))
        within = [s for s in statements if s.path[: len(self.path)] == self.path]
        # What stands in a table that goes as a whole goes with it.
        gone = [s for s in within if s.table not in within]
        for start, end in [section(text, statements, s) if s.is_header else (s.start, s.end) for s in reversed(gone)]:
            text = cut(text, start, end)
        return text


def _shared(one: Keys, other: Keys) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _with(data: Data, path: Keys, value: Any) -> Data:
    key, *rest = path
    if not rest:
        return {**data, key: value}
    inner = data.get(key, {})
    if not isinstance(inner, Mapping):
        raise refusal(f"{key} is no table")
    return {**data, key: _with(inner, tuple(rest), value)}


def _without(data: Data, path: Keys) -> Data:
    key, *rest = path
    if key not in data or (rest and not isinstance(data[key], Mapping)):
        raise refusal(f"{key} is not there")
    kept = {other: value for other, value in data.items() if other != key}
    return {**data, key: _without(data[key], tuple(rest))} if rest else kept


def _pruned(value: Any, path: Keys = ()) -> Any:
    """Leave out empty tables, which mean nothing, except that an empty profile is one."""
    if not isinstance(value, Mapping):
        return value
    inner = {key: _pruned(item, (*path, key)) for key, item in value.items()}
    return {key: item for key, item in inner.items() if item != {} or path == ("profiles",)}
