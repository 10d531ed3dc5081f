"""The databases' own programs: which there are, and which of them fits a server by its version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from dbctl.errors import ConfigError
from dbctl.records import record
from dbctl.runtime.waits import result_of, started

_TO_TELL = 10.0
"""Seconds that a program has to tell its version."""

Version = tuple[int, ...]


@record
class Tool:
    """A program that is there, and its version."""

    name: str
    path: str
    version: Version

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"


def tools_called(
    names: Iterable[str], elsewhere: Iterable[str], version_of: Callable[[str], Version | None]
) -> Iterator[Tool]:
    """Yield the programs with some names that are on PATH, or in other directories.

    Args:
        names: The names, the better one first.
        elsewhere: Patterns of directories that PATH does not have.
        version_of: Returns a version of what `--version` says; None where it is another program.
    """
    listed = [place for place in os.get_exec_path() if place]
    others = [str(place) for pattern in elsewhere for place in sorted(Path("/").glob(pattern.lstrip("/")))]
    found: dict[str, tuple[str, str]] = {}
    for name in names:
        for place in [*listed, *others]:
            if path := shutil.which(name, path=place):
                found.setdefault(os.path.realpath(path), (name, path))
    # At once: some are scripts that take longer to begin than what they lead to.
    asked = [(name, path, started(partial(_told, path))) for name, path in found.values()]
    for name, path, told in asked:
        if version := version_of(result_of(told)):
            yield Tool(name, path, version)


def _told(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TO_TELL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def version_in(text: str, pattern: str) -> Version | None:
    """Return the numbers that a pattern's groups find."""
    found = re.search(pattern, text)
    return tuple(int(number) for number in found.groups() if number is not None) if found else None


def fitting(tools: Sequence[Tool], version: Version) -> Tool | None:
    """Return the oldest tool that is not older than a version; None where all are."""
    return min((tool for tool in tools if tool.version[: len(version)] >= version), key=_age, default=None)


def _age(tool: Tool) -> Version:
    return tool.version


def refuse_tool(title: str, version: Version, tools: Sequence[Tool], what: str, package: str) -> ConfigError:
    """Return the error where no tool fits a server."""
    shown = ".".join(map(str, version))
    if not tools:
        return ConfigError(f"there is no {what} here for {title} {shown}", f"{package} installs it")
    found = ", ".join(dict.fromkeys(map(str, tools)))
    return ConfigError(f"{found} is older than {title} {shown}, which it can't read", f"install {package}")
