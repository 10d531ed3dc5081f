"""The database's own client on the terminal, with a profile's connection."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbctl.backends.clients import Client, Opening
from dbctl.errors import Exited, UsageError
from dbctl.programs.attending import NOT_FOUND, attend
from dbctl.runtime.private import private_directory
from dbctl.work.database import Turn

if TYPE_CHECKING:
    from dbctl.backends.base import Backend


def run_shell(turn: Turn, words: Sequence[str] = (), *, client: str | None = None, read_only: bool = False) -> None:
    """Run a client of the database to its end, in the main thread; it has the terminal, and no secret as an argument.

    Args:
        turn: The profile's backend, with the lock that is held and the end of its time.
        words: What the client is told besides.
        client: The client's name or path, or several with commas between: the first that is this database's counts.
            Unless given, one that is there: at a terminal one that completes words, else the database's own.
        read_only: Whether the session is to be read-only, until somebody lifts that.

    Raises:
        Exited: It has ended with another exit code than 0, or there is none.
        OutOfTime: It was not done in time, and has been ended.
        UsageError: No client of this database is named so.
        ConfigError: The client can't do what the profile says, or the password's source gives none.
        ConnectError: The lock was lost, and the client has been ended; or the tunnel does not open, or the file is not
            there.
    """
    backend = turn.backend
    chosen, name = _chosen(backend, client, at_terminal=not words and os.isatty(0))
    program = shutil.which(name)
    if program is None:
        raise Exited(NOT_FOUND, f"there is no {name} here; {chosen.package} installs it")
    with private_directory() as directory, _restored_terminal():
        start = chosen.start(backend, Opening(program, directory, read_only))
        environment = {**backend.inherited(chosen.variables), **start.environment}
        attend(turn, [name, *start.arguments, *words], program, environment)


def _chosen(backend: Backend, said: str | None, *, at_terminal: bool) -> tuple[Client, str]:
    """Return a client, and what it is started by."""
    clients = sorted(backend.clients, key=lambda client: client.completes != at_terminal)
    if said is None:
        for client in clients:
            if shutil.which(client.program):
                return client, client.program
        looked_for = " and no ".join(client.program for client in clients)
        installed_by = " or ".join(client.package for client in clients)
        raise Exited(NOT_FOUND, f"there is no {looked_for} here; install one with {installed_by}")
    for name in (part.strip() for part in said.split(",")):
        for client in clients:
            if os.path.basename(name) == client.program:
                return client, name
    allowed = ", ".join(client.program for client in backend.clients)
    raise UsageError(f"--client {said}: none of {backend.title}'s clients", f"they are {allowed}")


@contextmanager
def _restored_terminal() -> Iterator[None]:
    """Leave the terminal after the block as it was before: a client that was killed leaves it as it needed it."""
    try:
        descriptor = sys.__stdin__.fileno()  # type: ignore[union-attr]
        before = termios.tcgetattr(descriptor)
    except (AttributeError, OSError, ValueError, termios.error):  # there is none
        yield
        return
    try:
        yield
    finally:
        handler = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # which would stop what runs in the background
        try:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        except termios.error:  # it has been closed
            pass
        finally:
            signal.signal(signal.SIGTTOU, handler)
