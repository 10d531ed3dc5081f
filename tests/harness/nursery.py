"""A process that has imported what a run of dbctl imports, and forks into runs.

The tests' own process could do the same, but is several times as big, and a fork costs by the size of what it copies.
It is told what to run by a socket, and ends when that does: `tests.harness.forked` has the other end.
"""

import fcntl
import gc
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import termios
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name, walk_packages
from typing import NoReturn

Entry = Callable[[Sequence[str]], object]

LENGTH = struct.Struct("!I")
"""What a message begins with: how long the rest is."""
NUMBER = struct.Struct("!i")
"""What is told of a run: its process, and later how it ended, as `subprocess` puts that."""


@dataclass(frozen=True)
class Birth:
    """A run that is wanted; with it come its three streams, and where its process and its end are told.

    Attributes:
        entry: the function that is given the arguments, as module:name.
        on_terminal: whether standard input is a terminal, which is to be the run's own.
    """

    entry: str
    arguments: Sequence[str]
    cwd: Path
    environ: Mapping[str, str]
    on_terminal: bool


@cache
def import_all() -> None:
    """Do once what every run would do for itself."""
    import dbctl
    from dbctl.profiles import Profiles

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
    import_module("sqlalchemy.orm").configure_mappers()
    Profiles(environ={}).select()


def run(entry: Entry, birth: Birth, descriptors: Sequence[int]) -> NoReturn:
    """Become a run, in a new fork; the descriptors are its three streams."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # as it is until dbctl's first line
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if birth.on_terminal:
            os.setsid()
        os.chdir(birth.cwd)
        os.environ.clear()
        os.environ.update(birth.environ)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        if birth.on_terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.closerange(3, 65536)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        entry(birth.arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _received(control: socket.socket) -> tuple[Birth, list[int]] | None:
    """Return the next run that is wanted, and its descriptors; None when the other end is gone."""
    head, descriptors, _, _ = socket.recv_fds(control, LENGTH.size, 4)
    if not head:
        return None
    body = bytearray()
    while len(body) < LENGTH.unpack(head)[0]:
        body += control.recv(LENGTH.unpack(head)[0] - len(body))
    return pickle.loads(body), descriptors


class _Nursery:
    """The runs that have been started and have not ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Start what is wanted, and tell how it ended, until nobody is at the other end."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._control:
                    self._bury(key.fd, *key.data)
                elif (wanted := _received(self._control)) is None:
                    return
                else:
                    self._bear(*wanted)

    def _bear(self, birth: Birth, descriptors: Sequence[int]) -> None:
        *streams, told = descriptors
        entry: Entry = resolve_name(birth.entry)
        process = os.fork()
        if not process:
            run(entry, birth, streams)
        for stream in streams:
            os.close(stream)
        os.write(told, NUMBER.pack(process))
        self._selector.register(os.pidfd_open(process), selectors.EVENT_READ, (process, told))

    def _bury(self, ended: int, process: int, told: int) -> None:
        self._selector.unregister(ended)
        os.close(ended)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        with suppress(BrokenPipeError):  # nobody asks any more
            os.write(told, NUMBER.pack(code))
        os.close(told)


def main(control: int) -> None:
    """Be the nursery of who has the other end of the socket."""
    # Ctrl-C is for the tests to hear. A run's own, which comes before it can be heard, waits for that.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_all()
    sys.dont_write_bytecode = True  # a test may write a module anew within the second by which Python tells them apart
    gc.collect()
    gc.freeze()
    _Nursery(socket.socket(fileno=control)).serve()
