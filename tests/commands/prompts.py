"""Both prompts of `dbctl console` on a terminal: IPython's, and Python's own where IPython is not installed."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import dbctl.console
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.forked import of_tests
from tests.harness.result import Result
from tests.harness.terminal import Terminal

_ENV = {"PROMPT_TOOLKIT_NO_CPR": "1", "PROMPT_TOOLKIT_COLOR_DEPTH": "DEPTH_1_BIT"}


class Typist:
    """Somebody at a prompt, who types a line when it is asked for.

    Attributes:
        terminal: what the prompt is on.
    """

    def __init__(self, prompt: "Prompt", terminal: Terminal) -> None:
        self.terminal = terminal
        self._prompt = prompt
        self._number = 1
        self._seen = 0

    def types(self, line: str, *awaited: str) -> None:
        """Type a line, and wait for what it shows, in this order."""
        self.is_asked()
        self.terminal.press(f"{line}\r")
        for text in awaited:
            self.sees(text)

    def is_asked(self) -> None:
        """Wait for the prompt."""
        self.sees(self._prompt.mark(self._number))
        self._number += 1

    def sees(self, text: str, seconds: float = 20) -> None:
        """Wait for what is shown after all that was seen before."""
        assert within(seconds, lambda: text in self.terminal.shown()[self._seen :]), self.terminal.shown()
        self._seen = self.terminal.shown().index(text, self._seen) + len(text)

    def leaves(self) -> None:
        """Press Ctrl-D, by which all ends well."""
        self.is_asked()
        self.terminal.press("\x04")
        assert self.terminal.process.wait(10) == 0


@dataclass(frozen=True)
class Prompt:
    """One kind of prompt.

    Parameters:
        numbered: whether each line that is asked for has a number.
        end: what its mark ends with.
        env: variables that make it plain.
    """

    numbered: bool
    end: str
    env: Mapping[str, str] = field(default_factory=lambda: dict(_ENV))

    def mark(self, number: int) -> str:
        """What is shown where the line of this number, from 1 on, is asked for."""
        return f"\x1b[0;1m{number}\x1b[0m{self.end}" if self.numbered else self.end

    def typed(self, dbctl: Dbctl, lines: Sequence[str], *args: str, columns: int = 80, rows: int = 60) -> Result:
        """Type lines, each when it is asked for, and Ctrl-D at the end."""
        keys = [(self.mark(number), f"{line}\r") for number, line in enumerate(lines, 1)]
        keys.append((self.mark(len(lines) + 1), "\x04"))
        return of_tests(dbctl).tty("console", *args, keys=keys, columns=columns, rows=rows, env=self.env)

    @contextmanager
    def opened(self, dbctl: Dbctl, *args: str) -> Iterator[Typist]:
        """Have a console for the block, and somebody at it."""
        with of_tests(dbctl).terminal("console", *args, size=(100, 60), env=self.env) as terminal:
            yield Typist(self, terminal)


@pytest.fixture(params=["python", "ipython"])
def prompt(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prompt:
    """Each kind in turn."""
    for name in ("dbctl.console.running", "aiosqlite"):
        importlib.import_module(name)
    if request.param == "python":
        monkeypatch.setitem(sys.modules, "dbctl.console.ipython", None)  # as where it can't be imported
        monkeypatch.delattr(dbctl.console, "ipython", raising=False)
        return Prompt(numbered=False, end=">>> ")
    if os.environ.get("CI") != "true":
        pytest.importorskip("IPython")
    importlib.import_module("dbctl.console.ipython")
    # Which looks when it is imported, by the tests here, whether it is on a terminal.
    settings = tmp_path / "ipython" / "profile_default" / "ipython_config.py"
    settings.parent.mkdir(parents=True)
    settings.write_text("c.TerminalInteractiveShell.simple_prompt = False\n", encoding="utf-8")
    return Prompt(numbered=True, end="]: ", env=_ENV | {"IPYTHONDIR": str(tmp_path / "ipython")})
