"""The statements of a TOML text: where each begins and ends, so that one can be changed and all else left as it is.

The text is TOML 1.0 (https://toml.io/en/v1.0.0) that `tomllib` has read already, so nothing here has to judge it.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dbctl.errors import ConfigError
from dbctl.records import record

Data = Mapping[str, Any]
Keys = tuple[str, ...]

_BASIC = r'"(?:\\.|[^"\\\n])*"'
_LITERAL = r"'[^'\n]*'"
_PART = rf"(?:[\w-]+|{_BASIC}|{_LITERAL})"
_KEY = re.compile(rf"[ \t]*({_PART}(?:[ \t]*\.[ \t]*{_PART})*)[ \t]*", re.ASCII)
_TOKEN = re.compile(
    rf"""\"\"\"(?:\\.|[^\\])*?\"{{3,5}} | '''.*?'{{3,5}} | {_BASIC} | {_LITERAL}  # strings, the long ones first
    | \#[^\n]* | [\[\]{{}}\n] | [^"'\#\[\]{{}}\n]+""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_LINE = re.compile(r"[ \t]*#.*")


@record
class Statement:
    """A heading, or a key with its value; offsets are those of its lines, and of the value alone."""

    path: Keys
    start: int
    end: int
    table: "Statement | None" = None
    value: tuple[int, int] = (0, 0)

    @property
    def is_header(self) -> bool:
        """Whether it is a heading."""
        return self.value == (0, 0)

    def opens(self, path: Keys) -> bool:
        """Tell whether it is the heading of a table above this path."""
        return self.is_header and self.path == path[: len(self.path)] and self.path != path

    def replaced(self, text: str, value: Any) -> str:
        """Return the text with another value here."""
        start, end = self.value
        if any(token[0].startswith("#") for token in _TOKEN.finditer(text, start, end)):
            raise refusal(f"there are comments within {'.'.join(self.path)} that would be lost")
        return text[:start] + written(value) + text[end:]

    def followed_by(self, text: str, line: str) -> str:
        """Return the text with a line below this one, indented as it is."""
        own = text[self.start : self.end]
        indent = own[: len(own) - len(own.lstrip(" \t"))]
        ended = "" if own.endswith("\n") else newline(text)
        return text[: self.end] + ended + indent + line + text[self.end :]


@record
class Holder:
    """The statement whose inline table holds a path, and what of the path lies within it."""

    statement: Statement
    rest: Keys

    def rewritten(self, text: str, change: Callable[[Data, Keys], Data]) -> str:
        """Return the text with the inline table changed."""
        start, end = self.statement.value
        inline = tomllib.loads(f"inline = {text[start:end]}")["inline"]
        if not isinstance(inline, dict):
            raise refusal(f"{'.'.join(self.statement.path)} is no table")
        return self.statement.replaced(text, change(inline, self.rest))


def holder(text: str, path: Keys) -> Holder | None:
    """Return the inline table that a path leads into, if there is one."""
    for found in scan(text):
        size = len(found.path)
        if not found.is_header and size < len(path) and found.path == path[:size]:
            return Holder(found, path[size:])
    return None


def scan(text: str) -> Iterator[Statement]:
    """Find the statements of a text."""
    position, table = 0, None
    while position < len(text):
        start, position = position, _line_end(text, position)
        line = text[start:position].lstrip(" \t")
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            brackets = text.index("[", start) + (2 if line.startswith("[[") else 1)
            table = Statement(_path(text, brackets)[0], start, position)
            yield table
        else:
            path, after = _path(text, start)
            value = re.compile(r"=[ \t]*").match(text, after)
            assert value is not None, "the text is TOML"
            end = _value_end(text, value.end())
            position = _line_end(text, end)
            inside = table.path if table else ()
            yield Statement(inside + path, start, position, table, (value.end(), end))


def _path(text: str, position: int) -> tuple[Keys, int]:
    """Return the key that begins here, and where it ends."""
    match = _KEY.match(text, position)
    assert match is not None, "the text is TOML"
    table: Any = tomllib.loads(f"{match[1]} = 0")
    path: list[str] = []
    while isinstance(table, dict):
        [(key, table)] = table.items()
        path.append(key)
    return tuple(path), match.end()


def _value_end(text: str, start: int) -> int:
    end, depth = start, 0
    for token in _TOKEN.finditer(text, start):
        if depth == 0 and token[0].startswith(("\n", "#")):
            break
        depth += (token[0] in {"[", "{"}) - (token[0] in {"]", "}"})
        end = token.end()
    return start + len(text[start:end].rstrip())


def _line_end(text: str, position: int) -> int:
    return text.find("\n", position) + 1 or len(text)


def section(text: str, statements: Sequence[Statement], header: Statement) -> tuple[int, int]:
    """Return where a table begins and ends, with the comments that are its own."""
    end = max([header.end, *(s.end for s in statements if s.table is header)])
    below = end
    while _COMMENT_LINE.match(text, below):
        below = _line_end(text, below)
    if any(s.is_header and s.start == below for s in statements):
        below = end  # they are the next table's
    return comments_above(text, statements, header) or header.start, below


def comments_above(text: str, statements: Sequence[Statement], found: Statement) -> int:
    """Return where the comments directly above a statement begin."""
    above = max((s.end for s in statements if s.end <= found.start), default=0)
    start = found.start
    while start > above and _COMMENT_LINE.match(text, previous := text.rfind("\n", 0, start - 1) + 1):
        start = previous
    return start


def cut(text: str, start: int, end: int) -> str:
    """Return the text without a part, and without the empty lines that would be left double."""
    before, after = text[:start], text[end:]
    if re.search(r"(\A|\n[ \t]*\r?\n)\Z", before):
        after = re.sub(r"\A([ \t]*\r?\n)+", "", after)
    if not after:
        before = re.sub(r"(\n)([ \t]*\r?\n)+\Z", r"\1", before)
    return before + after


def written_key(part: str) -> str:
    """Write a part of a key, quoted where it has to be."""
    import tomli_w

    return tomli_w.dumps({part: 0}).removesuffix(" = 0\n")


def written(value: Any) -> str:
    """Write a value as it stands behind a key, on one line."""
    import tomli_w

    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{written_key(key)} = {written(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").removesuffix("\n")


def newline(text: str) -> str:
    """Return how the text ends its lines."""
    return "\r\n" if "\r\n" in text else "\n"


def refusal(reason: str) -> ConfigError:
    """Return the error for what a person has to do."""
    return ConfigError(f"can't be edited in place: {reason}", "change it with: dbctl profiles edit")
