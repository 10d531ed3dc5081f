"""Until dbctl can hear SIGINT it has the signal's own effect, whatever is being imported; then it is handled."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from tests.harness.cli import Dbctl
from tests.harness.soak import SOAK, dose

# Runs dbctl as its entry point does, and says when that has begun: the second thing that it does is to call this.
SCRIPT = """
import gc, os, sys
from dbctl.cli.main import main
set_threshold = gc.set_threshold
gc.set_threshold = lambda count: (os.write({descriptor}, b"."), set_threshold(count))
main(sys.argv[1:])
"""


def interrupted(dbctl: Dbctl, command: Sequence[str], after: float) -> tuple[int, str, str, float]:
    """Send SIGINT so many seconds after dbctl's start; return the exit code, both streams, and how long it ran."""
    here, there = os.pipe()
    program = [sys.executable, "-c", SCRIPT.format(descriptor=there), *command]
    with (
        open(here, "rb", buffering=0) as begun,
        subprocess.Popen(
            program,
            cwd=dbctl.cwd,
            env=dbctl.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[there],
        ) as process,
    ):
        os.close(there)
        assert begun.read(1) == b"."
        start = time.monotonic()
        try:
            out, err = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                out, err = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return process.returncode, out.decode(), err.decode(), time.monotonic() - start


@pytest.mark.timeout(3600 if SOAK else 300)
@pytest.mark.parametrize("command", ["heroes list", "ping", "profiles list", "heroes list --help"])
def test_sigint_while_dbctl_starts_ends_it_without_a_word_of_python(command: str, on_sample: Dbctl) -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    words = command.split()
    whole = interrupted(on_sample, words, 60)
    assert (whole[0], whole[2]) == (0, "")
    ends = set()
    for number in range(dose(12, 400)):
        delay = dice.uniform(0, whole[3]) if number else 0.0  # once before Python itself listens
        code, out, err, _ = interrupted(on_sample, words, delay)
        told = f"seed {seed}, number {number}: exit code {code}\n{out}\n{err}"
        assert code in {0, 130, -signal.SIGINT}, told
        assert err == "" or (code == 130 and err.startswith("dbctl: interrupted") and err.count("\n") == 1), told
        ends.add(code)
    assert -signal.SIGINT in ends, f"seed {seed}"


def test_sigint_that_is_ignored_stays_so(on_sample: Dbctl) -> None:
    """As in a script's background, where Ctrl-C is meant for another."""
    ignoring = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); print('ignored', flush=True);"
        "from dbctl.cli.main import main; main(['heroes', 'list'])"
    )
    program = [sys.executable, "-c", ignoring]
    with subprocess.Popen(
        program, cwd=on_sample.cwd, env=on_sample.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ignored\n"
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        assert (process.returncode, process.stdout.read().count("\n")) == (0, 3)


@pytest.mark.timeout(3600 if SOAK else 300)
def test_sigint_while_a_service_starts_ends_it_without_a_word_of_python(on_sample: Dbctl) -> None:
    """What owns the terminal runs in the main thread, and imports FastAPI there, and its models."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    for number in range(dose(10, 400)):
        code, out, err, _ = interrupted(on_sample, ["serve", "--port", "0"], dice.uniform(0, 2))
        told = f"seed {seed}, number {number}: exit code {code}\n{out}\n{err}"
        assert code in {0, 130, -signal.SIGINT}, told
        assert all(line.startswith("dbctl: ") for line in err.splitlines()), told
