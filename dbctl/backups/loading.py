"""Reading a backup into a database that is there and empty, or into a file."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backends.backups import Stored
from dbctl.backups import packing
from dbctl.backups.running import tool_at_work
from dbctl.connections.connector import opened
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import NoSpace
from dbctl.runtime.private import private_directory
from dbctl.work.progress import report

_FULL = {errno.ENOSPC, errno.EDQUOT}

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.backups import Backups, TableNames
    from dbctl.backups.keeping import Found


def load(
    backup: Found,
    connection: Connection,
    backend: Backups,
    name: str,
    *,
    jobs: int = 1,
    owners: bool = True,
    proved: bool = False,
    tables: TableNames = (),
    beside: bool = False,
) -> None:
    """Read a backup into a server's database.

    Args:
        backup: The backup.
        connection: A connection to the server.
        backend: Its backend.
        name: The database, which is there and empty, unless `beside`.
        jobs: How many tables are read at a time, where the tool can.
        owners: Whether each object is to have the owner that it had.
        proved: Whether it is read only to be looked at: nobody gets a right then, and nothing is to do anything.
        tables: The tables that are read alone.
        beside: Whether they come into a database with others, all of them or none.

    Raises:
        WorkRefused: The tool has failed.
        ConnectError: It has lost its connection.
        ConfigError: There is none that can.
    """
    made = backup.manifest
    stored = Stored(made.format, jobs, tuple(made.tool_numbers), owners, proved, tables, beside)
    source = backup.path.absolute()
    with private_directory() as directory:
        start = backend.loading(connection, stored, name, directory, source)
        if start.writes_itself:
            with tool_at_work(backend, start):
                report(0, None, "bytes", "restore")
            if not owners and not proved:
                _give_rights(backend, stored, name, directory, source)
            return
        with (
            closing(packing.plain(source, made.compression)) as plain,
            tool_at_work(backend, start, stdin=subprocess.PIPE) as child,
        ):
            assert child.stdin
            dump = _told(packing.chunks(plain))
            for chunk in backend.part_of(dump, made.database, tables):
                child.stdin.write(chunk)
            child.stdin.close()


def _give_rights(backend: Backups, stored: Stored, name: str, directory: Path, source: Path) -> None:
    with (
        opened(backend.profile.model_copy(update={"database": name})) as connector,
        connector.engine.connect().execution_options(isolation_level="AUTOCOMMIT", no_parameters=True) as connection,
    ):
        connector.backend.backups.give_rights(connection, stored, directory, source)


def _told(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Report how much of a backup has been read, and stop where the work was ended."""
    done = 0
    for chunk in chunks:
        raise_if_ended()
        yield chunk
        report(done := done + len(chunk), None, "bytes", "restore")


def unpack(backup: Found, target: Path) -> None:
    """Write a file that is a database as it was, and have the disk hold it.

    Raises:
        CheckFailed: It can't be read.
        NoSpace: There is no room for it.
    """
    target.touch(mode=0o600)
    try:
        with closing(packing.plain(backup.path, backup.manifest.compression)) as plain, target.open("wb") as file:
            for chunk in _told(packing.chunks(plain)):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise NoSpace(f"{target.parent.parent}: {backup.path} can't be unpacked there: {error.strerror}") from error
