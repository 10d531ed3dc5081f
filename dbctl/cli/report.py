"""The talk on stderr: one line an error, one line a note."""

import logging
import sys
import traceback

from dbctl.cli.hints import told
from dbctl.cli.streams import complain, discard_stdout
from dbctl.errors import ConfigError, DbctlError

_debug = False

_TURNS = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Unicode's embeddings, overrides and isolates (https://www.unicode.org/reports/tr9), and the escapes for them."""


class _Notes(logging.Handler):
    """Shows what the library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"dbctl: {record.getMessage()}")


def set_up(*, quiet: bool, debug: bool) -> None:
    """Decide how much is said.

    Args:
        quiet: Errors only.
        debug: Tracebacks with errors, and what SQLAlchemy's pool logs.
    """
    global _debug  # noqa: PLW0603  # one process says one thing in one way
    _debug = debug
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
    text = told(error)
    for line in text.split("\n") if isinstance(error, ConfigError) else [text]:
        _say(f"dbctl: error: {line}")
    _trace(error)


def say_note(text: str) -> None:
    """Say what there is to know, and nothing is wrong with what was asked for."""
    _say(f"dbctl: {text}")


def say_usage(message: str, command: str) -> None:
    """Say what does not fit the command that was typed."""
    _say(f"dbctl: error: {message.rstrip('.')}; see: {command} --help")


def say_interrupted(error: BaseException, *, committed: bool = False) -> None:
    """Say that a signal ended the work, or came when all of it was committed, and write nothing more to stdout."""
    discard_stdout()
    outcome = "all of it is committed, but not shown" if committed else "what was not committed is rolled back"
    _say(f"dbctl: interrupted: {outcome}")
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
