"""dbctl as a fork of the tests' own process, which has imported already what a run takes half a second to import."""

import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, NoReturn

from sqlalchemy.orm import configure_mappers

from dbctl.cli.main import main
from dbctl.profiles import Profiles
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.result import Result


def _import_all() -> None:
    """Do once what every run would do for itself."""
    for name in (
        "psycopg2",
        "pymysql",
        "rich.table",
        "dbctl.cli.app",
        "dbctl.cli.run",
        "dbctl.pool.load",
        "dbctl.tables.changes",
    ):
        import_module(name)
    for name in ("mysql.pymysql", "postgresql.psycopg2", "sqlite.pysqlite"):
        import_module(f"sqlalchemy.dialects.{name}")
    configure_mappers()
    Profiles(environ={}).select()


_import_all()


class Forked(Dbctl):
    """Runs dbctl as `Dbctl` does, from its entry point to its exit code, in a process without a start of its own.

    What a run imports by itself, such as a service's models, is for `Dbctl` to test: here it may meet what the tests
    have imported.
    """

    def __call__(
        self, *args: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60
    ) -> Result:
        if self.program != Dbctl.program:
            return super().__call__(*args, env=env, stdin=stdin, timeout=timeout)
        return self.start(*args, env=env, stdin=stdin, timeout=timeout)()

    def start(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60,
        stdout: BinaryIO | None = None,
    ) -> "Run":
        """Start a run, and return what waits for its end.

        Parameters:
            stdout: what standard output is to be; its result's `out` is then nothing.
        """
        given, out, err = (tempfile.TemporaryFile() for _ in range(3))  # noqa: SIM115  # closed when the run ends
        given.write(stdin.encode())
        given.seek(0)
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            _run(args, self.cwd, self.environment(env), (given, stdout or out, err), timeout)
        return Run(child, args, (given, out, err))


def forked(dbctl: Dbctl, database: TestDatabase) -> Forked:
    """Return dbctl as a fork, with the database as its default profile."""
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{database.profile}"\n\n{database.toml}', encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home, env=database.env)


@dataclass(frozen=True)
class Run:
    """A run that has been started; calling it waits for its end."""

    pid: int
    args: Sequence[str]
    streams: Sequence[BinaryIO]

    def __call__(self) -> Result:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        given, out, err = self.streams
        with given, out, err:
            out.seek(0)
            err.seek(0)
            return Result(code, out.read().decode(), err.read().decode(), self.args)

    def has_ended(self) -> bool:
        """Tell whether it has ended, without waiting for that."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _run(
    args: Sequence[str], cwd: Path, environ: Mapping[str, str], streams: Sequence[BinaryIO], timeout: float
) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, timeout)  # its own end kills a run that has none
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environ)
        for number, stream in enumerate(streams):
            os.dup2(stream.fileno(), number)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        logging.getLogger("sqlalchemy.engine.Engine").handlers.clear()  # those of the tests' own engines
        main(args)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
