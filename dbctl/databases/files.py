"""Databases that are files: made, and taken away with what SQLite keeps beside them.

https://sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.connections.connector import opened
from dbctl.errors import DbctlError, WorkRefused

if TYPE_CHECKING:
    from dbctl.profiles import Profile

_log = logging.getLogger("dbctl")

_TO_BE_ALONE = 1.0
"""Seconds for which a lock of another session is waited for, unless the profile says."""


def create(profile: Profile) -> str:
    """Create a profile's file, empty as SQLite itself makes it, and return its state: of several runs one creates it.

    Raises:
        ConnectError: There is no directory for it, or nothing can be made there.
    """
    file = backend_of(profile).database_file()
    assert file is not None, "its database is a file"
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666))
    except OSError as error:
        if isinstance(error, FileExistsError) and file.is_file():
            return "exists"
        # SQLite, and who prepares it, say better why.
        with opened(profile, Missing.CREATE) as connector, connector.engine.connect():
            pass
    return "created"


def drop(profile: Profile, *, dry_run: bool = False) -> str:
    """Take a profile's file away, with what is beside it, and return its state.

    Args:
        profile: The profile.
        dry_run: Look only, and return what would become of it.

    Raises:
        WorkRefused: Another process has it open, or is in a transaction; or the system refuses it.
    """
    backend = backend_of(profile)
    file = backend.database_file()
    assert file is not None, "its database is a file"
    if not file.exists():
        return "missing"
    refuse_in_use(profile, alone=not dry_run)
    if dry_run:
        return "dropped"
    try:
        for one in (file, *(file.with_name(file.name + end) for end in backend.beside)):
            one.unlink(missing_ok=True)
    except OSError as error:
        raise WorkRefused(f"{profile.called}: {file} can't be removed: {error.strerror}") from error
    return "dropped"


def refuse_in_use(profile: Profile, *, alone: bool = False) -> None:
    """Do nothing where nobody else uses a profile's file.

    Args:
        profile: The profile.
        alone: Whether to be alone in it for a moment too, which changes its journal mode.

    Raises:
        WorkRefused: Another process has it open, or is in a transaction.
    """
    file = backend_of(profile).database_file()
    assert file is not None, "its database is a file"
    if users := list(_processes_with(file)):
        raise WorkRefused(f"{profile.called}: others have {file.name} open: {', '.join(users)}", "end them first")
    if alone:
        try:
            _refuse_locked(profile)
        except DbctlError as error:
            if not backend_of(profile).is_broken(error):
                raise
            _log.warning("%s: nobody can ask it who is at work in it: %s", file, error.message)


def _refuse_locked(profile: Profile) -> None:
    """Refuse a file that another process is at work in: one elsewhere, as in a container, is seen by this alone."""
    patience = profile.model_copy(update={"lock_timeout": profile.lock_timeout or _TO_BE_ALONE})
    with opened(patience, Missing.REFUSE) as connector, closing(connector.engine.raw_connection()) as connection:
        connector.backend.be_alone(connection.driver_connection)


def _processes_with(file: Path) -> Iterator[str]:
    """Yield the processes, of those that this user may look at, that have a file open; none where there is no /proc."""
    found = os.stat(file)
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):  # it is another user's, or has just ended
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    one = descriptor.stat()
                    if (one.st_dev, one.st_ino) == (found.st_dev, found.st_ino):
                        yield f"process {process.name} ({(process / 'comm').read_text().strip()})"
                        break
