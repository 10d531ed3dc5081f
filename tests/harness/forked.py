"""dbctl as a fork of a process that has imported already what a run takes half a second to import."""

import atexit
import gc
import logging
import os
import pickle
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, BinaryIO

from tests.harness import nursery
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.nursery import LENGTH, NUMBER, Birth
from tests.harness.result import Result

ENTRIES: dict[Sequence[str], str] = {Dbctl.program: "dbctl.cli.main:main"}
"""Which programs can be a fork, and what they run, as module:name."""


@dataclass(frozen=True)
class Forked(Dbctl):
    """Runs dbctl as `Dbctl` does, from its entry point to its exit code, in a process without a start of its own.

    Parameters:
        of_tests: whether it is a fork of the tests' own process, with what a test has changed in that.
    """

    of_tests: bool = False

    def spawn(self, *args: str, env: Mapping[str, str] | None = None, **how: Any) -> subprocess.Popen[Any]:
        """Start a run as a fork; what is no run of dbctl is started as ever."""
        entry = ENTRIES.get(self.program)
        if not entry:
            return super().spawn(*args, env=env, **how)
        how = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | how
        birth = Birth(entry, args, self.cwd, self.environment(env), how.pop("on_terminal", False))
        return (_ForkOfTests if self.of_tests else _ForkOfNursery)(birth, **how)

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


def of_tests(dbctl: Dbctl) -> Forked:
    """Return dbctl as a fork of the tests' own process, with what a test has changed in that."""
    return Forked(dbctl.cwd, dbctl.home, dbctl.env, dbctl.program, of_tests=True)


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

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        self.process.send_signal(number)

    def has_ended(self) -> bool:
        """Tell whether it has ended, without waiting for that."""
        return self.process.poll() is not None

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
    """A process with all that Popen offers, which goes on in a function in place of a program."""

    def __init__(self, birth: Birth, **how: Any) -> None:
        self._birth = birth
        super().__init__(["dbctl"], **how)

    def _execute_child(self, *how: Any) -> None:
        """Fork; what Popen gives, in its order, is what `_posixsubprocess.fork_exec` would need."""
        ends = stdin, _, _, stdout, _, stderr = how[10:16]
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = self._born((stdin, stdout, stderr))
        self._child_created = True
        self._close_pipe_fds(*ends)  # type: ignore[attr-defined]  # Popen's own

    def _born(self, streams: Sequence[int]) -> int:
        raise NotImplementedError


class _ForkOfTests(_Fork):
    """A fork of the tests' own process."""

    def _born(self, streams: Sequence[int]) -> int:
        nursery.import_all()
        begins, beginning = os.pipe()
        process = os.fork()
        if not process:
            logging.getLogger("sqlalchemy.engine.Engine").handlers.clear()  # those of the tests' own engines
            gc.freeze()  # what is the tests' is no garbage of the run
            nursery.run(resolve_name(self._birth.entry), self._birth, streams)
        os.close(beginning)
        os.read(begins, 1)  # until the child has closed all that it has of the tests
        os.close(begins)
        return process


class _ForkOfNursery(_Fork):
    """A fork of the nursery, which is told there when it ends."""

    def _born(self, streams: Sequence[int]) -> int:
        self._told, tells = os.pipe()
        body = pickle.dumps(self._birth)
        try:
            with _one_at_a_time:
                control = _control()
                socket.send_fds(control, [LENGTH.pack(len(body))], [*streams, tells])
                control.sendall(body)
        finally:
            os.close(tells)
        return self._heard()

    def _heard(self) -> int:
        said = os.read(self._told, NUMBER.size)
        assert said, "the nursery has ended"
        number: int = NUMBER.unpack(said)[0]
        return number

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        with self._waitpid_lock:  # type: ignore[attr-defined]  # Popen's own
            if self.returncode is None and select.select([self._told], [], [], 0)[0]:
                self.returncode = self._heard()
                os.close(self._told)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None and not select.select([self._told], [], [], timeout)[0]:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        code = self._internal_poll()
        assert code is not None
        return code


_one_at_a_time = threading.Lock()


@cache
def _control() -> socket.socket:
    """Start the nursery of this process, which ends with it."""
    here, there = socket.socketpair()
    program = "import sys; from tests.harness.nursery import main; main(int(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(there.fileno())]
    root = Path(__file__).parents[2]
    with there:
        process = subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL, pass_fds=[there.fileno()])

    def end() -> None:
        here.close()
        process.wait()

    atexit.register(end)
    return here
