"""Environment files: `NAME=value` lines, quoted as in a shell or not, as docker compose and python-dotenv read them.

https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax
"""

import re
from collections.abc import Mapping
from pathlib import Path

from dbctl.profiles.files import text_of

_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*=[ \t]*
    (?:"(?P<double>(?:\\.|[^"\\])*)"[ \t]*(?:\#.*)?$ | '(?P<single>[^']*)'[ \t]*(?:\#.*)?$ | (?P<bare>.*)$)""",
    re.VERBOSE | re.MULTILINE,
)
_REFERENCE = re.compile(r"\$\{(\w+)(?::?-([^}]*))?\}")


def variables_in(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an environment file sets.

    Args:
        path: The file.
        environ: Where a `${NAME}` is looked up that the file does not set.

    Raises:
        ConfigError: It can't be read.
    """
    variables: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        return variables.get(match[1], environ.get(match[1], match[2] or ""))

    for match in _ASSIGNMENT.finditer(text_of(path).replace("\r\n", "\n")):
        if match["single"] is not None:
            variables[match["name"]] = match["single"]
        elif match["double"] is not None:
            unescaped = re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), match["double"], flags=re.S)
            variables[match["name"]] = _REFERENCE.sub(fill, unescaped)
        else:
            variables[match["name"]] = _REFERENCE.sub(fill, re.split(r"(?:^|\s)#", match["bare"])[0].strip())
    return variables
