"""What can be seen of another process."""

import os
from contextlib import suppress
from pathlib import Path


def has_open(pid: int, path: str | Path) -> bool:
    """Tell whether a process has a file open."""
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it is closed meanwhile
            if os.readlink(each) == str(path):
                return True
    return False
