"""Standard input, which a program may be started without."""

from __future__ import annotations

import sys
from typing import BinaryIO

from dbctl.errors import UsageError


def standard_input() -> BinaryIO:
    """Return standard input's bytes.

    Raises:
        UsageError: It is closed.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed, and is to be read", "name a file, or lead one there")
    return sys.stdin.buffer


def is_terminal() -> bool:
    """Tell whether somebody can type into it."""
    return sys.stdin is not None and sys.stdin.isatty()
