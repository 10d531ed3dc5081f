"""Proving a backup by restoring it into a scratch database, which is dropped after it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backends import backend_of
from dbctl.backups import loading, proving
from dbctl.backups.keeping import Found
from dbctl.backups.manifest import beside, mark_verified
from dbctl.backups.scratch import scratch
from dbctl.connections.connector import opened
from dbctl.databases.places import at
from dbctl.errors import CheckFailed, ConfirmationNeeded, DbctlError, UsageError, WorkRefused
from dbctl.runtime.private import private_directory

if TYPE_CHECKING:
    from dbctl.profiles import Profile


@dataclass(frozen=True)
class Verified:
    """A backup that was restored and looked at: what is wrong with it stands in `findings`."""

    backup: str
    database: str
    on: str
    tables: int
    rows: int
    seconds: float
    findings: Sequence[str]


@dataclass(frozen=True)
class Question:
    """What is asked of the scratch database, and the one value that is to be the answer."""

    query: str
    expect: str


def verify(path: Path, profile: Profile, questions: Sequence[Question] = ()) -> Verified:
    """Restore a backup into a scratch database, hold it against its manifest, and note in that when it was.

    Args:
        path: The backup, or a directory, whose newest is taken.
        profile: Whose server the scratch database is made on.
        questions: What is asked of it besides.

    Raises:
        CheckFailed: It is no backup, or not the one that was made.
        ConfirmationNeeded: The profile is protected.
        NotFound: There is none.
        UsageError: It is of another kind of database, or has no definitions.
        ConnectError: The server can't be reached.
        WorkRefused: The server is older, or the role may not create a database, or what is in the backup.
    """
    began = time.monotonic()
    if profile.protected:
        raise ConfirmationNeeded(
            f"{profile.called} is protected: a scratch database is not made there", "name another with --on"
        )
    backup = proving.named(path)
    if backup.manifest.contents == "data":
        raise UsageError(f"{backup.path} has no definitions", "restore it by hand, where they are")
    proving.refuse_other_kind(backup, backend_of(profile))
    proving.refuse_altered(backup)
    found = list(_restored(backup, profile, questions))
    made = backup.manifest
    result = Verified(
        str(backup.path), made.database, profile.name, len(made.tables), made.rows,
        round(time.monotonic() - began, 3), found,
    )  # fmt: skip
    if found:
        raise CheckFailed(f"{backup.path}: {found[0]}{f' ({len(found)} findings)' if len(found) > 1 else ''}", result)
    mark_verified(beside(backup.path), made)
    return result


def _restored(backup: Found, profile: Profile, questions: Sequence[Question]) -> Sequence[str]:
    """Return what is found in the database that a backup is restored into."""
    backend = backend_of(profile)
    if not backend.backup_by_tool:
        with private_directory() as directory:
            loading.unpack(backup, directory / "verify.db")
            return _looked_at(backup, at(profile, str(directory / "verify.db")), questions)
    with scratch(profile, "verify", backup.manifest.properties) as made:
        proving.refuse_unfit(backup, made.connection, made.backend)
        try:
            loading.load(backup, made.connection, made.backend, made.name, owners=False, proved=True)
        except WorkRefused as error:
            if re.search(made.backend.tool_denied, error.message):
                raise  # which says nothing of the backup
            raise CheckFailed(f"{backup.path} can't be restored: {error.message}") from error
        return _looked_at(backup, profile.model_copy(update={"database": made.name}), questions)


def _looked_at(backup: Found, profile: Profile, questions: Sequence[Question]) -> Sequence[str]:
    try:
        with opened(profile) as connector, connector.engine.connect() as connection:
            found = list(proving.findings(backup.manifest, connection, connector.backend))
            for one in questions:
                value = connection.exec_driver_sql(one.query).scalar()
                if str(value) != one.expect:
                    found.append(f"{one.query}: {value}, and {one.expect} was expected")
            return found
    except DbctlError as error:
        if isinstance(error, WorkRefused):
            raise CheckFailed(f"{backup.path}: {error.message}") from error
        raise
