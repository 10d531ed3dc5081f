"""dbctl as a fork of the tests' own process, which has imported already what a run takes half a second to import."""

import fcntl
import gc
import logging
import os
import signal
import subprocess
import sys
import tempfile
import termios
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, BinaryIO, NoReturn

from sqlalchemy.orm import configure_mappers

import dbctl
from dbctl.cli.main import main
from dbctl.profiles import Profiles
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.result import Result

Entry = Callable[[Sequence[str]], object]


def _import_all() -> None:
    """Do once what every run would do for itself."""
    for name in ("psycopg2", "pymysql", "rich.table", "csv", "ctypes"):
        import_module(name)
    for name in ("mysql.pymysql", "postgresql.psycopg2", "sqlite.pysqlite"):
        import_module(f"sqlalchemy.dialects.{name}")
    for module in walk_packages(dbctl.__path__, "dbctl."):
        # A console looks for IPython when it begins, and IPython at what it begins in.
        if module.name.endswith("__main__") or module.name.startswith("dbctl.console."):
            continue
        if module.name == "dbctl.drift.plugin" and find_spec("alembic.runtime.plugins") is None:
            continue  # the oldest alembic has no plug-ins
        import_module(module.name)
    configure_mappers()
    Profiles(environ={}).select()


_import_all()


ENTRIES: dict[Sequence[str], Entry] = {Dbctl.program: main}
"""Which programs can be a fork, and what they run."""


class Forked(Dbctl):
    """Runs dbctl as `Dbctl` does, from its entry point to its exit code, in a process without a start of its own.

    What a run imports by itself, such as a service's models, is for `Dbctl` to test: here it may meet what the tests
    have imported.
    """

    def spawn(self, *args: str, env: Mapping[str, str] | None = None, **how: Any) -> subprocess.Popen[Any]:
        """Start a run as a fork; what is no run of dbctl is started as ever."""
        entry = ENTRIES.get(self.program)
        if not entry:
            return super().spawn(*args, env=env, **how)
        how = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | how
        return _Fork(partial(entry, args), self.cwd, self.environment(env), **how)

    def start(self, *args: str, stdout: BinaryIO | None = None) -> "Run":
        """Start a run, and return what waits for its end.

        Parameters:
            stdout: what standard output is to be; its result's `out` is then nothing.
        """
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  # closed when the run ends
        process = self.spawn(*args, stdin=subprocess.DEVNULL, stdout=stdout or out, stderr=err)
        return Run(process, args, (out, err))


def forked(dbctl: Dbctl, database: TestDatabase) -> Forked:
    """Return dbctl as a fork, with the database as its default profile."""
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{database.profile}"\n\n{database.toml}', encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home, env=database.env)


@dataclass(frozen=True)
class Run:
    """A run that has been started; calling it waits for its end."""

    process: subprocess.Popen[bytes]
    args: Sequence[str]
    streams: Sequence[BinaryIO]

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    def has_ended(self) -> bool:
        """Tell whether it has ended, without waiting for that."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    @property
    def said(self) -> str:
        """What it has said on standard error until now."""
        descriptor = self.streams[1].fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

    def __call__(self) -> Result:
        try:
            code = self.process.wait(60)
        finally:
            self.process.kill()
        out, err = self.streams
        with out, err:
            out.seek(0)
            err.seek(0)
            return Result(code, out.read().decode(), err.read().decode(), self.args)


class _Fork(subprocess.Popen[Any]):
    """A child of the tests' process, with all that Popen offers, which goes on in a function in place of a program."""

    def __init__(
        self, entry: Callable[[], object], cwd: Path, env: Mapping[str, str], *, on_terminal: bool = False, **how: Any
    ) -> None:
        self._entry = entry
        super().__init__(["dbctl"], cwd=cwd, env=env, start_new_session=on_terminal, **how)

    def _execute_child(self, *how: Any) -> None:
        """Fork; what Popen gives, in its order, is what `_posixsubprocess.fork_exec` would need."""
        cwd, env = how[5:7]
        ends = stdin, _, _, stdout, _, stderr = how[10:16]
        sys.stdout.flush()
        sys.stderr.flush()
        begins, beginning = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _run(self._entry, cwd, env, (stdin, stdout, stderr), on_terminal=how[21])
        self._child_created = True
        self._close_pipe_fds(*ends)  # type: ignore[attr-defined]  # Popen's own
        os.close(beginning)
        os.read(begins, 1)  # until the child has closed all that it has of the tests
        os.close(begins)


def _run(
    entry: Callable[[], object],
    cwd: Path,
    environ: Mapping[str, str],
    descriptors: Sequence[int],
    *,
    on_terminal: bool,
) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # as it is until dbctl's first line
        if on_terminal:
            os.setsid()
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environ)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        if on_terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.closerange(3, 65536)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        logging.getLogger("sqlalchemy.engine.Engine").handlers.clear()  # those of the tests' own engines
        gc.freeze()  # what is the tests' is no garbage of the run
        entry()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
