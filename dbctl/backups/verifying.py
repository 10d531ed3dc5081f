"""Proving a backup by restoring it into a scratch database, which is dropped after it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.backends import backend_of
from dbctl.backups import loading, proving
from dbctl.backups.keeping import Found
from dbctl.backups.manifest import beside, mark
from dbctl.backups.running import unbounded
from dbctl.backups.scratch import scratch
from dbctl.connections.connector import opened
from dbctl.databases.places import at, on_server
from dbctl.errors import CheckFailed, ConfirmationNeeded, UsageError, WorkRefused
from dbctl.records import record
from dbctl.runtime.private import private_directory

if TYPE_CHECKING:
    from dbctl.connections.connector import Connector
    from dbctl.profiles import Profile


@record
class Verified:
    """A backup that was restored and looked at: what is wrong with it stands in `findings`."""

    backup: str
    database: str
    on: str
    tables: int
    rows: int
    seconds: float
    findings: Sequence[str]


@record
class Question:
    """What is asked of the scratch database, and the one value that is to be the answer."""

    query: str
    expect: str


def verify(path: Path, profile: Profile, questions: Sequence[Question] = (), whose: str = "") -> Verified:
    """Restore a backup into a scratch database, hold it against its manifest, and note in that when it was.

    Args:
        path: The backup, or a directory, whose newest is taken.
        profile: Whose server the scratch database is made on.
        questions: What is asked of it besides.
        whose: The name of the profile whose backup is meant in a directory with those of several; the same unless said.

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
    backup = proving.named(path, whose or profile.name)
    if backup.manifest.contents == "data":
        raise UsageError(f"{backup.path} has no definitions", "restore it by hand, where they are")
    proving.refuse_other_kind(backup, backend_of(profile).backups)
    with _refuting(backup):
        proving.refuse_altered(backup)
    found = list(_restored(backup, profile, questions))
    made = backup.manifest
    result = Verified(
        str(backup.path), made.database, profile.name, len(made.tables), made.rows,
        round(time.monotonic() - began, 3), found,
    )  # fmt: skip
    if not found:
        mark(beside(backup.path), made, proved=True)
        return result
    raise CheckFailed(f"{backup.path}: {found[0]}{f' ({len(found)} findings)' if len(found) > 1 else ''}", result)


@contextmanager
def _refuting(backup: Found) -> Iterator[None]:
    """Note in a manifest that the backup is none where the block finds that its file is not what was written.

    What a server refuses, or was broken in the database already, says nothing of the file: others may be worse.
    """
    try:
        yield
    except CheckFailed:
        mark(beside(backup.path), backup.manifest, proved=False)
        raise


def _restored(backup: Found, profile: Profile, questions: Sequence[Question]) -> Sequence[str]:
    """Return what is found in the database that a backup is restored into."""
    backend = backend_of(profile).backups
    if not backend.backup_by_tool:
        with private_directory() as directory:
            with _refuting(backup):
                loading.unpack(backup, directory / "verify.db")
            return _looked_at(backup, at(profile, str(directory / "verify.db")), questions)
    with on_server(profile) as (connection, plain):
        backend = plain.backups
        proving.refuse_unfit(backup, connection, backend)
    with scratch(unbounded(profile), "verify", backup.manifest.properties) as made:
        try:
            with _refuting(backup):
                loading.load(backup, made.connection, made.backend, made.name, owners=False, proved=True)
        except WorkRefused as error:
            if re.search(made.backend.tool_denied, error.message):
                raise  # which says nothing of the backup
            raise CheckFailed(f"{backup.path} can't be restored: {error.message}") from error
        return _looked_at(backup, profile.model_copy(update={"database": made.name}), questions)


def _looked_at(backup: Found, profile: Profile, questions: Sequence[Question]) -> Sequence[str]:
    try:
        with opened(unbounded(profile)) as connector, connector.engine.connect() as connection:
            found = list(proving.differences(backup.manifest, connection, connector.backend.backups))
            if found:
                mark(beside(backup.path), backup.manifest, proved=False)
            found += connector.backend.backups.broken_references(connection)
    except WorkRefused as error:
        raise CheckFailed(f"{backup.path}: {error.message}") from error
    if not questions:
        return found
    with opened(profile) as connector:
        return found + [answer for one in questions if (answer := _asked(one, connector))]


def _asked(question: Question, connector: Connector[Any]) -> str:
    """Ask something in a transaction that only reads, and return how it is answered otherwise than was expected."""
    from dbctl.work.retries import run_unit

    backend = connector.backend.backups
    if len(backend.statements(question.query)) != 1:
        raise UsageError(f"--query {question.query}: it is not one statement", "say --query again for another one")

    def ask(database: Any) -> Sequence[Any]:
        connection = database.session.connection()
        backend.keep_from_writing(connection)
        result = connection.exec_driver_sql(question.query)
        return result.fetchmany(2) if result.returns_rows else []

    rows = run_unit(connector, ask, retries=0, writes=False, strict=True)
    if len(rows) != 1 or len(rows[0]) != 1:
        raise UsageError(f"--query {question.query}: it gives no single value", "ask for one column of one row")
    found = _text(rows[0][0])
    return "" if found == question.expect else f"{question.query}: {found}, and {question.expect} was expected"


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
