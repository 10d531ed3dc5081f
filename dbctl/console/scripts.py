"""Running code: what is typed at a prompt, and a script as a whole."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import traceback
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any

from dbctl.console.showing import shown
from dbctl.errors import DbctlError, Exited

if TYPE_CHECKING:
    from dbctl.console.sessions import Desk

FAILED = 1
"""The exit code of code that has raised an error of Python's own, which is shown as Python shows it."""


def run(code: CodeType, names: dict[str, Any], desk: Desk) -> Any:
    """Run compiled code in the console's names, and return its value; what it awaits is awaited."""
    value = eval(code, names)
    if code.co_flags & inspect.CO_COROUTINE:
        return desk.awaited(value)
    return value


def run_script(source: str, name: str, names: dict[str, Any], desk: Desk) -> None:
    """Run a script to its end; the value of its last line is shown where that is an expression.

    Args:
        source: The script.
        name: What its lines are told by, such as `<stdin>`.
        names: The console's names.
        desk: What it works on.

    Raises:
        Exited: It has raised an error of Python's own, whose traceback is shown; or it has exited with another code
            than 0.
        DbctlError: The database refuses what it asked for; the line is told.
    """
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    try:
        with desk.running():
            value = _value_of(source, name, names, desk)
            if value is not None and not shown(value, desk):
                print(repr(value))
    except SystemExit as error:
        if error.code not in (None, 0):
            raise exited(error) from None
    except Exception as error:
        known = desk.settled(error)
        if known is None:
            show_traceback(error, name)
            raise Exited(FAILED) from None
        if line := line_of(error, name):
            known.message += f" ({name.strip('<>')}, line {line})"
        raise known from error


def _value_of(source: str, name: str, names: dict[str, Any], desk: Desk) -> Any:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if desk.runner else 0
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    run(compile(tree, name, "exec", flags, dont_inherit=True), names, desk)
    if not isinstance(last, ast.Expr):
        return None
    return run(compile(ast.Expression(last.value), name, "eval", flags, dont_inherit=True), names, desk)


def exited(error: SystemExit) -> DbctlError:
    """Return the error for code that has exited with another code than 0, as Python itself would do that."""
    return Exited(error.code) if isinstance(error.code, int) else Exited(FAILED, str(error.code))


def line_of(error: BaseException, name: str) -> int | None:
    """Return the last line of a script, by its name, that has led to an error; None where none has."""
    within: BaseException | None = error
    while within is not None:
        lines = [frame.lineno for frame in traceback.extract_tb(within.__traceback__) if frame.filename == name]
        if lines:
            return lines[-1]
        within = within.__cause__
    return None


def show_traceback(error: BaseException, name: str) -> None:
    """Show an error as Python does, from the first of the script's own lines on."""
    if sys.stderr is not None:
        traceback.print_exception(type(error), error, _from(error.__traceback__, name))


def _from(trace: TracebackType | None, name: str) -> TracebackType | None:
    """Return the part of a traceback that begins in a script; nothing where it never came there, as of bad syntax."""
    while trace is not None and trace.tb_frame.f_code.co_filename != name:
        trace = trace.tb_next
    return trace
