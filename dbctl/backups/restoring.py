"""Restoring a backup: beside what is there, held against its manifest, and only then in its place."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.backends import backend_of
from dbctl.backups import files, loading, picking, proving
from dbctl.backups.running import unbounded
from dbctl.backups.scratch import Scratch, properties_of, scratch
from dbctl.connections.watching import begin_what_is_not_divided, is_ended, watched_by
from dbctl.databases.files import refuse_in_use
from dbctl.databases.places import at, name_of, on_server
from dbctl.errors import ConnectError, DbctlError, OutcomeUnknown, Remedy, UsageError, WorkRefused
from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.backends.backups import Backups
    from dbctl.backups.keeping import Found
    from dbctl.profiles import Profile

_log = logging.getLogger("dbctl")


@record
class Restored:
    """A database that was restored. `before` is the name that the one has which was there, where that is kept."""

    database: str
    backup: str
    snapshot: str
    tables: int
    rows: int
    seconds: float
    before: str | None


@record
class How:
    """How a backup is restored.

    Args:
        force: Whether other sessions on the database that is there are ended, which else are in the way.
        drop_old: Whether that one is dropped at the end.
        owners: Whether each object gets the owner that it had; all is the profile's user's else.
        jobs: How many tables are read at a time, where the tool can.
        tables: The tables that are restored alone, into a database that has none of them; all if there are none.
    """

    force: bool = False
    drop_old: bool = False
    owners: bool = True
    jobs: int = 1
    tables: Sequence[str] = ()


def restore(path: Path, profile: Profile, into: str, how: How | None = None, *, dry_run: bool = False) -> Restored:
    """Restore a backup into a database, which is there as a whole at the end, or as it was.

    Args:
        path: The backup, or a directory, whose newest is taken.
        profile: Whose server.
        into: The database, there or not.
        how: How it is done.
        dry_run: Look only, and return what would become of it.

    Raises:
        CheckFailed: It is no backup, or not the one that was made; nothing is changed.
        UsageError: It is of another kind of database, or has no definitions.
        NotFound: There is none, or it lacks one of the tables.
        WorkRefused: One of the tables is there; others are connected; or the server is older; or the role may not.
        ConnectError: The server can't be reached, or was lost.
        OutcomeUnknown: It was lost while the two were swapped.
    """
    how, began = how or How(), time.monotonic()
    backup, target = proving.named(path, profile.name), at(unbounded(profile), into)
    backend = backend_of(target).backups
    proving.refuse_other_kind(backup, backend)
    if backup.manifest.contents == "data":
        raise UsageError(f"{backup.path} has no definitions", "restore it by hand, where they are")
    if backup.manifest.contents != "all":
        _log.warning("%s is not all of it: it lacks %s", backup.path, _lacking(backup))
    backup = picking.picked(backup, how.tables)
    proving.refuse_altered(backup)
    by = _into_server if backend.backup_by_tool else _into_file
    before = by(backup, target, how, dry_run=dry_run)
    made = backup.manifest
    return Restored(
        name_of(target), str(backup.path), made.snapshot, len(made.tables), made.rows,
        round(time.monotonic() - began, 3), before,
    )  # fmt: skip


def _lacking(backup: Found) -> str:
    rows = [lack for lack in backup.manifest.lacks if lack.startswith("the rows of ")]
    return ", ".join(rows) if backup.manifest.contents == "part" else "all rows"


def _name_before(name: str, backend: Backups) -> str:
    """Return a name for the database that was there, to the millisecond, so that no other has it."""
    now = datetime.now(UTC)
    ending = f"_before_{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z"
    room = (backend.longest_name or 64) - len(ending)
    return name.encode()[:room].decode(errors="ignore") + ending


def _into_server(backup: Found, target: Profile, how: How, *, dry_run: bool) -> str | None:
    name = name_of(target)
    if name.lower() in backend_of(target).system_databases:
        raise WorkRefused(f"{target.called}: database {name} is the server's own, and is not replaced")
    with on_server(target) as (connection, plain):
        backend = plain.backups
        proving.refuse_unfit(backup, connection, backend)
        there = backend.has_database(connection, name)
        if not how.tables:
            backend.refuse_unmovable(connection, name)
        if there and not how.tables:
            _refuse_users(backend, connection, name, how)
    if there and how.tables:
        picking.refuse_existing(target, backup)
        if not dry_run:
            picking.bring_into(target, backup, owners=how.owners)
        return None
    before = _name_before(name, backend) if there else None
    if dry_run:
        return None if how.drop_old else before
    properties = properties_of(target) if there else backup.manifest.properties
    tables = picking.names_of(backup.manifest) if how.tables else ()
    with scratch(target, "restore", properties) as made:
        loading.load(backup, made.connection, made.backend, made.name, jobs=how.jobs, owners=how.owners, tables=tables)
        for key in made.backend.loosen(made.connection, made.name) if tables else ():
            _log.warning("without the foreign key %s of %s: what it refers to is not restored", key.name, key.table)
        proving.refuse_different(backup, target.model_copy(update={"database": made.name}))
        _give_properties(made, properties, owners=how.owners)
        _put_in_place(made, name, before, how)
    if before is not None and how.drop_old:
        return None if _dropped(target, before) else before
    return before


def _refuse_users(backend: Backups, connection: Any, name: str, how: How) -> None:
    users = backend.users_of(connection, name)
    if users and not how.force:
        said = ", ".join(map(str, users[:5])) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
        raise WorkRefused(
            f"{backend.profile.called}: others are connected to database {name}: {said}", Remedy.END_SESSIONS
        )


def _give_properties(made: Scratch, properties: Mapping[str, Any], *, owners: bool) -> None:
    """Give a new database the owner, the grants and the settings that it is to have; a role may be missing here."""
    for statement in made.backend.with_properties(made.name, properties, owner=owners)[1]:
        try:
            with made.backend.translating():
                made.connection.exec_driver_sql(statement)
        except DbctlError as error:
            _log.warning("the database does without this: %s: %s", statement.replace(made.name, "…"), error.message)


def _put_in_place(made: Scratch, name: str, before: str | None, how: How) -> None:
    """Give it its name; until that is begun all is as it was, and from then on nobody ends it in between."""
    if before is not None:
        _refuse_users(made.backend, made.connection, name, how)
    made.backend.refuse_unmovable(made.connection, name)
    begin_what_is_not_divided()
    try:
        with made.backend.translating():
            made.kept = made.backend.swap(made.connection, made.name, name, before, force=how.force)
    except ConnectError as error:
        raise OutcomeUnknown(
            f"{error.message}; {made.name} was about to be renamed to {name}, and may have been",
            f"look at {' and '.join(filter(None, [name, before]))} before you run it again",
        ) from error


def _dropped(target: Profile, name: str) -> bool:
    from dbctl.databases.changes import drop

    why = "the run was ended"
    if not is_ended():
        try:
            with watched_by(None):  # what is restored is told as that, whoever ends the work meanwhile
                drop(target.model_copy(update={"database": name}), force=True)
        except DbctlError as error:
            why = error.message
        else:
            return True
    _log.warning("%s is restored, and the one before stays as %s: %s", target.database, name, why)
    return False


def _into_file(backup: Found, target: Profile, how: How, *, dry_run: bool) -> str | None:
    file = backend_of(target).database_file()
    assert file is not None, "its database is a file"
    file = file.resolve()  # who opens it by its own name is to have the new one too
    there = file.exists()
    _refuse_odd(file, target)
    if how.tables:
        _tables_into_file(backup, target, file, dry_run=dry_run)
        return None
    if there:
        refuse_in_use(target)
    before = file.with_name(_name_before(file.name, backend_of(target).backups)) if there else None
    with files.unfinished(file.parent) as work:
        if dry_run:
            return None if how.drop_old or before is None else before.name
        new = work / "restored"
        loading.unpack(backup, new)
        proving.refuse_different(backup, target.model_copy(update={"database": str(new)}))
        for end in backend_of(target).beside:
            new.with_name(new.name + end).unlink(missing_ok=True)
        backend_of(target).backups.give_properties(new, backup.manifest.properties)
        if before is None:
            begin_what_is_not_divided()
            _publish(new, file)
            return None
        _replace_file(file, new, before, target)
    if how.drop_old:
        before.unlink()
        return None
    return before.name


def _tables_into_file(backup: Found, target: Profile, file: Path, *, dry_run: bool) -> None:
    """Copy the tables into the file that is there, or into a new one."""
    if there := file.exists():
        picking.refuse_existing(target, backup)
    if dry_run:
        return
    with files.unfinished(file.parent) as work:
        source, new = work / "restored", work / "new"
        loading.unpack(backup, source)
        proving.refuse_different(backup, target.model_copy(update={"database": str(source)}))
        if not there:
            new.touch()
        picking.copy_into(target if there else target.model_copy(update={"database": str(new)}), backup, source)
        if not there:
            _publish(new, file)


def _replace_file(file: Path, new: Path, before: Path, target: Profile) -> None:
    """Put a file in another's place, which keeps its mode and its owner, and is there under another name too."""
    refuse_in_use(target, alone=True)  # what its log holds is in the file then, and the log is gone
    old = file.stat()
    new.chmod(old.st_mode & 0o7777)
    with suppress(PermissionError):
        os.chown(new, old.st_uid, old.st_gid)
    begin_what_is_not_divided()
    os.link(file, before)
    os.replace(new, file)
    files.sync_directory(file.parent)


def _refuse_odd(file: Path, target: Profile) -> None:
    """Refuse what is no file, and one that is not there while what belonged to it is: it would be read into the new.

    https://sqlite.org/howtocorrupt.html#_unlinking_or_renaming_a_database_file_while_in_use
    """
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is no file", "name a database's file, there or not")
    left = [one for end in backend_of(target).beside if (one := file.with_name(file.name + end)).exists()]
    if left and not file.exists():
        raise WorkRefused(
            f"{left[0]} is there without its database, and would be read into the new one",
            "move it to where that has gone, or away",
        )


def _publish(new: Path, file: Path) -> None:
    """Give a new file its name where nothing has it."""
    try:
        files.publish([(new, file)])
    except UsageError as error:
        raise WorkRefused(
            f"{file} has come to be meanwhile, and is not replaced", "look at it, and run it again"
        ) from error
