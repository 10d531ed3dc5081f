"""Where a script comes from: a file, or standard input."""

import os
import re
from functools import cache
from pathlib import Path

from dbctl.errors import UsageError
from dbctl.profiles.files import decoded_as, text_of
from dbctl.profiles.words import function_meant
from dbctl.runtime.standard_input import standard_input
from dbctl.scripts.preparing import Script

STDIN = "-"

_MODULE = re.compile(r"(?!\d)\w+(?:\.(?!\d)\w+)*")

_FILE = re.compile(r"(?:\./)?(?P<path>\w+(?:/\w+)*)\.py(?::(?P<function>\w*))?")
"""A module's file, and behind it a function of it."""

_NO_FUNCTION = re.compile(r"[\w.]+:([^/\\:]+)")
"""What names a module, and then something that can't be a name in it."""


@cache  # standard input can be read once, and what is run again is the same script
def script_from(name: str) -> Script:
    """Read a script.

    Args:
        name: The file's path, or `-` for standard input.

    Raises:
        UsageError: There is no such file, and it names no function.
        ConfigError: It can't be read, or is no text.
    """
    if name == STDIN:
        return script_in(name)
    path = Path(name).expanduser()
    if not os.path.exists(path) or path.is_dir():  # a pipe, such as a shell's <(…), has a script too
        if path.suffix != ".sql" and (found := _NO_FUNCTION.fullmatch(name)):
            raise UsageError(
                f"{name}: there is no such file, and {found[1]} is no function's name", "write package.module:function"
            )
        raise UsageError(f"{name}: there is no such file, and no function is named", _how_to_name(name))
    return Script(name, text_of(path))


def _how_to_name(word: str) -> str:
    """Return how a function is named, where a word may be meant for its module, its file, or for both."""
    if file := _FILE.fullmatch(word):
        return f"name a function as {file['path'].replace('/', '.')}:{file['function'] or 'FUNCTION'}"
    if not _MODULE.fullmatch(word) or word.endswith(".sql"):
        return ""
    said, meant = f"name a function as {word}:FUNCTION", function_meant(word)
    return f"{said}, or as {meant}" if meant else said


@cache
def script_in(name: str) -> Script:
    """Read a script, where it is clear that it is one.

    Args:
        name: The file's path, or `-` for standard input.

    Raises:
        UsageError: There is no such file.
        ConfigError: It can't be read, or is no text.
    """
    if name == STDIN:
        return Script("standard input", decoded_as(standard_input().read(), "standard input"))
    path = Path(name).expanduser()
    if not os.path.exists(path):
        raise UsageError(f"{name}: there is no such file")
    return Script(name, text_of(path))
