"""`backup create -` into a pipe that is full, for who should read does not: it is ended at once all the same."""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.backups.held import PATIENCE, files_in, running, said, wait_for
from tests.harness.processes import descendants_of

_PAGE = 4096
"""Bytes that the smallest pipe holds."""


@contextlib.contextmanager
def pouring(shop: Shop, *more: str) -> Iterator["subprocess.Popen[Any]"]:
    """Have a run at work for the block, which writes to a pipe that nobody reads, and has filled it."""
    reading, writing = os.pipe()
    with open(reading, "rb"), open(writing, "wb") as full:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PAGE)
        with running(shop.dbctl, "backup", "create", "-", "--manifest", "m.json", *more, stdout=full) as process:
            wait_for(lambda: not select.select([], [full], [], 0)[1])
            yield process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it(shop: Shop, number: int, code: int) -> None:
    with pouring(shop) as process:
        below = list(descendants_of(process.pid))
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < 3
        assert (process.returncode, said(err)[-1]) == (code, "dbctl: interrupted")
        wait_for(lambda: not any(os.path.exists(f"/proc/{child}/cmdline") for child in below))
    assert files_in(shop.dbctl.cwd) == set()


@pytest.mark.slow
def test_a_deadline_ends_it(shop: Shop) -> None:
    with pouring(shop, "--deadline", "8") as process:
        assert process.wait(PATIENCE) == 5
    assert files_in(shop.dbctl.cwd) == set()
