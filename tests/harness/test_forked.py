"""Runs that are forks: each is a process of its own, and ends as a program does."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from dbctl.profiles import secrets
from tests.harness.cli import Dbctl
from tests.harness.forked import Forked, of_tests

PROFILE = '[profiles.p]\nurl = "postgresql://app@localhost/shop"\npassword_command = ["sleep", "60"]\n'


@pytest.fixture
def waiting(dbctl: Forked) -> Forked:
    """Dbctl with a profile whose password does not come."""
    (dbctl.cwd / "profiles.toml").write_text(PROFILE, encoding="utf-8")
    return dbctl


def test_many_at_once_each_have_their_own_answer(dbctl: Forked) -> None:
    lines = [["help", topic] for topic in ("locks", "query", "shell", "doctor")] * 5
    with ThreadPoolExecutor(len(lines)) as threads:
        results = list(threads.map(lambda line: dbctl.ok(*line).out, lines))
    assert len(set(results)) == 4
    assert results[:4] * 5 == results


def test_its_end_is_told_once_and_for_all(waiting: Forked) -> None:
    run = waiting.start("ping")
    assert not run.has_ended()
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(0.01)
    run.send_signal(signal.SIGKILL)
    assert run.process.wait(10) == run.process.wait() == run.process.poll() == -signal.SIGKILL
    run.send_signal(signal.SIGKILL)  # of which nobody is there to hear
    assert run().code == -signal.SIGKILL


def test_what_a_test_changes_is_only_in_forks_of_its_own(waiting: Forked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "COMMAND_TIMEOUT", 0.2)
    assert "sleep took longer than 0.2 s" in of_tests(waiting)("ping").err
    run = waiting.start("ping")
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(1)
    run.send_signal(signal.SIGTERM)
    assert run().code == 143


def test_what_is_no_run_of_dbctl_is_a_program(dbctl: Forked) -> None:
    program: Dbctl = replace(dbctl, program=(sys.executable, "-c", "import sys; print('tests' in sys.modules)"))
    assert program.ok().out == "False\n"
