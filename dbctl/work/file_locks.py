"""A lock on a file, for a database that is one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from dbctl.errors import ConnectError, WorkRefused


class FileLock:
    """A lock on a file, which stays when the lock is gone: to remove it would be to take it from who waits there."""

    settling = 0.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take it, and return True, unless somebody holds it."""
        import fcntl

        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise WorkRefused(f"the lock's file {self._path} can't be used: {error.strerror}") from error
        if not self._is_there():
            self.release()
            return self.take()
        os.truncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        return True

    def holder(self) -> str:
        """Return the process that holds it, and its machine."""
        assert self._descriptor is not None
        return os.pread(self._descriptor, 200, 0).decode(errors="replace") or "one that has just begun"

    def check(self) -> None:
        """Raise ConnectError where it is not the file any more that others will find."""
        if not self._is_there():
            raise ConnectError(f"the lock was lost, and nothing more is committed: {self._path} was removed", "lock")

    def release(self) -> None:
        """Let others take it."""
        import fcntl

        if self._descriptor is not None:
            # Or a fork, which has the file open too, would go on to hold it.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def _is_there(self) -> bool:
        """Tell whether the file that is locked is the one that others will find."""
        assert self._descriptor is not None
        own = os.fstat(self._descriptor)
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino)
