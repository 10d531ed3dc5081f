"""The talk on stderr: one line an error, one line a note; for programs an object an event, `dbctl.cli.events`."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field, replace
from typing import Any

from dbctl.cli import events
from dbctl.cli.exits import ExitCode, exit_code
from dbctl.cli.hints import hint_of, left_by, told
from dbctl.cli.options import Globals
from dbctl.cli.outcome import current
from dbctl.cli.streams import complain, discard_stdout
from dbctl.errors import ConfigError, DbctlError
from dbctl.records import record


@record
class _How:
    """How much is said, in which form, and what was said on the line: hints are to be pasted."""

    quiet: bool = False
    debug: bool = False
    errors_as_json: bool = False
    all_as_json: bool = False
    said: Globals | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


_how = _How()
_log = logging.getLogger("dbctl")

_whose: ContextVar[str | None] = ContextVar("dbctl_whose", default=None)
_heard: ContextVar[Callable[[str], object]] = ContextVar("dbctl_heard", default=lambda _: None)

_TURNS = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Unicode's embeddings, overrides and isolates (https://www.unicode.org/reports/tr9), and the escapes for them."""

_STATEMENTS = "sqlalchemy.engine.Engine"
"""The logger that echoes statements."""


class _Notes(logging.Handler):
    """Shows what the library logs; a record's `event` and `facts` are what programs are told of it."""

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", "warning" if record.levelno >= logging.WARNING else "note")
        current().retries += event == "retry"
        if record.levelno >= logging.WARNING or not _how.quiet:
            _tell(event, record.getMessage(), **getattr(record, "facts", {}))


class _Statements(logging.Handler):
    """Shows statements that are echoed, for programs. They come without the passwords in them."""

    def emit(self, record: logging.LogRecord) -> None:
        _tell("statement", self.format(record))


def set_up(
    *,
    quiet: bool = False,
    debug: bool = False,
    errors_as_json: bool = False,
    all_as_json: bool = False,
    said: Globals | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> None:
    """Decide how much is said, and how.

    Args:
        quiet: Errors only.
        debug: Tracebacks with errors, and what SQLAlchemy's pool logs.
        errors_as_json: An error is an object.
        all_as_json: So is all else.
        said: The global options of the line, for hints.
        arguments: The arguments of its command, for hints.
    """
    global _how  # noqa: PLW0603  # one process says one thing in one way
    _how = _How(quiet, debug, errors_as_json or all_as_json, all_as_json, said, arguments or {})
    notes = logging.getLogger("dbctl")
    notes.handlers = [_Notes()]
    notes.setLevel(logging.INFO)
    notes.propagate = False
    if all_as_json:
        statements = logging.getLogger(_STATEMENTS)
        statements.handlers, statements.propagate = [_Statements()], False
    if not debug:
        # The pool logs tracebacks of connections that died; the command's own error line says what matters.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL + 1)


@contextmanager
def speaking_of(profile: str, heard: Callable[[str], object] = lambda _: None) -> Iterator[None]:
    """Name a profile in all that is said in the block: what is said of others comes between; `heard` hears it too."""
    token, listening = _whose.set(profile), _heard.set(heard)
    try:
        yield
    finally:
        _whose.reset(token)
        _heard.reset(listening)


def errors_as_json() -> bool:
    """Tell whether a program reads the errors."""
    return _how.errors_as_json


def conclude(code: int) -> None:
    """Tell the monitor how the command has ended, if there was one: its file, and those who read the talk.

    A file that can't be written is said, and the exit code stays the command's own.
    """
    outcome = current()
    if outcome.concluded or not (outcome.started or code):
        return
    outcome.concluded = True
    if outcome.metrics is not None:
        from dbctl.cli import metrics

        try:
            if not outcome.started:
                metrics.check(outcome.metrics)
            if others := metrics.write(outcome.metrics, outcome, code):
                _log.warning(
                    "--metrics %s: it was that of %s; give each job a file of its own", outcome.metrics, others
                )
        except DbctlError as error:
            _log.warning("%s", error.message)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            _log.warning(
                "--metrics %s: it can't be written: %s; the exit code, %d, is the command's own",
                outcome.metrics,
                why,
                code,
            )
    say_end(code)


def say_start() -> None:
    """Say to programs that a command is run."""
    if _how.all_as_json and not _how.quiet:
        _tell("start", f"{current().command} begins")


def say_end(code: int) -> None:
    """Say to programs how a command has ended; people see it."""
    if _how.all_as_json and not _how.quiet:
        outcome = current()
        word, seconds = outcome.word(code), round(outcome.seconds, 3)
        facts = {"outcome": word, "code": code, "seconds": seconds, "retries": outcome.retries, "rows": outcome.rows}
        _tell("end", f"{outcome.command or 'dbctl'}: {word} after {seconds:.3f} s", **facts)


def say_error(error: DbctlError) -> None:
    """Say what is wrong and what to do, one line a finding."""
    said, arguments = _said(), _how.arguments
    if _how.errors_as_json:
        message = "; ".join(filter(None, [error.message, left_by(error, said)]))
        kind = events.kind_of(error)
        _tell_error(error, kind, exit_code(error), message, hint_of(error, said, arguments))
        return
    # Only a profile has several findings, a line each; elsewhere a line's end can only be part of a value.
    text = told(error, said, arguments)
    for line in text.split("\n") if isinstance(error, ConfigError) else [text]:
        _say(f"dbctl: error: {line}")
    _trace(error)


def say_note(text: str) -> None:
    """Say what there is to know, and nothing is wrong with what was asked for."""
    _tell("note", text)


def say_usage(message: str, command: str) -> None:
    """Say what does not fit the command that was typed."""
    message, hint = message.rstrip("."), f"see: {command} --help"
    if _how.errors_as_json:
        _tell_error(None, "UsageError", ExitCode.USAGE, message, hint)
    else:
        _say(f"dbctl: error: {message}; {hint}")


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


def say_interrupted(
    error: BaseException, *, writes: bool = False, committed: bool = False, code: int | None = None
) -> None:
    """Say that a signal ended the work, or came when all of it was committed, and write nothing more to stdout.

    Args:
        error: What the signal raised.
        writes: Whether the work meant to write: nothing else has anything to roll back.
        committed: Whether all of it was committed.
        code: The exit code, where it is not the signal's own.
    """
    discard_stdout()
    outcome = "all of it is committed, but not shown" if committed else "what was not committed is rolled back"
    told_left = f"; {left}" if (left := left_by(error, _said())) else ""
    text = f"interrupted: {outcome}{told_left}" if writes else "interrupted"
    if _how.errors_as_json:
        from dbctl.work.signals import Terminated

        terminated = isinstance(error, Terminated)
        code = code or (ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED)
        _tell_error(error, "Terminated" if terminated else "Interrupted", code, text, "")
        return
    _say(f"dbctl: {text}")
    _trace(error)


def say_bug(error: Exception) -> None:
    """Say that dbctl itself is wrong."""
    message = f"a bug in dbctl: {' '.join(f'{type(error).__name__}: {error}'.split())}"
    hint = "run it again with --debug, and report what that shows"
    if _how.errors_as_json:
        _tell_error(error, "Bug", ExitCode.BUG, message, hint)
        return
    _say(f"dbctl: error: {message}; {hint}")
    _trace(error)


def _tell_error(error: BaseException | None, kind: str, code: int, message: str, hint: str) -> None:
    """Say to a program what is wrong, in an object."""
    facts: dict[str, Any] = {"code": int(code), "type": kind, "message": message, "hint": hint or None}
    if _how.debug and error is not None:
        facts["traceback"] = "".join(traceback.format_exception(error))
    complain(events.line("error", current(), {**facts, **_of_whom()}))


def _tell(event: str, text: str, **facts: Any) -> None:
    if _how.all_as_json:
        complain(events.line(event, current(), {**facts, "message": text, **_of_whom()}))
    else:
        _say(f"dbctl: {text}")


def _trace(error: BaseException) -> None:
    if _how.debug and sys.stderr is not None:
        traceback.print_exception(error)


def _say(line: str) -> None:
    _heard.get()(line)
    if (whose := _whose.get()) and f"profile {whose}" not in line:
        beginning = next(one for one in ("dbctl: error: ", "dbctl: ", "") if line.startswith(one))
        line = f"{beginning}profile {whose}: {line.removeprefix(beginning)}"
    complain(visible(line).translate({0x2028: "\\u2028", 0x2029: "\\u2029"}))


def _said() -> Globals | None:
    """Return what was said on the line; of several profiles that alone which is spoken of."""
    whose, said = _whose.get(), _how.said
    return replace(said, profile=[whose], tagged=None, all_profiles=False) if said and whose else said


def _of_whom() -> dict[str, str]:
    return {"profile": whose} if (whose := _whose.get()) else {}


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
