"""dbctl's command line as a user runs it: a process of its own, in a directory, with an environment."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from tests.harness.result import Result
from tests.harness.terminal import TAKE_TERMINAL, Keys, Terminal

__all__ = ["Dbctl", "Result"]


@dataclass(frozen=True)
class Dbctl:
    """Runs dbctl in a directory.

    Nothing of the tests' own environment gets through except PATH: no DATABASE_URL, ENVIRONMENT, DBCTL_*, PG* or
    NO_COLOR of whoever runs the tests may decide how they end.

    Parameters:
        cwd: the directory to run in.
        home: what HOME is, and XDG_CONFIG_HOME below it as `.config`.
        env: variables to add for all runs.
        program: the command without its arguments.
    """

    cwd: Path
    home: Path
    env: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str] = (sys.executable, "-m", "dbctl")

    def __call__(
        self, *args: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60
    ) -> Result:
        """Run to the end; after `timeout` seconds it is killed, and subprocess.TimeoutExpired raised."""
        with self.spawn(*args, env=env) as process:
            try:
                out, err = process.communicate(stdin.encode(), timeout)
            except BaseException:
                process.kill()
                raise
        # Read as bytes: as text, Python would turn each \r\n of a CSV file into \n. What is not UTF-8 fails the test.
        return Result(process.returncode, out.decode(), err.decode(), args)

    def ok(self, *args: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60) -> Result:
        """Run to the end, and assert that the exit code is 0."""
        result = self(*args, env=env, stdin=stdin, timeout=timeout)
        assert result.code == 0, str(result)
        return result

    def tty(
        self,
        *args: str,
        columns: int = 80,
        rows: int = 24,
        keys: str | Keys | None = None,
        stderr_apart: bool = False,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Result:
        """Run on a terminal, standard input and output and, unless it is to be apart, standard error too.

        There is no pager, unless `env` names one as DBCTL_PAGER.

        Parameters:
            keys: a text to type at once, or pairs of a text to wait for and the keys to press when it is shown. Prompts
                for passwords need pairs, because they throw away what was typed before them. Ctrl-C is "\\x03".
            stderr_apart: whether standard error is a pipe, so that `err` has it; else `out` has both.
        """
        typed = [("", keys)] if isinstance(keys, str) else list(keys or [])
        with self.terminal(*args, size=(columns, rows), stderr_apart=stderr_apart, env=env) as terminal:
            code, out, err = terminal.run(typed, timeout)
        return Result(code, out, err.decode(), args)

    def terminal(
        self,
        *args: str,
        size: tuple[int, int] = (80, 24),
        stderr_apart: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> Terminal:
        """Start a run on a terminal, and leave it to the caller, in a block."""
        environment = {"TERM": "xterm-256color", "DBCTL_PAGER": ""} | dict(env or {})
        return Terminal(partial(self.spawn, *args, env=environment), size=size, stderr_apart=stderr_apart)

    def popen(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a run with all three streams as pipes, and leave it to the caller, to send it signals for example."""
        process: subprocess.Popen[str] = self.spawn(*args, env=env, text=True, encoding="utf-8")
        return process

    def spawn(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        on_terminal: bool = False,
        stdin: Any = subprocess.PIPE,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        **how: Any,
    ) -> subprocess.Popen[Any]:
        """Start a run; `how` is Popen's.

        Parameters:
            on_terminal: whether standard input is a terminal, which is to be the program's own.
        """
        take = TAKE_TERMINAL if on_terminal else ()
        return subprocess.Popen(
            [*take, *self.program, *args],
            cwd=self.cwd,
            env=self.environment(env),
            start_new_session=on_terminal,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            **how,
        )

    def with_env(self, **env: str) -> Self:
        """Return another one like this, with these variables added for all its runs."""
        return replace(self, env={**self.env, **env})

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return all variables that a run sees."""
        home = str(self.home)
        base = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        return base | {"HOME": home, "XDG_CONFIG_HOME": f"{home}/.config"} | dict(self.env) | dict(extra or {})
