"""The variables that stand for global options: DBCTL_QUIET for --quiet."""

import os
from collections.abc import Mapping

from dbctl.errors import UsageError

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


def variable_of(option: str) -> str:
    """Return the name of the variable that stands for an option, which is given as Python spells it."""
    return f"DBCTL_{option.upper()}"


def says_yes(option: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether an option's variable says what the option would.

    Raises:
        UsageError: It says neither yes nor no.
    """
    variable = variable_of(option)
    value = environ.get(variable, "")
    if value.lower() not in {*_YES, *_NO}:
        raise UsageError(f"{variable}={value}: allowed is {', '.join(_YES)}, or {', '.join(filter(None, _NO))}")
    return value.lower() in _YES
