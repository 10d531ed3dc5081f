"""Running a database's own tool under supervision: it is ended with the work, and what it says is told."""

from __future__ import annotations

import logging
import re
import subprocess
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from dbctl.connections.watching import Use, current_watcher, raise_if_ended
from dbctl.errors import ConfigError, ConnectError, OutOfTime, Remedy, WorkRefused
from dbctl.runtime.children import dying_with_parent
from dbctl.runtime.waits import started

if TYPE_CHECKING:
    from dbctl.backends.backups import Backups, Start
    from dbctl.profiles import Profile

_log = logging.getLogger("dbctl")

_TO_END = 5.0
"""Seconds that a tool has to end when it is told to, and is killed after."""

_MOST_LINES = 50
"""How many lines of what a tool says are told, the last ones."""

_REASONS = 3
"""How many lines of it are told where it has failed: the first ones of those that tell why, or else the last ones."""

_LONGEST = 1000
"""How many bytes of a line."""


def unbounded(profile: Profile) -> Profile:
    """Return a profile whose statements take as long as they take: those of a backup have to do with all that there is.

    What bounds the whole work is its deadline.
    """
    return profile.model_copy(update={"statement_timeout": None})


@contextmanager
def tool_at_work(
    backend: Backups, start: Start, *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a tool beside the block; when the block ends it is waited for, and what it has said is told.

    Args:
        backend: The backend whose tool it is.
        start: How it is started.
        stdin: `subprocess.PIPE` where the block writes to it, and closes it.
        stdout: `subprocess.PIPE` where the block reads from it.

    Raises:
        WorkRefused: It has failed.
        ConnectError: It has lost its connection.
        OutOfTime: It has waited for a lock as long as the profile lets it.
        ConfigError: It can't be run.
    """
    try:
        child = subprocess.Popen(
            [start.tool.name, *start.words],
            executable=start.tool.path,
            env={**backend.inherited(), **start.environment, "LC_ALL": "C.UTF-8"},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=dying_with_parent(),  # noqa: PLW1509  # it makes system calls alone
            process_group=0,  # a terminal's Ctrl-C is for dbctl, which ends it
        )
    except OSError as error:
        raise ConfigError(f"{start.tool.path} can't be run: {error.strerror}") from error
    said = started(lambda: _lines(child.stderr, backend.tool_quotes))
    watcher = current_watcher()
    if watcher:
        watcher.note(child, Use(child.terminate, child.kill))
    try:
        yield child
        if child.stdin and not child.stdin.closed:
            child.stdin.close()
        child.wait()
    except BrokenPipeError:  # it has ended, and says why
        child.wait()
    finally:
        _end(child)
        if watcher:
            watcher.forget(child)
    raise_if_ended()
    _tell(backend, start, child.returncode, said.result())


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_TO_END)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for stream in (child.stdin, child.stdout):
        if stream and not stream.closed:
            try:
                stream.close()
            except BrokenPipeError:
                continue


def _lines(stream: IO[bytes] | Any, quotes: bytes) -> Sequence[str]:
    """Return the last lines that a tool has said, without the statements that it quotes: they are full of values."""
    found: deque[str] = deque(maxlen=_MOST_LINES)
    quoting = False
    with stream:
        for line in stream:
            if quotes and line.rstrip() == quotes:
                quoting = not quoting
            elif not quoting:
                found.append(line[:_LONGEST].decode(errors="replace").rstrip())
    return list(found)


def _tell(backend: Backups, start: Start, code: int, lines: Sequence[str]) -> None:
    """Tell what a tool has said, and raise where it has failed: by its exit code, and by nothing that it says."""
    lines = [line for line in lines if line.strip()]
    if code == 0:
        for line in lines:
            _log.info("%s", _named(start.tool.name, line))
        return
    reasons = [found[0] for line in lines if (found := re.search(backend.tool_reasons, line))]
    called, last = backend.profile.called, "; ".join(reasons[:_REASONS] or lines[-_REASONS:])
    how = f"was ended by signal {-code}" if code < 0 else f"has failed with exit code {code}"
    message = f"{called}: {start.tool.name} {how}" + (f": {_named(start.tool.name, last)}" if last else "")
    if re.search(backend.tool_lost, last):
        raise ConnectError(message)
    if re.search(backend.tool_overdue, last):
        raise OutOfTime(message, Remedy.WAIT_LONGER)
    raise WorkRefused(message, start.hint)


def _named(tool: str, line: str) -> str:
    return line if line.startswith(tool) else f"{tool}: {line}"
