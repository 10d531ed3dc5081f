"""What proves a backup: its checksum before anything is read, and in a database its tables, rows and references."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backups import files
from dbctl.backups.keeping import Found, found_in
from dbctl.backups.manifest import beside, read
from dbctl.connections.connector import opened
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import CheckFailed, NotFound, UsageError, WorkRefused
from dbctl.work.progress import report

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.backups.manifest import Manifest
    from dbctl.profiles import Profile


def named(path: Path) -> Found:
    """Return a backup with its manifest; of a directory that is none itself the newest that it holds.

    Raises:
        NotFound: There is none.
        CheckFailed: It has no manifest, or one that can't be read.
    """
    path = path if path.name else path.absolute()
    if path.is_dir() and not beside(path).exists():
        if not (found := list(found_in(path))):
            raise NotFound(f"{path} holds no backup")
        return found[-1]
    if not path.exists():
        raise NotFound(f"there is no backup {path}")
    if not beside(path).exists():
        raise CheckFailed(f"{path} has no manifest {beside(path).name} beside it, by which it could be proved")
    return Found(path, read(beside(path)))


def refuse_altered(backup: Found) -> None:
    """Do nothing where a backup's file is what its manifest says.

    Raises:
        CheckFailed: It is shorter, longer, or another.
    """
    total = backup.manifest.bytes

    def tell(done: int) -> None:
        raise_if_ended()
        report(done, total, "bytes", "checksum")

    size, sha256 = files.digest(backup.path, tell)
    if size != total:
        raise CheckFailed(f"{backup.path} has {size} bytes, and {total} were written: it is no whole backup")
    if sha256 != backup.manifest.sha256:
        raise CheckFailed(f"{backup.path} was altered: its SHA-256 is not the manifest's")


def refuse_other_kind(backup: Found, backend: Backend, title: str | None = None) -> None:
    """Do nothing where a backup is of a profile's kind of database.

    Args:
        backup: The backup.
        backend: The profile's backend.
        title: What the server calls itself, where that has been asked.

    Raises:
        UsageError: It is of another.
    """
    kinds = [title] if title else backend.backup_kinds or (backend.title,)
    if backup.manifest.server not in kinds:
        raise UsageError(
            f"{backup.path} is of {backup.manifest.server}, and {backend.profile.called} is {' or '.join(kinds)}",
            "name another profile",
        )


def refuse_unfit(backup: Found, connection: Connection, backend: Backend) -> None:
    """Do nothing where a server can read a backup.

    Raises:
        UsageError: It is of another kind of database.
        WorkRefused: It is of a newer server.
    """
    refuse_other_kind(backup, backend, backend.server_title(connection))
    made, version = backup.manifest, backend.server_version(connection)
    if tuple(made.numbers) > version:
        raise WorkRefused(
            f"{backup.path} is of {made.server} {made.version}, and {backend.profile.called} is older:"
            f" {'.'.join(map(str, version))}",
            "restore it on a server that is not",
        )


def refuse_different(backup: Found, profile: Profile) -> None:
    """Do nothing where a database has what a backup's manifest says.

    Raises:
        CheckFailed: It has not.
    """
    with opened(profile) as connector, connector.engine.connect() as connection:
        if found := list(findings(backup.manifest, connection, connector.backend)):
            raise CheckFailed(f"{backup.path}: {found[0]}; nothing is changed")


def findings(manifest: Manifest, connection: Connection, backend: Backend) -> Iterator[str]:
    """Yield what a database lacks of what its backup's manifest says, and what is broken in it.

    Args:
        manifest: The manifest.
        connection: A connection to the database that was filled.
        backend: Its backend.
    """
    there = {(one.schema, one.name) for one in backend.stored(connection)}
    for one in manifest.tables:
        raise_if_ended()
        if (one.schema, one.table) not in there:
            yield f"{one.called}: it is not there"
        elif one.rows is not None:
            rows = backend.count_rows(connection, one.schema, one.table)
            if rows != one.rows:
                yield f"{one.called}: {rows} rows, and {one.rows} were backed up"
    yield from backend.broken_parts(connection)
    yield from backend.broken_references(connection)
