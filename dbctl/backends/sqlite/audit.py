"""What `dbctl doctor` asks SQLite, whose server is this process and the file system."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backends.audit import Facts, Questions
from dbctl.backends.findings import Figures, Finding, Level

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

_SHOWN = 3
"""Problems of a file that are shown; the rest is counted."""


def facts(backend: Backend, connection: Connection, *, deep: bool) -> Facts:
    """Look at the connection's settings and at the file's; with `deep`, read all of it."""
    questions = Questions(backend, connection)
    findings = questions.findings
    ask = questions.ask
    findings.extend(ask("foreign_keys", _foreign_keys) or ())
    if file := ask("permissions", _file):
        findings.extend(ask("busy_timeout", _busy_timeout) or ())
        findings.extend(ask("journal_mode", _journal_mode) or ())
        findings.extend(ask("permissions", lambda _: _permissions(file)) or ())
    if deep:
        findings.extend(_integrity(connection))
    return Facts(findings=findings)


def _pragma(connection: Connection, name: str) -> str:
    return str(connection.exec_driver_sql(f"PRAGMA {name}").scalar())


def _foreign_keys(connection: Connection) -> list[Finding]:
    if _pragma(connection, "foreign_keys") == "1":
        return [Finding(Level.OK, "foreign_keys", "enforced")]
    why = "A row may refer to one that is not there."
    return [Finding(Level.ERROR, "foreign_keys", "not enforced", why, "PRAGMA foreign_keys = ON")]


def _busy_timeout(connection: Connection) -> list[Finding]:
    seconds = int(_pragma(connection, "busy_timeout")) / 1000
    figures: Figures = {"value": seconds, "unit": "s"}
    if seconds:
        return [Finding(Level.OK, "busy_timeout", f"{seconds:g} s", **figures)]
    why = 'Whoever meets another\'s lock fails at once with "database is locked".'
    return [Finding(Level.WARNING, "busy_timeout", "0 s", why, "PRAGMA busy_timeout = 5000", **figures)]


def _journal_mode(connection: Connection) -> list[Finding]:
    mode = _pragma(connection, "journal_mode")
    if mode == "wal":
        return [Finding(Level.OK, "journal_mode", mode)]
    if mode in {"off", "memory"}:
        why = "A crash during a commit leaves the file corrupt."
        return [Finding(Level.ERROR, "journal_mode", mode, why, "PRAGMA journal_mode = WAL")]
    # https://www.sqlite.org/wal.html
    why = "Readers hold off the writer, and it them. In WAL mode they do not; it needs a local disk, no network's."
    return [Finding(Level.NOTE, "journal_mode", mode, why, "PRAGMA journal_mode = WAL, once: the file keeps it")]


def _file(connection: Connection) -> Path | None:
    """Return the database's file, None where it is in memory."""
    rows = connection.exec_driver_sql("PRAGMA database_list")
    return next((Path(path) for _, name, path in rows if name == "main" and path), None)


def _permissions(file: Path) -> list[Finding]:
    return list(_open_to_others(file)) or [Finding(Level.OK, "permissions", "none for other users")]


def _open_to_others(file: Path) -> Iterator[Finding]:
    mode, directory = file.stat().st_mode, file.parent.stat().st_mode
    if not directory & stat.S_IXOTH:
        return  # they can't come near it
    if directory & stat.S_IWOTH and not directory & stat.S_ISVTX:
        why = "Anyone on this machine may put another file in the database's place."
        yield Finding(Level.ERROR, "permissions", f"others may write into {file.parent}", why, "chmod o-w")
    if mode & stat.S_IWOTH:
        why = "Anyone on this machine may change the data."
        yield Finding(Level.ERROR, "permissions", f"others may write {file}", why, "chmod o-rw")
    elif mode & stat.S_IROTH:
        why = "Anyone on this machine may read the data."
        yield Finding(Level.NOTE, "permissions", f"others may read {file}", why, "chmod o-r")


def _integrity(connection: Connection) -> Iterator[Finding]:
    """Read the whole file (https://www.sqlite.org/pragma.html#pragma_integrity_check)."""
    from sqlalchemy.exc import DatabaseError

    try:
        problems = [str(text) for (text,) in connection.exec_driver_sql("PRAGMA integrity_check") if text != "ok"]
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    except DatabaseError as error:  # it is too broken to be read
        problems, orphans = [str(error.orig)], []
    for table, row, parent, _ in orphans:
        problems.append(f"row {row} of {table} refers to a row of {parent} that is not there")
    figures: Figures = {"value": len(problems), "limit": 0, "unit": "errors"}
    if not problems:
        yield Finding(Level.OK, "integrity", "whole", **figures)
        return
    more = f", and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    fix = "restore a backup, or: sqlite3 FILE .recover" if not orphans or len(problems) > len(orphans) else None
    yield Finding(
        Level.ERROR,
        "integrity",
        "; ".join(problems[:_SHOWN]) + more,
        "The database breaks its own rules: queries may return wrong rows.",
        fix or "delete those rows, or add what they refer to",
        **figures,
    )
