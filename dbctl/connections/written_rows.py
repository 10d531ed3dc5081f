"""Rows that a program writes as JSON, which are a fleet's profiles."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.errors import ConfigError, OutOfTime

if TYPE_CHECKING:
    from dbctl.profiles.fleets import Fleet
    from dbctl.profiles.rows import Row

_TO_WRITE = 60.0
"""Seconds that a program may take to write its rows: it may have to ask a cloud."""

_MOST = 64 * 2**20
"""Bytes: what is longer is no list of profiles, and may have no end."""

_SAID = 300
"""Characters of what a failing program has said that are told."""

_LEVELS = 3
"""How deep a row may be nested: itself, a table in it such as `query`, and a list in that."""


def rows_written(fleet: Fleet) -> Sequence[Row]:
    """Run a fleet's program, and return the rows that it writes.

    Raises:
        ConfigError: It fails, or writes something else.
        OutOfTime: It takes too long.
    """
    from dbctl.runtime.children import SaidTooMuch, TookTooLong, output_of

    program = fleet.command[0]
    try:
        # One that is named by its place stands beside the profile file, wherever dbctl is run.
        path = os.path.join(fleet.path.parent.absolute(), program) if os.sep in program else program
        done = output_of([path, *fleet.command[1:]], _TO_WRITE, _MOST)
    except TookTooLong:
        raise OutOfTime(f"{fleet.origin}: {program} took longer than {_TO_WRITE:g} s") from None
    except SaidTooMuch:
        raise ConfigError(f"{fleet.origin}: what {program} writes is longer than any list of profiles") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{fleet.origin}: can't run {program}: {why}") from error
    if done.code:
        said = " ".join(done.err.decode(errors="replace").split())[-_SAID:]
        raise ConfigError(f"{fleet.origin}: {program} failed with exit code {done.code}: {said}".rstrip(": "))
    return [*_rows_in(f"{fleet.origin}: what {program} writes", done.out)]


class _Twice(ValueError):
    """An object has a key twice; the text says which."""


def _rows_in(what: str, content: bytes) -> Iterator[Row]:
    """Yield the objects of an array, or of lines; what is wrong with them is told by its place, for it may be secret.

    Raises:
        ConfigError: They are none.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{what} is not UTF-8 text") from None
    if text.lstrip().startswith("["):
        said = _read(what, text, 1)
    else:  # no splitlines: that would end a line inside of a text too
        said = [_read(what, line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, row in enumerate(said, 1):
        if not isinstance(row, Mapping):
            raise ConfigError(f"{what} is no list of objects: the one at {number} is none")
        if _is_deeper(row, _LEVELS):
            raise ConfigError(f"{what} is no list of profiles: the one at {number} is nested deeper than one may be")
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{what} is no text: the object at {number} has one half of a surrogate pair") from None
        yield row


def _read(what: str, text: str, first: int) -> Any:
    """Return a text of JSON, which begins in the line of a number."""
    where = "it" if text.lstrip().startswith("[") else f"line {first}"
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        place = f"{what} is not JSON: line {first + error.lineno - 1}, column {error.colno}"
        raise ConfigError(place, "write an array of objects, or an object a line") from None
    except RecursionError:
        raise ConfigError(f"{what} is no list of profiles: {where} is nested too deeply") from None
    except _Twice as error:
        raise ConfigError(f"{what} is no list of profiles: {where} has an object with {error}", "say it once") from None
    except ValueError:  # Python reads no number of more than some thousand digits
        raise ConfigError(f"{what} is no list of profiles: {where} has a number with too many digits") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(f"the key {json.dumps(next(key for key in keys if keys.count(key) > 1))} twice")
    return found


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, Mapping | list):
        return False
    inner = value.values() if isinstance(value, Mapping) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)
