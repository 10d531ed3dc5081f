"""Files that are there whole or not at all: a hidden name until all is written, and never another file's in its place.

What a killed run has left is known by its lock, which ended with that run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.errors import ConfigError, NoSpace, UsageError

if TYPE_CHECKING:
    from dbctl.backups.manifest import Manifest

_HIDDEN, _UNFINISHED = ".dbctl-backup-", ".unfinished"
_CHUNK = 1024 * 1024
"""Bytes that are read and written at a time."""

GLOBALS = ".globals.sql"
"""What the name of a server's roles ends with, behind the whole name of the backup."""


@contextmanager
def made(directory: Path) -> Iterator[Path]:
    """Make a directory where there is none, and have it gone again where the block fails.

    Raises:
        UsageError: There is nothing that it could be made in, or it is a file.
        ConfigError: The system refuses it.
    """
    if directory.is_dir():
        yield directory
        return
    try:
        directory.mkdir()
    except FileNotFoundError as error:
        raise UsageError(f"there is no directory {directory.parent}", "make it, or name another") from error
    except FileExistsError as error:
        raise UsageError(f"{directory} is no directory", "name another") from error
    except OSError as error:
        raise ConfigError(f"{directory}: it can't be made: {error.strerror}") from error
    try:
        yield directory
    except BaseException:
        with suppress(OSError):  # where somebody has put something there it stays
            directory.rmdir()
        raise


@contextmanager
def unfinished(place: Path) -> Iterator[Path]:
    """Make a hidden directory in another for what is to be a file there, locked for the block and gone after it.

    Those that killed runs have left there are removed.

    Raises:
        UsageError: There is no such directory.
        ConfigError: The system refuses it.
    """
    if not place.is_dir():
        raise UsageError(f"there is no directory {place}", "make it, or name another")
    work = _hidden(place)
    try:
        with alone_in(place):  # or another run takes it for one that was left, before it is locked
            remove_left(place)
            work.mkdir(mode=0o700)
            lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise ConfigError(f"{place}: nothing can be written there: {error.strerror}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(lock)


def _hidden(place: Path) -> Path:
    return place / f"{_HIDDEN}{os.getpid()}-{os.urandom(4).hex()}{_UNFINISHED}"


def hide(directory: Path) -> Path:
    """Give a directory that is to be removed the name of what killed runs leave, lest half of it looks whole."""
    return directory.rename(_hidden(directory.parent))


def refuse_existing(target: Path) -> None:
    """Do nothing where nothing has a file's name.

    Raises:
        UsageError: Something has: a backup replaces nothing.
    """
    if os.path.lexists(target):
        raise UsageError(
            f"{target} is there already, and is not replaced", "name another file, or the directory for files by time"
        )


def remove_left(directory: Path) -> None:
    """Remove what killed runs have left in a directory."""
    for path in directory.glob(f"{_HIDDEN}*{_UNFINISHED}"):
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
            finally:
                os.close(lock)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Keep out of a directory for the block other runs that would give names there."""
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def publish(pairs: list[tuple[Path, Path]]) -> None:
    """Give finished files their names, one after the other; where one is not to be had none of them has its own.

    Args:
        pairs: What there is, and the path that it gets, on the same file system. The last is the one that counts.

    Raises:
        UsageError: Something has such a name by now.
    """
    done: list[Path] = []
    try:
        for made, target in pairs:
            refuse_existing(target)
            if made.is_dir():
                made.rename(target)
            else:
                os.link(made, target)  # which, other than a rename, replaces nothing
            done.append(target)
    except BaseException as error:
        for target in done:
            target.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            refuse_existing(pairs[len(done)][1])
        raise
    for directory in {target.parent for target in done}:
        sync_directory(directory)


def sync(path: Path) -> None:
    """Have the disk hold what a file, or a directory with all its files, has."""
    for one in [*path.iterdir(), path] if path.is_dir() else [path]:
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Have the disk hold which names a directory has; where it can't be synced, nobody can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def size_of(path: Path) -> int:
    """Return how many bytes a backup has; of a directory its files'. One that is not there, or not yet, has none."""
    try:
        return sum(one.stat().st_size for one in path.iterdir()) if path.is_dir() else path.stat().st_size
    except FileNotFoundError:
        return 0


def digest(path: Path, tell: Callable[[int], None] = lambda _: None) -> tuple[int, str]:
    """Return how many bytes a backup has, and its SHA-256; a directory's is that of the list of its files'.

    Args:
        path: The file, or the directory.
        tell: Called with the bytes read so far; what it raises ends it.
    """
    if path.is_dir():
        listed = [(one.name, *digest(one, tell)) for one in sorted(path.iterdir())]
        names = "".join(f"{sha256}  {name}\n" for name, _, sha256 in listed)
        return sum(size for _, size, _ in listed), hashlib.sha256(names.encode()).hexdigest()
    sum_, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sum_.update(chunk)
            tell(size := size + len(chunk))
    return size, sum_.hexdigest()


def name_for(manifest: Manifest, directory: Path, ending: str) -> Path:
    """Return the path of a backup in a directory, whose name carries the database and the time."""
    base = "".join(one if one.isalnum() or one in "._-" else "_" for one in Path(manifest.database).name)
    named = f"{base.removesuffix('.db')}-{manifest.at:%Y%m%dT%H%M%SZ}"
    names = (f"{named}{more}{ending}" for more in chain([""], (f"-{number}" for number in count(2))))
    return next(path for name in names if not os.path.lexists(path := directory / name))


@contextmanager
def telling_of_space(target: Path) -> Iterator[None]:
    """Raise NoSpace where what the block writes for a file has no room.

    Args:
        target: The file, of which nothing is left.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and not isinstance(error, BrokenPipeError):
            raise
        raise NoSpace(f"{target}: it can't be written: {error.strerror or error}; nothing is left of it") from error
