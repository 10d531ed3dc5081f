"""Where a script comes from: a file, or standard input."""

import re
import sys
from functools import cache
from pathlib import Path

from dbctl.errors import UsageError
from dbctl.profiles.files import is_file, text_of
from dbctl.scripts.running import Script

STDIN = "-"

_MODULE = re.compile(r"(?!\d)\w+(?:\.(?!\d)\w+)*")


@cache  # standard input can be read once, and what is run again is the same script
def script_from(name: str) -> Script:
    """Read a script.

    Args:
        name: The file's path, or `-` for standard input.

    Raises:
        UsageError: There is no such file.
        ConfigError: It can't be read, or is no text.
    """
    if name == STDIN:
        return Script("standard input", sys.stdin.read())
    path = Path(name).expanduser()
    if not is_file(path):
        function = f"name a function as {name}:FUNCTION" if _MODULE.fullmatch(name) and path.suffix != ".sql" else ""
        raise UsageError(f"{name}: there is no such file, and no function is named", function)
    return Script(name, text_of(path))
