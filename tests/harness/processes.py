"""What can be seen of another process."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def times_open(pid: int, path: str | Path) -> int:
    """Count how often a process has a file open; a fork of this process begins with what this process has."""
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it is closed meanwhile
            count += os.readlink(each) == str(path)
    return count


def children_of(pid: int) -> Iterator[int]:
    """Yield the processes that a process has started, in whichever of its threads; what ends meanwhile has none."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from map(int, task.read_text(encoding="ascii").split())


def descendants_of(pid: int) -> Iterator[int]:
    """Yield those, and theirs, however deep."""
    for child in children_of(pid):
        yield child
        yield from descendants_of(child)


def still_running(processes: Iterable[int]) -> list[bytes]:
    """Return the command lines of those that run; one that has ended has none, though nobody may have looked yet."""
    found = []
    for pid in processes:
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    return [line for line in found if line]
