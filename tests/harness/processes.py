"""What can be seen of another process."""

import os
from contextlib import suppress
from pathlib import Path


def times_open(pid: int, path: str | Path) -> int:
    """Count how often a process has a file open; a fork of this process begins with what this process has."""
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it is closed meanwhile
            count += os.readlink(each) == str(path)
    return count
