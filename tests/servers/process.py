"""The body of a test server: a directory, an account, one process, and a certain end."""

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.servers import watchdog
from tests.servers.system import ServerFailed, own_directory, unprivileged

PATIENCE = 60.0  # seconds to start or to stop; both take a fraction of one, except on a machine that is very busy


class ServerProcess:
    """One process in a directory of its own, which nobody else works in.

    Attributes:
        directory: where the server keeps everything; from `move_in` on, until `remove`.
        process: the running process, or None.
    """

    directory: Path

    def __init__(self, name: str, accounts: Iterable[str]) -> None:
        """Plan a process; as root, it will run under the first of the accounts that exists.

        Raises:
            ServerMissing: root runs the tests, and there is no account to run the server under.
        """
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self._account = unprivileged(accounts)
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def moved_in(self) -> bool:
        """Whether the directory exists."""
        return self._watchdog is not None

    def move_in(self) -> None:
        """Make the directory, and set the two guards that take it away: one for a good end, one for any other."""
        self.directory = own_directory(self.name, self._account)
        atexit.register(self.remove)
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # or Ctrl-C would end it too
        )

    def remove(self) -> None:
        """End the process and take away the directory with all that is in it."""
        if not self._watchdog:
            return
        try:
            self.stop(signal.SIGQUIT)
        finally:
            self._watchdog.communicate()  # closes the pipe, which is the sign, and waits until the work is done
            self._watchdog = None
            atexit.unregister(self.remove)

    def give(self, name: str, content: bytes) -> Path:
        """Write a file into the directory that only the server's account can read."""
        path = self.directory / name
        path.unlink(missing_ok=True)
        # The mode belongs to the file from its first byte on: a chmod afterwards would come too late.
        path.touch(mode=0o600)
        path.write_bytes(content)
        self.hand_over(path)
        return path

    def hand_over(self, path: Path) -> None:
        """Give a file to the server's account, or a directory with all that is in it."""
        if self._account:
            inside = path.rglob("*") if path.is_dir() else ()
            for each in (path, *inside):
                os.chown(each, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a program to its end, under the server's account.

        Raises:
            ServerFailed: its exit code is not 0.
        """
        code = self._spawn(command).wait(PATIENCE)
        if code != 0:
            raise ServerFailed(f"{command[0]} ended with code {code}:\n{self.log_tail()}")

    def start(self, command: Sequence[str | Path]) -> None:
        """Start the process."""
        self.process = self._spawn(command)

    def check(self) -> None:
        """Raise ServerFailed if the process has ended by itself."""
        if self.process and (code := self.process.poll()) is not None:
            self.process = None
            raise ServerFailed(f"{self.name} ended with code {code}:\n{self.log_tail()}")

    def stop(self, by: signal.Signals) -> None:
        """Send the process the signal and wait for its end; do nothing if it does not run.

        Raises:
            ServerFailed: it did not end in time, and was killed.
        """
        if not self.process:
            return
        process, self.process = self.process, None
        process.send_signal(by)
        watchdog.signal_all(self.directory, signal.SIGCONT)  # a frozen process does not see the other signal
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerFailed(f"{self.name} did not stop in {PATIENCE:g} s:\n{self.log_tail()}") from None

    def freeze(self) -> None:
        """Halt the process and its children."""
        if self.process:
            # The first process goes first, for it alone starts others: then there are no more than those found.
            self.process.send_signal(signal.SIGSTOP)
            watchdog.signal_all(self.directory, signal.SIGSTOP)
            while not _is_halted(self.process.pid):  # a thread at work is halted when it is next looked at
                time.sleep(0.001)

    def thaw(self) -> None:
        """Let the process and its children go on; do nothing to those that run."""
        if self.process:
            watchdog.signal_all(self.directory, signal.SIGCONT)

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines that the server and its programs have written."""
        log = self.directory / "server.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"

    def _spawn(self, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        """Start a program in the directory, under the server's account, with an environment free of the tests'."""
        account = self._account
        with (self.directory / "server.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.directory,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                umask=0o077,
                # Its own session: Ctrl-C is for pytest, which still needs the server to wind up its fixtures.
                start_new_session=True,
            )


def _is_halted(process: int) -> bool:
    """Tell whether no thread of a process runs any more, or it is gone."""
    try:
        states = [
            (task / "stat").read_text().rpartition(")")[2].split()[0]
            for task in Path(f"/proc/{process}/task").iterdir()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return not Path(f"/proc/{process}").exists()  # else a thread has just ended
    return all(state in "TtZX" for state in states)
