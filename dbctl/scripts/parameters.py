"""The values of a script's parameters, as they are typed: `name=value` is a text, `name:number=value` a number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dbctl.errors import UsageError

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_TRUTHS = {"true": "TRUE", "yes": "TRUE", "1": "TRUE", "false": "FALSE", "no": "FALSE", "0": "FALSE"}


class Word(str):
    """A value that stands in SQL as it is, and not as a text within quotes."""

    __slots__ = ()


def parameters_of(said: Sequence[str]) -> Mapping[str, str]:
    """Return the values by their names; those that are no texts are `Word`s.

    Args:
        said: Each as `NAME=VALUE`, or `NAME:TYPE=VALUE` with text, number, bool or null.

    Raises:
        UsageError: One is none of these, or is there twice.
    """
    found: dict[str, str] = {}
    for word in said:
        head, equals, value = word.partition("=")
        name, colon, kind = head.partition(":")
        if not equals or not name.isidentifier():
            raise UsageError(f"--param {word} is no parameter", "write NAME=VALUE, or NAME:TYPE=VALUE")
        if name in found:
            raise UsageError(f"--param {name} is given twice", "give it once")
        found[name] = _typed(head, kind, value) if colon else value
    return found


def _typed(head: str, kind: str, value: str) -> str:
    match kind:
        case "text":
            return value
        case "number":
            if not _NUMBER.fullmatch(value):
                raise UsageError(f"--param {head}: {value!r} is no number")
            return Word(f"({value})" if value.startswith(("-", "+")) else value)  # two hyphens would begin a comment
        case "bool":
            if value.lower() not in _TRUTHS:
                raise UsageError(f"--param {head}: {value!r} is neither true nor false")
            return Word(_TRUTHS[value.lower()])
        case "null":
            if value:
                raise UsageError(f"--param {head}: NULL has no value", f"write {head}=")
            return Word("NULL")
    raise UsageError(f"--param {head}: there is no type {kind}", "say text, number, bool or null")
