"""What to say of an error that foreign code has raised: in one line, and without the values that it was about.

A settings class that lacks one variable prints all the others, and among them the password. So an error that lists
fields is told by their names; and in the words of any other what an environment variable holds is told by the
variable's name, and what else came from outside is left out.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from linecache import getlines
from types import TracebackType
from typing import Any

_LONGEST = 300
"""Characters of a foreign message."""

_SHORTEST = 4
"""Characters of a variable's value below which it is no secret, and might be any word's part."""

_SHOWN_FIELDS = 20

_USER_IN_URL = re.compile(r"(?<=://)[^/\s'\"]*@|(?<=://)[^/\s'\"@]*:[^/\s'\"]*@")
_PASSWORD_BESIDE = re.compile(r"(?i)((?:password|passwd|pwd|secret|token|api_?key)['\"]?\s*[=:]\s*)\S+")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+(?=>)")
_QUOTED = re.compile(r"""(['"])((?:\\.|(?!\1).)*)\1""")


class Foreign(Exception):
    """Stands for a foreign error in a traceback: where it was raised, and what may be said of it."""


def described(error: BaseException) -> str:
    """Return what an error says, on one line: its type, the names of the fields that are wrong, or its words.

    Args:
        error: What foreign code raised. None of its attributes is trusted to be what it should.
    """
    name = type(error).__name__
    if (fields := _fields(error)) is not None:
        title = _text(getattr(error, "title", "") or "")
        return f"{name}{f' of {title}' if title.isidentifier() else ''}: {fields}"
    words = _words(error)
    if isinstance(error, BaseExceptionGroup) and error.exceptions:
        words = f"{words}, the first of which is {described(error.exceptions[0])}"
    return f"{name}: {words}" if words else name


def place_of(error: BaseException) -> str:
    """Return the file and the line that raised an error, the last that is no library's; "" where there is none."""
    if isinstance(error, SyntaxError):
        return ""  # it says so itself
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_services(frame.filename)]
    if not frames:
        return ""
    name = frames[-1].filename
    with suppress(OSError, ValueError):  # the working directory may be gone
        name = min(name, os.path.relpath(name), key=len)
    return f"{name}, line {frames[-1].lineno}"


def stand_in(error: BaseException) -> Foreign:
    """Return what is shown in the error's place where a traceback is asked for: it ends with what may be said."""
    return Foreign(described(error)).with_traceback(error.__traceback__)


def _is_services(filename: str) -> bool:
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parts = filename.split(os.sep)
    return (
        os.path.isabs(filename)
        and not filename.startswith(here + os.sep)
        and not {"site-packages", "dist-packages"} & set(parts)
        and os.path.dirname(os.__file__) not in filename
    )


def _fields(error: BaseException) -> str | None:
    """Return the names of the fields that a validation found wrong, as pydantic and its like list them."""
    try:
        # Pydantic's own is asked for no values: some cannot be built.
        listing: Any = getattr(error, "errors", None)
        if not callable(listing):
            return None
        try:
            found = listing(include_url=False, include_context=False, include_input=False)
        except TypeError:
            found = listing()
        named = [(".".join(str(part) for part in one["loc"]), str(one.get("type", ""))) for one in found]
    except Exception:
        return None
    lines = [f"{where or 'the whole of it'} {_kind(kind)}".strip() for where, kind in named]
    more = len(lines) - _SHOWN_FIELDS
    return ", ".join(lines[:_SHOWN_FIELDS]) + (f" and {more} more" if more > 0 else "")


def _kind(kind: str) -> str:
    """Say in words what is wrong with a field: pydantic's types of errors hold no values."""
    if kind in {"missing", "value_error.missing"}:
        return "is missing"
    if kind in {"extra_forbidden", "value_error.extra"}:
        return "is not known"
    return f"is wrong ({kind})" if kind.replace("_", "").replace(".", "").isalnum() else "is wrong"


def _words(error: BaseException) -> str:
    original = getattr(error, "orig", None)
    # SQLAlchemy adds the statement and its parameters, and a database the row, on further lines.
    text = _text(original).partition("\n")[0] if isinstance(original, BaseException) else _text(error)
    text = " ".join(text.split())
    if isinstance(error, ImportError | SyntaxError | NameError | AttributeError | ArithmeticError | SystemExit):
        return _shortened(text)  # they speak of names
    text = _PASSWORD_BESIDE.sub(r"\1…", _USER_IN_URL.sub("…@", _named(text, os.environ)))
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        text = _without_data(text, error.__traceback__)
    return _shortened(text)


def _text(value: object) -> str:
    try:
        return _ADDRESS.sub("", str(value))
    except Exception:
        return ""


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _named(text: str, environ: Mapping[str, str]) -> str:
    """Put variables' names in the place of what they hold, the longest first; a path is no secret, and a help."""
    for name, value in sorted(environ.items(), key=lambda item: -len(item[1])):
        if len(value) >= _SHORTEST and not value.startswith("/") and value.lower() not in {"true", "false", "none"}:
            for form in dict.fromkeys((value, repr(value)[1:-1], " ".join(value.split()))):
                if form:
                    text = re.sub(rf"(?<![\w$]){re.escape(form)}(?!\w)", lambda _, name=name: f"${name}", text)  # type: ignore[misc]
    return text


def _without_data(text: str, trace: TracebackType | None) -> str:
    """Leave out what is quoted and stands in none of the lines of code that led to the error: it came from outside."""
    code = "\n".join(_code(trace))

    def kept(match: re.Match[str]) -> str:
        inner = match[2]
        known = not inner or inner.startswith("$") or re.search(rf"(?<!\w){re.escape(inner)}(?!\w)", code)
        return match[0] if known else f"{match[1]}…{match[1]}"

    return _QUOTED.sub(kept, text)


def _code(trace: TracebackType | None) -> Iterator[str]:
    for name in dict.fromkeys(frame.filename for frame in traceback.extract_tb(trace)):
        yield "".join(getlines(name))
