"""IPython's prompt, where that is installed: with the user's own settings of it."""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from asyncio import CancelledError
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.autocall import ExitAutocall
from IPython.core.displayhook import DisplayHook
from IPython.core.history import HistoryManager
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.terminal.ipapp import load_default_config
from IPython.terminal.prompts import Prompts
from pygments.token import Token

from dbctl.console import scripts
from dbctl.console.history import history_file, is_kept
from dbctl.console.idle import watched
from dbctl.console.prompt import label, run_startup, say_error
from dbctl.console.showing import MOST, shown
from dbctl.work.signals import Terminated

if TYPE_CHECKING:
    from dbctl.console.sessions import Desk

_NOT_KEPT = "# it spoke of a secret"

_log = logging.getLogger("dbctl")


def ask(names: dict[str, Any], desk: Desk, *, idle_timeout: float | None = None) -> None:
    """Ask for code until there is no more; the parameters are those of `dbctl.console.prompt.ask`.

    Raises:
        Exited: It was left with another exit code than 0.
        Terminated: SIGTERM came.
    """
    # A process has one such shell, and that makes its prompt already when it is made.
    _Shell.desk, _Shell.own = desk, {**names}
    shell: Any = _Shell.instance(config=_config(), user_ns=names)
    shell.sit_at(desk)
    with watched(desk, limit=idle_timeout):  # while it asks, it puts by itself above the prompt what is said
        run_startup(shell.user_ns)
        shell.mainloop()
    if isinstance(shell.ending, SystemExit):
        if shell.ending.code not in (None, 0):
            raise scripts.exited(shell.ending)
    elif shell.ending is not None:
        raise shell.ending


def _config() -> Any:
    config = load_default_config()
    config.TerminalInteractiveShell.prompts_class = _Label
    config.TerminalInteractiveShell.confirm_exit = False
    file = history_file("ipython")
    config.HistoryManager.hist_file = ":memory:" if file is None else str(file)
    return config


class _Label(Prompts):
    """The prompt, with the profile in it."""

    def in_prompt_tokens(self) -> Any:
        """Return what stands before what is typed."""
        number = str(self.shell.execution_count)
        shell: Any = self.shell
        begun = label(shell.desk)
        return [(Token.Prompt, f"{begun} ["), (Token.PromptNum, number), (Token.Prompt, "]: ")]

    def out_prompt_tokens(self) -> Any:
        """Return what stands before a value."""
        return [(Token.OutPrompt, "")]


class _Display(DisplayHook):
    """Shows models and rows as tables; in an event loop only when that is done: to show one may be to load it."""

    def __call__(self, result: Any = None) -> None:
        """Show the value of an expression."""
        shell: Any = self.shell
        if result is not None and shell.desk.runner and not self.quiet():
            shell.values.append(result)
            return
        self.show(result)

    def show(self, result: Any) -> None:
        """Show a value now."""
        shell: Any = self.shell
        if result is None or self.quiet() or not shown(result, shell.desk, MOST):
            super().__call__(result)
            return
        self.check_for_underscore()
        self.update_user_ns(result)
        self.fill_exec_result(result)


class _Exit(ExitAutocall):
    """Leaves the prompt, with an exit code as Python's own `exit` does, and without being called as IPython's."""

    def __call__(self, code: Any = None) -> None:
        """Leave it."""
        raise SystemExit(code)


class _History(HistoryManager):
    """A history without secrets."""

    def store_inputs(self, line_num: int, source: str, source_raw: str | None = None) -> None:
        """Keep what was typed, or that it is not kept."""
        if not is_kept(source):
            source = source_raw = _NOT_KEPT
        super().store_inputs(line_num, source, source_raw)


class _Shell(TerminalInteractiveShell):
    displayhook_class = _Display
    desk: Any = None
    own: dict[str, Any] = {}
    """The console's names."""
    values: list[Any] = []
    failure: BaseException | None = None
    """What the code that runs has raised."""
    ending: BaseException | None = None
    """What has ended the prompt."""

    def sit_at(self, desk: Desk) -> None:
        """Work on a desk."""
        self.values = []
        self.autoawait = desk.runner is not None
        if desk.runner is not None:
            self.loop_runner = desk.awaited

    def prompt_for_code(self) -> Any:
        """Ask; SIGTERM ends that as Ctrl-D does: what a handler raises amid a callback an event loop would swallow."""
        app: Any = self.pt_app and self.pt_app.app
        heard: list[int] = []

        def leave() -> None:
            if app.is_running and not app.is_done:
                app.exit(exception=EOFError())

        def hear(number: int, _frame: Any) -> None:
            if app.loop is None:
                raise Terminated
            heard.append(number)
            app.loop.call_soon_threadsafe(leave)

        before = signal.signal(signal.SIGTERM, hear)
        try:
            return super().prompt_for_code()
        except KeyboardInterrupt as error:  # which at a terminal that can do nothing is no key of the prompt's own
            traceback.print_exception(error.with_traceback(None), chain=False)
            return ""
        finally:
            signal.signal(signal.SIGTERM, before)
            if heard:
                raise Terminated

    def init_user_ns(self) -> None:
        """Make the names that are there before anything is typed, and again after %reset."""
        super().init_user_ns()
        self.user_ns.update(self.own)
        leave = _Exit(self)
        for names in (self.user_ns, self.user_ns_hidden):
            names.update(exit=leave, quit=leave)

    def init_history(self) -> None:
        """Make the history."""
        history: Any = _History(shell=self, parent=self)
        self.history_manager = history
        self.configurables.append(history)

    def run_cell(self, raw_cell: str, store_history: bool = False, *more: Any, **how: Any) -> Any:
        """Run what was typed, show its values, and tell what has failed."""
        self.failure = None
        self.values.clear()
        result = super().run_cell(raw_cell, store_history, *more, **how)
        if self.failure is None and self.values:
            self._attempt(self._show_values)
        if self.failure is not None:
            result.error_in_exec = self.failure  # not before: of one that it knows it writes all to its history first
            self._tell(self.failure)
        return result

    async def run_code(self, code_obj: Any, result: Any = None, *, async_: bool = False) -> bool:
        """Run compiled code, and tell whether it failed; what it raised is told when no event loop is in the way."""
        try:
            with self.desk.running():
                value = eval(code_obj, self.user_global_ns, self.user_ns)
                if async_:
                    await value
        except (Exception, CancelledError, KeyboardInterrupt, SystemExit, Terminated) as error:
            # An interrupt cancels what an event loop runs.
            self.failure = KeyboardInterrupt() if isinstance(error, CancelledError) else error
            return True
        return False

    def showtraceback(self, exc_tuple: Any = None, *more: Any, **how: Any) -> None:
        """Show an error as IPython does; what ends the event loop is told later."""
        error = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        if isinstance(error, KeyboardInterrupt | Terminated) and self.failure is None:
            self.failure = error
            return
        super().showtraceback(exc_tuple, *more, **how)

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            with self.desk.running():
                work()
        except (Exception, KeyboardInterrupt, Terminated) as error:
            self.failure = error

    def _show_values(self) -> None:
        show: Any = self.displayhook
        for value in self.values:
            show.show(value)

    def _tell(self, error: BaseException) -> None:
        if isinstance(error, SystemExit | Terminated):
            self.ending = error
            self.ask_exit()
            return
        known = self.desk.settled(error)
        if known is not None:
            say_error(known)
        elif isinstance(error, KeyboardInterrupt):
            traceback.print_exception(error.with_traceback(None), chain=False)
        else:
            scripts.with_own_lines(error)
            self.showtraceback((type(error), error, error.__traceback__), tb_offset=0)
