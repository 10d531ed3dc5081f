"""Making a backup: one moment of a database, in a file that is whole or not there, with its manifest beside it."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backups import files, keeping, packing
from dbctl.backups.manifest import ENDING, Manifest, beside
from dbctl.backups.writing import Wish, tell_bytes, writing
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import OutputLost, UsageError
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.connections.connector import Connector

_log = logging.getLogger("dbctl")


@record
class Made:
    """A backup that was made. `removed` names those that are not kept any more."""

    backup: str
    database: str
    server: str
    snapshot: str
    bytes: int
    tables: int
    rows: int
    seconds: float
    sha256: str = field(metadata={"table": False})
    removed: Sequence[str] = ()


def create(connector: Connector[Engine], target: Path, wish: Wish | None = None) -> Made:
    """Make a backup of a profile's database.

    Args:
        connector: The profile's engine.
        target: The file, which is not there; or a directory, in which its name carries the time.
        wish: What is wanted of it.

    Raises:
        UsageError: The file is there, or there is no directory for it, or there are rules without a directory.
        ConfigError: There is no tool that can, or nothing can be written.
        ConnectError: The server can't be reached, or was lost.
        WorkRefused: The tool has failed; nothing is left of it.
        NoSpace: The disk is full; nothing is left of it.
    """
    wish = wish or Wish()
    directory = target if target.is_dir() and not beside(target).exists() else None  # a backup may be a directory
    if directory is None:
        files.refuse_existing(target)
    if wish.rules.say_something and directory is None:
        raise UsageError(f"{target} is no directory, and backups are kept by rules in one alone", "name a directory")
    with (
        files.telling_of_space(target),
        files.unfinished(directory or target.parent) as work,
        writing(connector, wish) as writer,
    ):
        made = work / "backup"
        writer.write(made)
        files.sync(made)
        others = [(work / "globals", files.GLOBALS)] if wish.with_globals else []
        for made_globals, _ in others:
            writer.write_globals(made_globals)
            files.sync(made_globals)
        size, sha256 = writer.summed or files.digest(made, lambda done: tell_bytes(done, "reading it back"))
        manifest = writer.manifest(size, sha256)
        noted = work / "manifest"
        noted.touch(mode=0o600)
        noted.write_text(manifest.text(), encoding="utf-8")
        files.sync(noted)
        raise_if_ended()
        path = _published(target, directory, manifest, writer.ending, [*others, (noted, ENDING), (made, "")])
    result = _made(path.name if directory else str(path), manifest)
    if directory:
        removed = keeping.remove_superseded(keeping.Found(path, manifest), wish.rules)
        result = replace(result, removed=removed)
    return result


def _published(
    target: Path, directory: Path | None, manifest: Manifest, ending: str, parts: Sequence[tuple[Path, str]]
) -> Path:
    """Give a backup and what is beside it their names, and return its own."""
    with files.alone_in(directory or target.parent):
        path = files.name_for(manifest, directory, ending) if directory else target
        files.refuse_existing(path)
        beside(path).unlink(missing_ok=True)  # a killed run's, whose backup never came to be
        files.publish([(made, path.with_name(path.name + end)) for made, end in parts])
    return path


def pour(connector: Connector[Engine], descriptor: int, manifest: Path | None, wish: Wish | None = None) -> Made:
    """Write a backup to a pipe, and its manifest to a file when all of it is written.

    Args:
        connector: The profile's engine.
        descriptor: The pipe's, which is left open.
        manifest: The manifest's path, where nothing is; None for none.
        wish: What is wanted of it; rules and jobs are for files.

    Raises:
        OutputLost: Who reads has left, and does not have all of it; or it goes to a disk that is full.
    """
    wish = wish or Wish()
    if wish.rules.say_something or wish.extent.jobs > 1 or wish.with_globals:
        raise UsageError("a pipe keeps no older backups, and has room for one file from one job", "name a directory")
    if manifest:
        files.refuse_existing(manifest)
        if not manifest.parent.is_dir():
            raise UsageError(f"there is no directory {manifest.parent}", "make it, or name another")
    else:
        _log.warning("what is written is not provable, and can't be restored by dbctl, without its --manifest FILE")
    with writing(connector, wish) as writer:
        try:
            with os.fdopen(os.dup(descriptor), "wb", buffering=0) as file:
                writer.pour(file)
                packing.wait_for_reader(file)
        except BrokenPipeError as error:
            raise OutputLost("who reads the backup has left before its end: it is not whole") from error
        except OSError as error:
            if error.filename is not None:
                raise
            raise OutputLost(f"the backup can't be written: {error.strerror}: it is not whole") from error
        found = writer.manifest(*writer.summed or (0, ""))
    if manifest:
        with files.telling_of_space(manifest), files.unfinished(manifest.parent) as work:
            noted = work / "manifest"
            noted.touch(mode=0o600)
            noted.write_text(found.text(), encoding="utf-8")
            files.sync(noted)
            files.publish([(noted, manifest)])
    return _made("-", found)


def _made(name: str, manifest: Manifest) -> Made:
    kept = {key: getattr(manifest, key) for key in ("database", "server", "snapshot", "bytes", "rows", "sha256")}
    return Made(backup=name, tables=len(manifest.tables), seconds=manifest.seconds, **kept)
