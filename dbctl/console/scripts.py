"""Running code: what is typed at a prompt, and a script as a whole."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import traceback
from collections.abc import Iterator
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any

from dbctl.console.showing import shown
from dbctl.errors import DbctlError, Exited

if TYPE_CHECKING:
    from dbctl.console.sessions import Desk

_INTERNAL = frozenset({"dbctl", "sqlalchemy", "sqlmodel", "contextlib", "asyncio", "ast"})
"""The packages whose lines say nothing of what is wrong with the code that was typed."""

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
                sys.__displayhook__(value)
    except SystemExit as error:
        if error.code not in (None, 0):
            raise exited(error) from None
    except Exception as error:
        known = desk.settled(error)
        if known is None:
            show_traceback(error)
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


def show_traceback(error: BaseException) -> None:
    """Show an error as Python does, but for the lines of what the code is run by, and of what it calls."""
    if sys.stderr is not None:
        traceback.print_exception(with_own_lines(error))


def with_own_lines(error: BaseException) -> BaseException:
    """Return an error whose traceback begins with the first line that is not dbctl's own.

    Where SQLAlchemy has raised it, it ends with the line that has called that, and tells nothing of what led to it
    in there.
    """
    frames = list(_frames(error.__traceback__))
    own = [index for index, frame in enumerate(frames) if not _is_within(frame, _INTERNAL)]
    if not own:
        return error.with_traceback(None)  # as of bad syntax
    last = len(frames)
    if _is_within(frames[-1], _INTERNAL):
        last = own[-1] + 1
        error.__cause__ = None
        error.__suppress_context__ = True
    shown: TracebackType | None = None
    for frame in reversed(frames[own[0] : last]):
        shown = TracebackType(shown, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(shown)


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_within(frame: TracebackType, packages: frozenset[str]) -> bool:
    return str(frame.tb_frame.f_globals.get("__name__", "")).partition(".")[0] in packages
