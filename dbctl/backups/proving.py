"""What proves a backup: its checksum before anything is read, and in a database its tables, rows and references."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backups import files
from dbctl.backups.keeping import Found, reliable_in
from dbctl.backups.manifest import beside, read
from dbctl.connections.connector import opened
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import CheckFailed, NotFound, UsageError, WorkRefused
from dbctl.work.progress import report

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.backups import Backups
    from dbctl.backups.manifest import Manifest
    from dbctl.profiles import Profile

_log = logging.getLogger("dbctl")


def named(path: Path, profile: str) -> Found:
    """Return a backup with its manifest; of a directory that is none itself the newest whole one that it holds.

    Args:
        path: The backup, or what links to it, or the directory.
        profile: The name of the profile whose backup is meant where the directory holds those of several.

    Raises:
        NotFound: There is none.
        UsageError: It is not clear whose backup is meant.
        CheckFailed: It has no manifest, or one that can't be read.
    """
    path = path if path.name else path.absolute()
    if path.is_symlink() and not beside(path).exists():
        path = path.resolve()
    if path.is_dir() and not beside(path).exists():
        return _newest_in(path, profile)
    if not path.exists():
        raise NotFound(f"there is no backup {path}")
    if not beside(path).exists():
        raise CheckFailed(f"{path} has no manifest {beside(path).name} beside it, by which it could be proved")
    return Found(path, read(beside(path)))


def _newest_in(directory: Path, profile: str) -> Found:
    """Return the newest backup of all of a database; what holds a part alone is taken where it is named itself."""
    whole = [one for one in reliable_in(directory) if one.manifest.contents == "all"]
    whole = [one for one in whole if one.manifest.profile == profile] or whole
    if not whole:
        raise NotFound(f"{directory} holds no whole backup", "name one of those that it has, if there are any")
    if len(series := {one.manifest.series for one in whole}) > 1:
        said = ", ".join(sorted(f"{database} of {name}" for name, _, database in series))
        raise UsageError(f"{directory} holds backups of {said}", "name the file, or the profile that it is of")
    return whole[-1]


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


def refuse_other_kind(backup: Found, backend: Backups, title: str | None = None) -> None:
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


def refuse_unfit(backup: Found, connection: Connection, backend: Backups) -> None:
    """Do nothing where a server can read a backup.

    Raises:
        UsageError: It is of another kind of database.
        WorkRefused: It is of a newer server, or the server's own tools read none.
    """
    backend.refuse_backup(connection)
    refuse_other_kind(backup, backend, backend.server_title(connection))
    made, version = backup.manifest, backend.server_version(connection)
    if tuple(made.numbers) > version:
        raise WorkRefused(
            f"{backup.path} is of {made.server} {made.version}, and {backend.profile.called} is older:"
            f" {'.'.join(map(str, version))}",
            "restore it on a server that is not",
        )


def refuse_different(backup: Found, profile: Profile) -> None:
    """Do nothing where a database has what a backup's manifest says, and tell what was broken already in the backup.

    Raises:
        CheckFailed: It has not.
    """
    with opened(profile) as connector, connector.engine.connect() as connection:
        if found := next(differences(backup.manifest, connection, connector.backend.backups), None):
            raise CheckFailed(f"{backup.path}: {found}; nothing is changed")
        for broken in connector.backend.backups.broken_references(connection):
            _log.warning("as it is in the backup: %s", broken)


def differences(manifest: Manifest, connection: Connection, backend: Backups) -> Iterator[str]:
    """Yield what a database lacks of what its backup's manifest says, and what is broken in it.

    Args:
        manifest: The manifest.
        connection: A connection to the database that was filled.
        backend: Its backend.
    """
    backend.let_take_time(connection)
    there = {(one.schema, one.name): one for one in backend.stored(connection)}
    for one in manifest.tables:
        raise_if_ended()
        if (found := there.get((one.schema, one.table))) is None:
            yield f"{one.called}: it is not there"
        elif one.rows is not None and not found.refreshed:
            rows = backend.count_rows(connection, one.schema, one.table)
            if rows != one.rows:
                yield f"{one.called}: {rows} rows, and {one.rows} were backed up"
    yield from backend.broken_parts(connection)
