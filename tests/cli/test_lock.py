"""`--lock`: of the runs with a lock of one name only one works at a time, and every way out lets it go."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen, TimeoutExpired

import pytest

from tests.harness.cli import Dbctl
from tests.harness.processes import times_open

ADD = ("teams", "add", "Avengers")


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock that stands for "nightly", as another run does."""
    descriptor = os.open(path / "dev.db.nightly.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def until_it_waits(run: Popen[str], path: Path) -> None:
    """Wait until a run has opened the lock's file."""
    deadline = time.monotonic() + 20
    while not times_open(run.pid, path / "dev.db.nightly.lock"):
        assert time.monotonic() < deadline, "it never waited"
        time.sleep(0.05)


def teams(dbctl: Dbctl) -> list[str]:
    return [row["name"] for row in dbctl.ok("teams", "list", "--json").json]


def test_while_another_run_holds_it_nothing_is_done(on_sample: Dbctl) -> None:
    with held(on_sample.cwd):
        result = on_sample(*ADD, "--lock", "nightly")
    assert (result.code, result.out, result.talk.count("\n")) == (7, "", 1), str(result)
    assert 'another run holds the lock "nightly"' in result.err
    assert "--lock-wait" in result.err
    assert teams(on_sample) == ["Preventers", "Z-Force", "Empty"]


def test_a_run_that_is_to_skip_what_is_locked_ends_quietly(on_sample: Dbctl) -> None:
    with held(on_sample.cwd):
        result = on_sample(*ADD, "--lock", "nightly", "--skip-locked")
        assert (result.code, result.out, result.talk.count("\n")) == (0, "", 1), str(result)
        assert result.talk.startswith("dbctl: skipped: ")
        quiet = on_sample(*ADD, "--lock", "nightly", "--skip-locked", "--quiet")
        assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
        assert on_sample(*ADD, "--lock", "nightly", "--lock-wait", "0.1", "--skip-locked").code == 0
    assert teams(on_sample) == ["Preventers", "Z-Force", "Empty"]
    on_sample.ok(*ADD, "--lock", "nightly", "--skip-locked")
    assert on_sample(*ADD, "--skip-locked").code == 2


def test_it_is_waited_for_as_long_as_was_said(on_sample: Dbctl) -> None:
    with held(on_sample.cwd):
        result = on_sample(*ADD, "--lock", "nightly", "--lock-wait", "0.2")
        assert result.code == 7
        assert "after 0.2 s" in result.err
        run = on_sample.popen(*ADD, "--lock", "nightly", "--lock-wait", "60")
        until_it_waits(run, on_sample.cwd)
        with pytest.raises(TimeoutExpired):
            run.wait(0.5)
    assert run.wait(20) == 0
    run.communicate()
    assert teams(on_sample) == ["Preventers", "Z-Force", "Empty", "Avengers"]


def test_the_profile_may_name_it(on_sample: Dbctl) -> None:
    (on_sample.cwd / "profiles.toml").write_text(
        'default = "p"\n[profiles.p]\nurl = "sqlite:///dev.db"\nlock = "nightly"\n'
    )
    with held(on_sample.cwd):
        assert on_sample("heroes", "list").code == 7
        on_sample.ok("heroes", "list", "--lock", "another")
    on_sample.ok("heroes", "list")


@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_wait_for_it(on_sample: Dbctl, by: signal.Signals, code: int) -> None:
    with held(on_sample.cwd):
        run = on_sample.popen(*ADD, "--lock", "nightly", "--lock-wait", "60")
        until_it_waits(run, on_sample.cwd)
        run.send_signal(by)
        assert run.wait(20) == code
    run.communicate()
    assert teams(on_sample) == ["Preventers", "Z-Force", "Empty"]


def test_a_run_that_fails_lets_it_go(on_sample: Dbctl) -> None:
    assert on_sample("teams", "add", "Z-Force", "--lock", "nightly").code == 1
    on_sample.ok(*ADD, "--lock", "nightly")
