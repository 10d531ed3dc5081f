"""Directories for files with secrets: nobody else can look into them, and none stays for good, whatever ends dbctl.

One that a killed process has left is known by its lock, which ends with the process that holds it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "dbctl-private-"


@contextmanager
def private_directory() -> Iterator[Path]:
    """Make a directory in the system's one for temporary files, which only its owner can read, for the block.

    Those that killed processes have left there are removed.
    """
    _remove_left()
    path, descriptor = _made()
    try:
        yield path
    finally:
        with suppress(FileNotFoundError):  # somebody has tidied up
            shutil.rmtree(path)
        os.close(descriptor)


def _made() -> tuple[Path, int]:
    """Return a new directory, and the descriptor by which it is locked; no child inherits that."""
    import fcntl

    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):  # another start has taken it for one that was left, before it was locked
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists():
                return path, descriptor
            os.close(descriptor)


def _remove_left() -> None:
    import fcntl

    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # another user's, or it has gone
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:  # its process is at work
            continue
        finally:
            os.close(descriptor)
