"""The talk on stderr: one line an error, one line a note."""

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from dbctl.cli.hints import left_by, told
from dbctl.cli.options import Globals
from dbctl.cli.streams import complain, discard_stdout
from dbctl.errors import ConfigError, DbctlError

_debug = False
_line: tuple[Globals | None, Mapping[str, Any]] = (None, {})
"""What was said on the line: hints are to be pasted."""

_TURNS = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Unicode's embeddings, overrides and isolates (https://www.unicode.org/reports/tr9), and the escapes for them."""


class _Notes(logging.Handler):
    """Shows what the library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"dbctl: {record.getMessage()}")


def set_up(
    *, quiet: bool, debug: bool, said: Globals | None = None, arguments: Mapping[str, Any] | None = None
) -> None:
    """Decide how much is said.

    Args:
        quiet: Errors only.
        debug: Tracebacks with errors, and what SQLAlchemy's pool logs.
        said: The global options of the line, for hints.
        arguments: The arguments of its command, for hints.
    """
    global _debug, _line  # one process says one thing in one way
    _debug, _line = debug, (said, arguments or {})
    notes = logging.getLogger("dbctl")
    notes.handlers = [_Notes()]
    notes.setLevel(logging.WARNING if quiet else logging.INFO)
    notes.propagate = False
    if not debug:
        # The pool logs tracebacks of connections that died; the command's own error line says what matters.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL + 1)


def say_error(error: DbctlError) -> None:
    """Say what is wrong and what to do, one line a finding."""
    # Only a profile has several findings, a line each; elsewhere a line's end can only be part of a value.
    text = told(error, *_line)
    for line in text.split("\n") if isinstance(error, ConfigError) else [text]:
        _say(f"dbctl: error: {line}")
    _trace(error)


def say_note(text: str) -> None:
    """Say what there is to know, and nothing is wrong with what was asked for."""
    _say(f"dbctl: {text}")


def say_usage(message: str, command: str) -> None:
    """Say what does not fit the command that was typed."""
    _say(f"dbctl: error: {message.rstrip('.')}; see: {command} --help")


def refused_by_system(error: Exception) -> DbctlError | None:
    """Return the error for a file or a directory that the operating system refuses; None for any other error."""
    if not isinstance(error, OSError):
        return None
    if error.filename is not None:
        return ConfigError(f"{os.fsdecode(error.filename)}: {error.strerror}")
    try:
        os.getcwd()
    except OSError as gone:
        return ConfigError(f"the working directory can't be read: {gone.strerror}", "change to one that is there")
    return None


def say_interrupted(error: BaseException, *, writes: bool = False, committed: bool = False) -> None:
    """Say that a signal ended the work, or came when all of it was committed, and write nothing more to stdout.

    Args:
        error: What the signal raised.
        writes: Whether the work meant to write: nothing else has anything to roll back.
        committed: Whether all of it was committed.
    """
    discard_stdout()
    outcome = "all of it is committed, but not shown" if committed else "what was not committed is rolled back"
    told_left = f"; {left}" if (left := left_by(error, _line[0])) else ""
    _say(f"dbctl: interrupted: {outcome}{told_left}" if writes else "dbctl: interrupted")
    _trace(error)


def say_bug(error: Exception) -> None:
    """Say that dbctl itself is wrong."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    _say(f"dbctl: error: a bug in dbctl: {text}; run it again with --debug, and report what that shows")
    _trace(error)


def _trace(error: BaseException) -> None:
    if _debug and sys.stderr is not None:
        traceback.print_exception(error)


def _say(line: str) -> None:
    if sys.stderr is not None:
        complain(visible(line).translate({0x2028: "\\u2028", 0x2029: "\\u2029"}))


def visible(text: str) -> str:
    """Write control characters, which a terminal would obey, as escapes."""
    if text.isprintable():
        return text
    return "".join(character if _harmless(character) else _escaped(character) for character in text)


def visible_on_screen(text: str) -> str:
    """Write as escapes also what turns the direction of a line, by which a value could show what it is not."""
    return visible(text).translate(_TURNS) if not text.isprintable() else text


def _harmless(character: str) -> bool:
    return ord(character) >= 0xA0 or 0x20 <= ord(character) < 0x7F


def _escaped(character: str) -> str:
    if named := {"\t": "\\t", "\n": "\\n", "\r": "\\r"}.get(character):
        return named
    return f"\\x{ord(character):02x}"
