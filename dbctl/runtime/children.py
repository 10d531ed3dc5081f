"""Programs that this process starts, and that are not to run on without it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

_SET_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG (https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html)."""


def dying_with_parent() -> Callable[[], object] | None:
    """Return what `subprocess` is to call in a new process, so that it ends when the thread that starts it does.

    So it does when this process is killed. It makes system calls alone, and takes no lock that another thread could
    hold. None where the system is not Linux, and has nothing of the kind.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc, parent = ctypes.CDLL(None), os.getpid()

    def die_with_it() -> None:
        libc.prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # which was killed before
            os.kill(os.getpid(), signal.SIGKILL)

    return die_with_it
