"""What was typed at a prompt, for the next time: in a file that nobody else can read, and without secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SECRET = re.compile(
    r"password|passwd|\bpwd\b|secret|token|api_?key|credential|identified\s+by|://[^/\s'\"]*:[^/\s'\"]*@", re.IGNORECASE
)


def history_file(name: str) -> Path | None:
    """Return the file that keeps a prompt's history, made where it is not there; None where it can't be.

    Args:
        name: The prompt's name.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    directory = Path(state if os.path.isabs(state) else os.path.expanduser("~/.local/state")) / "dbctl"
    path = directory / f"{name}_history"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return None  # a prompt without a history does all else
    return path


def is_kept(source: str) -> bool:
    """Tell whether what was typed is kept: not what speaks of a password or the like, which it may hold."""
    return bool(source.strip()) and not _SECRET.search(source)
