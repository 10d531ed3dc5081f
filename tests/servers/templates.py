"""Data directories that are made once on a machine and copied for each server: to make one takes seconds."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import ServerProcess

# Where the tests' virtual environments are too. Who lacks the right to write there makes each server's anew.
PLACE = Path(__file__).parents[2] / ".venv-test" / "servers"


def fill(body: ServerProcess, names: Sequence[str], made_of: Sequence[object], make: Callable[[], None]) -> None:
    """Fill a server's directory with what is made in it, or with a copy of what has been made for another one.

    Parameters:
        names: the files and directories below the server's own that `make` makes, of which a directory may be there.
        made_of: all that decides what they are: options, and programs, which are other ones when they have changed.
        make: makes them.
    """
    if not _may_keep():
        make()
        return
    key = hashlib.sha256(repr([os.geteuid(), *map(_identity, made_of)]).encode()).hexdigest()[:16]
    template = PLACE / f"{body.name}-{key}"
    with _alone():
        if not template.exists():
            make()
            _keep(body.directory, names, template)
            return
    for name in names:
        source, target = template / name, body.directory / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
        body.hand_over(target)


def _identity(part: object) -> object:
    """Return what changes when a program does, and a part that is none as it is."""
    if not isinstance(part, Path):
        return part
    found = part.resolve().stat()
    return str(part.resolve()), found.st_mtime_ns, found.st_size


def _keep(directory: Path, names: Sequence[str], template: Path) -> None:
    """Keep a copy, which is there all at once or not at all."""
    unfinished = template.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    for name in names:
        if (directory / name).is_dir():
            shutil.copytree(directory / name, unfinished / name, symlinks=True)
        else:
            shutil.copy2(directory / name, unfinished / name)
    unfinished.rename(template)


def _may_keep() -> bool:
    """Tell whether there is a place to keep something in."""
    try:
        PLACE.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(PLACE, os.W_OK)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time look and make, so that the others find what it has made."""
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
