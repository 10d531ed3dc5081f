"""Python's own prompt, with completion and a history."""

from __future__ import annotations

import ast
import builtins
import code
import logging
import os
import rlcompleter
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import TYPE_CHECKING, Any

from dbctl.console import scripts
from dbctl.console.history import history_file, is_kept
from dbctl.console.idle import watched
from dbctl.console.showing import MOST, shown
from dbctl.errors import DbctlError
from dbctl.work.shapes import is_model

if TYPE_CHECKING:
    from dbctl.console.sessions import Desk

_NAME = "<console>"
_LENGTH = 2000
"""Entries of the history that are kept."""

_log = logging.getLogger("dbctl")


def label(desk: Desk) -> str:
    """Return what a prompt begins with: the profile, whether it only reads, and a star for what is not committed."""
    read_only = " (read-only)" if desk.read_only else ""
    return f"{desk.profile.name}{read_only}{'*' if desk.ledger.has_written else ''}"


def say_error(error: DbctlError) -> None:
    """Say what is wrong, in one line."""
    _log.error("error: %s", error)


def run_startup(names: dict[str, Any]) -> None:
    """Run the file that PYTHONSTARTUP names, as Python does before its prompt; its error is shown, and ends nothing."""
    path = os.environ.get("PYTHONSTARTUP")
    if not path:
        return
    try:
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec"), names)
    except OSError as error:
        _log.warning("PYTHONSTARTUP: %s can't be read: %s", path, error.strerror)
    except Exception as error:
        scripts.show_traceback(error)


def ask(names: dict[str, Any], desk: Desk, *, idle_timeout: float | None = None) -> None:
    """Ask for code until there is no more.

    Args:
        names: The console's names.
        desk: What is worked on.
        idle_timeout: Seconds after which an idle transaction is rolled back, or None.

    Raises:
        Exited: It was left with another exit code than 0.
    """
    prompt = _Prompt(names, desk)
    with _line_editing(names), _showing(prompt.show), watched(desk, prompt.aside, limit=idle_timeout):
        run_startup(names)
        try:
            prompt.interact(banner="", exitmsg="")
        except SystemExit as error:
            if error.code not in (None, 0):
                raise scripts.exited(error) from None


class _Prompt(code.InteractiveConsole):
    def __init__(self, names: dict[str, Any], desk: Desk) -> None:
        super().__init__(names, _NAME)
        self._names, self._desk = names, desk
        self._values: list[Any] = []
        self._asks = False
        if desk.runner:
            self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def raw_input(self, prompt: str = "") -> str:
        """Ask for a line."""
        self._asks = True
        try:
            return super().raw_input(self._mark())
        finally:
            self._asks = False

    def _mark(self) -> str:
        begun = label(self._desk)
        return "." * len(begun) + "... " if self.buffer else f"{begun}>>> "

    def push(self, line: str, *more: Any, **how: Any) -> bool:
        """Take a line, and run what is complete with it."""
        source = "\n".join([*self.buffer, line])
        unfinished = super().push(line, *more, **how)
        if not unfinished and not is_kept(source):
            _forget(source.count("\n") + 1)
        return unfinished

    def runcode(self, code: CodeType) -> None:
        """Run code; what fails is told, and the next can be run."""
        try:
            with self._desk.running():
                self._values.clear()
                scripts.run(code, self._names, self._desk)
                for value in self._values:
                    self._show(value)
        except SystemExit:
            raise
        except KeyboardInterrupt as error:
            self._desk.settled(error)
            self.write("KeyboardInterrupt\n")
        except Exception as error:
            known = self._desk.settled(error)
            if known is not None:
                say_error(known)
            else:
                scripts.show_traceback(error)

    def show(self, value: Any) -> None:
        """Show the value of an expression; in an event loop, only when that is done: to show one may be to load it."""
        if value is None:
            return
        vars(builtins)["_"] = value
        if self._desk.runner:
            self._values.append(value)
        else:
            self._show(value)

    def aside(self, say: Callable[[], None]) -> None:
        """Say something while the prompt waits, and put it on the screen again below that."""
        if not self._asks:
            say()
            return
        self.write("\n")
        say()
        self.write(self._mark() + _typed())
        if sys.stderr is not None:
            sys.stderr.flush()  # it is no whole line

    def _show(self, value: Any) -> None:
        if not shown(value, self._desk, MOST):
            sys.__displayhook__(value)


class _Completer(rlcompleter.Completer):
    """Completes names; of a model's object those that its class has, for to ask the object may be to load them."""

    def attr_matches(self, text: str) -> list[str]:
        """Return the attributes that a dotted name may be meant to have."""
        expression, _, begun = text.rpartition(".")
        value = self._value(expression)
        if not is_model(value):
            return super().attr_matches(text)
        return [
            f"{expression}.{name}"
            for name in dir(type(value))
            if name.startswith(begun or tuple("abcdefghijklmnopqrstuvwxyz"))
        ]

    def _value(self, expression: str) -> Any:
        first, *names = expression.split(".")
        value = self.namespace.get(first)  # type: ignore[attr-defined]
        for name in names:
            value = vars(value).get(name) if is_model(value) else getattr(value, name, None)
        return value


@contextmanager
def _showing(show: Callable[[Any], None]) -> Iterator[None]:
    before = sys.displayhook
    sys.displayhook = show
    try:
        yield
    finally:
        sys.displayhook = before


@contextmanager
def _line_editing(names: dict[str, Any]) -> Iterator[None]:
    """Have completion and a history for the block, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    readline.set_completer(_Completer(names).complete)
    file = history_file("console")
    if file is not None:
        try:
            readline.read_history_file(file)
        except OSError as error:
            _log.warning("the history is not there: %s: %s", file, error.strerror)
            file = None
    try:
        yield
    finally:
        readline.set_completer(None)
        if file is not None:
            readline.set_history_length(_LENGTH)
            try:
                readline.write_history_file(file)
            except OSError as error:
                _log.warning("the history is not kept: %s: %s", file, error.strerror)


def _forget(lines: int) -> None:
    """Take the last lines out of the history."""
    if readline := sys.modules.get("readline"):
        for _ in range(min(lines, readline.get_current_history_length())):
            readline.remove_history_item(readline.get_current_history_length() - 1)


def _typed() -> str:
    """Return what stands behind the prompt."""
    readline = sys.modules.get("readline")
    return readline.get_line_buffer() if readline else ""
