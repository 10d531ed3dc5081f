"""Which processes have a SQLite file open, and which locks of it they hold: the system's to tell, not SQLite's.

https://www.sqlite.org/lockingv3.html and https://www.sqlite.org/walformat.html#locks, for the bytes that stand for the
locks; proc(5) for `/proc/locks` and `/proc/PID/fd`.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from dbctl.backends.sessions import State
from dbctl.records import record

_PENDING, _RESERVED, _SHARED = 0x40000000, 0x40000001, 0x40000002
_WAL_WRITE = 120
_WAL_READ = range(123, 128)
_LOCK = re.compile(r"^\d+: POSIX +ADVISORY +(READ|WRITE) (\d+) \S+:(\d+) (\d+) (\d+|EOF)$", re.MULTILINE)
_COMMAND = 100
"""Characters of a command line that tell what it is."""


@record
class Process:
    """A process that has the file open.

    Args:
        pid: Its number.
        user: Whose it is.
        command: Its command line.
        state: What its locks say that it does: writing, reading, or idle.
        excludes: Whether nobody else may read meanwhile.
    """

    pid: int
    user: str
    command: str
    state: State
    excludes: bool = False


def path_of(database: str) -> Path:
    """Return the file that a profile's database names, by a path or by a URI."""
    if database.startswith("file:"):
        database = unquote(database.removeprefix("file:").partition("?")[0])
    return Path(database).resolve()


def processes_at(path: Path) -> tuple[list[Process], int]:
    """Return the other processes that have a database open, and how many there are that can't be looked into."""
    own, hidden = os.getpid(), 0
    found = []
    inodes = dict(_inodes(path))
    locks = list(_locks())
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
        if pid == own:
            continue
        try:
            has_open = _has_open(pid, {*inodes})
        except PermissionError:
            hidden += 1
            continue
        except OSError:
            continue  # it has ended
        if has_open:
            held = [(inodes[inode], kind, first) for kind, of, inode, first in locks if of == pid and inode in inodes]
            found.append(_process(pid, held))
    return found, hidden


def _inodes(path: Path) -> Iterator[tuple[int, str]]:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            yield os.stat(f"{path}{suffix}").st_ino, suffix


def _locks() -> Iterator[tuple[str, int, int, int]]:
    with suppress(OSError):
        for kind, pid, inode, first, _ in _LOCK.findall(Path("/proc/locks").read_text(encoding="ascii")):
            yield kind, int(pid), int(inode), int(first)


def _has_open(pid: int, inodes: set[int]) -> bool:
    directory = f"/proc/{pid}/fd"
    for name in os.listdir(directory):
        with suppress(FileNotFoundError):
            if os.stat(f"{directory}/{name}").st_ino in inodes:
                return True
    return False


def _process(pid: int, held: list[tuple[str, str, int]]) -> Process:
    excludes = ("", "WRITE", _PENDING) in held or ("", "WRITE", _SHARED) in held
    if excludes or ("", "WRITE", _RESERVED) in held or ("-shm", "WRITE", _WAL_WRITE) in held:
        state = State.WRITING
    elif any(first >= _SHARED if suffix == "" else first in _WAL_READ for suffix, _, first in held):
        state = State.READING
    else:
        state = State.IDLE
    return Process(pid, _user_of(pid), _command_of(pid), state, excludes)


def _user_of(pid: int) -> str:
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return "?"
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)


def _command_of(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "?"
    return line if len(line) <= _COMMAND else f"{line[:_COMMAND]}…"
