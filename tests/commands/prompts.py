"""Both prompts of `dbctl console` on a terminal: IPython's, and Python's own where IPython is not installed."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.harness.cli import Dbctl
from tests.harness.result import Result
from tests.harness.terminal import Terminal

_ENV = {"PROMPT_TOOLKIT_NO_CPR": "1", "PROMPT_TOOLKIT_COLOR_DEPTH": "DEPTH_1_BIT"}


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
        return dbctl.tty("console", *args, keys=keys, columns=columns, rows=rows, env=self.env)

    def opened(self, dbctl: Dbctl, *args: str) -> Terminal:
        """Start a console, and leave it to the caller, in a block."""
        return dbctl.terminal("console", *args, size=(100, 60), env=self.env)


@pytest.fixture(params=["python", "ipython"])
def prompt(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Prompt:
    """Each kind in turn."""
    if request.param == "python":
        monkeypatch.setitem(sys.modules, "IPython", None)
        monkeypatch.delitem(sys.modules, "dbctl.console.ipython", raising=False)
        return Prompt(numbered=False, end=">>> ")
    if os.environ.get("CI") != "true":
        pytest.importorskip("IPython")
    return Prompt(numbered=True, end="]: ")
