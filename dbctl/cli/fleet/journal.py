"""The file that notes which profiles a command is done on, so that a further run goes on where one has ended."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError, UsageError


class Journal:
    """Notes, a line each, what is done. It is of one command with its arguments.

    Args:
        path: The file; it is made where it is not there.
        command: The command, as it was said.

    Raises:
        ConfigError: It can't be read or written.
        UsageError: It is of another command, or no such file.
    """

    def __init__(self, path: str, command: str) -> None:
        self._path, self._command = Path(path), command
        if path == "-" or (self._path.exists() and not self._path.is_file()):
            raise UsageError(f"--resume {path}: it is no file", "name one, there or not")
        self._whole = 0
        self.done: Collection[str] = frozenset(self._read())
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, self._whole)  # a line that was cut off as it was written
        except OSError as error:
            raise ConfigError(f"--resume {path}: it can't be written: {error.strerror}") from error

    def note(self, profile: str) -> None:
        """Note that a profile is done, and have the disk hold that."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"profile": profile, "done": now, "command": self._command})
        os.write(self._file, f"{line}\n".encode())
        os.fsync(self._file)

    def _read(self) -> list[str]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"--resume {self._path}: it can't be read: {getattr(error, 'strerror', error)}"
            ) from error
        *lines, cut_off = text.split("\n")
        self._whole = len(text.encode()) - len(cut_off.encode())
        return [self._profile_in(number, line) for number, line in enumerate(lines, 1)]

    def _profile_in(self, number: int, line: str) -> str:
        try:
            said: Any = json.loads(line)
            profile, command = said["profile"], said["command"]
        except (ValueError, TypeError, KeyError):
            raise UsageError(
                f"--resume {self._path}: line {number} is none of its notes", "name another file"
            ) from None
        if command != self._command:
            raise UsageError(
                f"--resume {self._path}: it is of another command: {command}", "name another file, or remove that one"
            )
        return str(profile)
