"""Running any program with a profile's connection in its environment, under its lock and within a deadline."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.errors import Exited
from dbctl.programs.attending import NOT_FOUND, NOT_RUN, attend
from dbctl.runtime.private import private_directory
from dbctl.work.database import Turn

if TYPE_CHECKING:
    from dbctl.backends.base import Backend


def run_program(turn: Turn, words: Sequence[str], *, scheme: str | None = None) -> None:
    """Run a program to its end, in the main thread; a signal is handed on to it.

    Args:
        turn: The profile's backend, with the lock that is held and the end of its time.
        words: The program and its arguments.
        scheme: What DATABASE_URL begins with; the database's plain name unless given.

    Raises:
        Exited: It has ended with another exit code than 0; with 128 and a signal's number where that ended it.
        OutOfTime: It was not done in time, and has been ended.
        UsageError: The scheme is none of the database's.
        ConnectError: The lock was lost, and the program has been ended.
    """
    program = shutil.which(words[0])
    if program is None:
        if os.path.dirname(words[0]) and os.path.exists(words[0]):
            why = "it is a directory" if os.path.isdir(words[0]) else "it is not executable"
            raise Exited(NOT_RUN, f"{words[0]} can't be run: {why}")
        raise Exited(NOT_FOUND, f"there is no program {words[0]}")
    with private_directory() as directory:
        attend(turn, words, program, environment_of(turn.backend, directory, scheme=scheme))


def environment_of(backend: Backend, directory: Path, *, scheme: str | None = None) -> Mapping[str, str]:
    """Return this process's environment with a profile's connection in it.

    Args:
        backend: The profile's backend.
        directory: Where files are made that variables name.
        scheme: What DATABASE_URL begins with.

    Raises:
        UsageError: The scheme is none of the database's.
        ConfigError: The password's source gives none.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in backend.client_variables}
    connection = {"DATABASE_URL": backend.program_url(scheme), **backend.client_environment(directory)}
    return inherited | connection
