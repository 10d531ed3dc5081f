"""What PostgreSQL tells of an expression, in the words in which it would tell it of a database that was restored.

It words an expression as it has read it, and reads its own words otherwise than it was told: `s IN ('a', 'b')` on a
varchar is an array that is cast, and then an array of what is cast; what `BETWEEN` stands for is an AND within an AND,
and then part of it. https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CATALOG
"""

from __future__ import annotations

import re
from typing import Any

_TEXT = r"'(?:[^']|'')*'"
_VARCHAR = rf"{_TEXT}::character varying"
_ARRAY_AS_TEXT = re.compile(rf"\(ARRAY\[({_VARCHAR}(?:, {_VARCHAR})*)\]\)::text\[\]")
_BARE_ARRAY_AS_TEXT = re.compile(rf"ARRAY\[({_VARCHAR}(?:, {_VARCHAR})*)\]::text\[\]")
_EACH_AS_TEXT = re.compile(rf"\(({_TEXT})::character varying\)::text|({_TEXT})::character varying::text")
_TOKENS = re.compile(rf"{_TEXT}|\"(?:[^\"]|\"\")*\"|[()]| (?:AND|OR) |[^'\"() ]+| |.", re.DOTALL)
_JOINING = (" AND ", " OR ")
_DEEPEST = 200
"""Parentheses within each other up to which words are looked into."""


def as_read_again(words: str) -> str:
    """Return words of the server's in one form, before it has read them and after that.

    Args:
        words: An expression, or a definition with some in it.
    """
    if "::character varying" in words:
        for array in (_ARRAY_AS_TEXT, _BARE_ARRAY_AS_TEXT):
            words = array.sub(lambda found: f"ARRAY[{found[1].replace('::character varying', '::text')}]", words)
        words = _EACH_AS_TEXT.sub(lambda found: f"{found[1] or found[2]}::text", words)
    return _text(_flat(_tree(words))) if "((" in words and any(word in words for word in _JOINING) else words


def _tree(words: str) -> list[Any]:
    """Return tokens, with a list for what is between parentheses."""
    open_lists: list[list[Any]] = [[]]
    for token in _TOKENS.findall(words):
        if token == "(":
            open_lists.append([])
            if len(open_lists) > _DEEPEST:
                return [words]
        elif token == ")" and len(open_lists) > 1:
            closed = open_lists.pop()
            open_lists[-1].append(closed)
        else:
            open_lists[-1].append(token)
    while len(open_lists) > 1:  # of a text that is no expression
        unclosed = open_lists.pop()
        open_lists[-1] += ["(", *unclosed]
    return open_lists[0]


def _flat(tree: list[Any]) -> list[Any]:
    """Return it with an AND that is the first part of an AND as parts of that, and with OR likewise."""
    parts = [_flat(one) if isinstance(one, list) else one for one in tree]
    if len(parts) > 1 and isinstance(parts[0], list) and {one for one in parts[0] if one in _JOINING} == {parts[1]}:
        return [*parts[0], *parts[1:]]
    return parts


def _text(tree: list[Any]) -> str:
    return "".join(f"({_text(one)})" if isinstance(one, list) else one for one in tree)
