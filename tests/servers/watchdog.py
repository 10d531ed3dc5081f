"""The end of a test server whose tests have died.

Fixtures and atexit end a server when pytest ends by itself. They never run when pytest is killed, and a server without
its tests would stay for ever. So each server has a watchdog: a small process that does nothing but read from a pipe
whose other end the tests hold. The kernel closes that end however the tests end, and the watchdog clears up.

It runs as a script, with the standard library alone, so that it starts in a few milliseconds.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 10.0  # seconds that a server has to end by itself before it is killed


def processes_in(directory: Path) -> list[int]:
    """Return the ids of the processes that work in ``directory``, lowest first.

    This is how a server's own processes are told from all others: each of them changes into the data directory, whose
    name is random and belongs to this server alone. A process id, kept for later, might be another's by then.
    """
    found = []
    for entry in Path("/proc").iterdir():
        # Processes end while they are being listed, and an ordinary user can't look into other people's.
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(directory):
                found.append(int(entry.name))
    return sorted(found)


def signal_all(directory: Path, number: signal.Signals) -> None:
    """Send a signal to every process that works in ``directory``."""
    for pid in processes_in(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def unmount_below(directory: Path) -> None:
    """Unmount what a test has mounted below ``directory``, whoever still has a file of it open."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if (point := Path(line.split()[4])).is_relative_to(directory):
            subprocess.run(["umount", "--lazy", point], check=False)


def end(directory: Path) -> None:
    """End all processes that work in ``directory``, unmount what is mounted below it, and remove it."""
    # SIGQUIT makes both PostgreSQL and MariaDB clear away their shared memory, as SIGKILL would not. A stopped process
    # takes no signal before it is continued.
    signal_all(directory, signal.SIGQUIT)
    signal_all(directory, signal.SIGCONT)
    deadline = time.monotonic() + PATIENCE
    while processes_in(directory) and time.monotonic() < deadline:
        time.sleep(0.02)
    signal_all(directory, signal.SIGKILL)
    unmount_below(directory)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end(Path(sys.argv[1]))
