"""Replacing a file as a whole, so that nobody ever reads a half of it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def replace_whole(target: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that at any time, and after a power failure too, either the old or the new one is there whole.

    It keeps its mode and its owner.

    Args:
        target: The file; a symbolic link would be replaced, and not what it leads to.
        content: What is to be in it.
        mode: The mode of a new one, whatever the umask: unless given it is its owner's alone.

    Raises:
        OSError: It can't be written, or not without giving it another owner.
    """
    import tempfile

    old = _replaceable(target)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            if old:
                made = os.fstat(descriptor)
                if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
                    _give_to(descriptor, old)
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode) if old else mode)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    with suppress(OSError):  # the file is there; where a directory can't be synced, nobody can
        directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _give_to(descriptor: int, old: os.stat_result) -> None:
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    except PermissionError as error:
        raise PermissionError(None, "it belongs to another user, or group, and would then be yours") from error


def check_replaceable(target: Path) -> None:
    """Find out whether `replace_whole` could write a file now, long before it is to.

    Raises:
        OSError: It could not.
    """
    import tempfile

    _replaceable(target)
    with tempfile.TemporaryFile(dir=target.parent):
        pass


def _replaceable(target: Path) -> os.stat_result | None:
    """Return what is known of a file that may be replaced; None where there is none."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return None
    writable = os.access(target, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    if not (stat.S_ISREG(old.st_mode) and writable):
        raise PermissionError(None, "it is read-only" if stat.S_ISREG(old.st_mode) else "it is no file")
    return old
