"""A signal ends a run at once while it starts, connects, waits for a server or measures one."""

import os
import random
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.cli.commands import COMMANDS
from tests.faults.watching import fill, make_reads_slow, watching, within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, Run, forked
from tests.harness.result import Result
from tests.harness.soak import dose
from tests.migrations.service import Service
from tests.servers.system import free_port

SOON = 1.5
"""Seconds: the second that it may take, and what a busy machine adds."""

SIGNALS = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupted", "terminated"]
)
SAID = {"dbctl: interrupted: what was not committed is rolled back\n", "dbctl: interrupted\n"}
"""Of what writes, and of what only reads."""
NOTE = "dbctl: no models are configured: these are the sample's tables (name yours with the profile's key models)\n"
STARTS = dose(3, 60)
ROUNDS = dose(6, 250)

# What to say behind each command so that it connects; None for one that connects to nothing.
BEHIND: Mapping[str, Sequence[str] | None] = {
    "activity": ["", "--watch"],
    "backup create": ["x.backup"],
    "backup list": None,
    "backup verify": None,  # not before it has a backup, and then as restore
    "copy": ["hero --from p --to p"],
    "describe": ["hero"],
    "console": None,  # it owns the terminal, and has tests of its own
    "create-database": [""],
    "create-role": ["r --for app --password-env HOME"],
    "doctor": [""],
    "drift": [""],
    "drop-database": ["--confirm app"],
    "drop-tables": [""],
    "exec": ["--lock nightly -- true"],
    "fleet drift": ["--all", "--all --models"],
    "export": ["hero x.csv"],
    "help": None,
    "heroes add": ["A --secret-name S"],
    "heroes import": ["x.csv"],
    "heroes list": [""],
    "heroes remove": ["1"],
    "heroes show": ["1"],
    "heroes update": ["1 --age 3"],
    "import": ["x.csv hero"],
    "init-tables": ["", "--check"],
    "kill": ["1", "--blocking --confirm=p"],
    "migrate alembic": ["revision --autogenerate -m a"],
    "migrate check": [""],
    "migrate current": [""],
    "migrate downgrade": ["base"],
    "migrate stamp": ["head"],
    "migrate upgrade": [""],
    "ping": ["", "--driver async", "--wait 30", "--all"],
    "pool-stats": ["", "--driver async", "--watch"],
    "profiles add": None,
    "profiles check": ["--connect"],
    "profiles default": None,
    "profiles edit": None,
    "profiles import": None,
    "profiles list": None,
    "profiles path": None,
    "profiles remove": None,
    "profiles set": None,
    "profiles show": None,
    "query": ["SELECT", "--write SELECT", "--single SELECT"],
    "reset": ["--confirm app"],
    "restore": None,  # the same; it has tests of its own
    "run": ["- --param a=b"],
    "serve": None,  # until somebody asks it for something
    "setup": ["", "--wait 0"],
    "shell": None,  # it owns the terminal, and has tests of its own
    "tables": [""],
    "topology": [""],
    "teams add": ["A"],
    "teams list": [""],
    "teams remove": ["1"],
    "transfer": ["1 --from 1 --to 2", "--file x.csv"],
    "transfers list": [""],
}
CONNECTING = [f"{command} {more}" for command, several in BEHIND.items() for more in several or ()]
AT_ONCE = 5
"""How many runs wait side by side: to start them all takes a while too."""
WAITING = ["ping --wait 30", "ping --wait 30 --driver async"]
MEASURING = [
    "pool-stats --duration 30",
    "pool-stats --duration 30 --driver async",
    "ping --count 100000000",
    "ping --count 100000000 --driver async",
]
SEVERAL = ["ping", "heroes list", "doctor", "ping --wait 30"]


@pytest.fixture
def quick(dbctl: Dbctl) -> Forked:
    return Forked(cwd=dbctl.cwd, home=dbctl.home)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port on which connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def is_at_work(run: Run) -> bool:
    """Tell whether it has started the thread in which its work is done."""
    return len(os.listdir(f"/proc/{run.pid}/task")) > 1


def has_talked(run: Run) -> bool:
    """Tell whether something is on its standard error."""
    return os.fstat(run.streams[1].fileno()).st_size > 0


def is_in_dbctl(pid: int) -> bool:
    """Tell whether a process is at dbctl's first lines: SIGPIPE is ignored, as Python has it, and SIGINT not caught.

    Python has it raise an exception a moment after that, until dbctl's first line; a run that is at work does again.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    ignored, caught = (int(re.findall(rf"{name}:\s*(\w+)", status)[0], 16) for name in ("SigIgn", "SigCgt"))
    return bool(ignored >> (signal.SIGPIPE - 1) & 1) and not caught >> (signal.SIGINT - 1) & 1


def begun(pid: int) -> bool:
    """Wait for a process to be past Python's own start, in which nobody but Python can hear a signal."""
    return within(30, lambda: is_in_dbctl(pid) and is_in_dbctl(pid))  # and not between the two


def signalled(
    dbctl: Forked, commands: Sequence[str], number: int, ready: Callable[[Run], bool] = is_at_work
) -> list[Result]:
    """Run commands at once, send all a signal when they have been ready for a moment, and see them end soon."""
    runs = [dbctl.start(*command.split()) for command in commands]
    within(3, lambda: all(map(ready, runs)))
    time.sleep(0.3)
    early = [run for run in runs if run.has_ended()]
    for run in runs:
        run.send_signal(number)
    within(SOON, lambda: all(run.has_ended() for run in runs))
    results = ended(runs)
    assert not early, f"{early} ended before the signal: {results}"
    return results


def ended(runs: Sequence[Run]) -> list[Result]:
    """Return the results of runs that ended by themselves."""
    late = [run for run in runs if not run.has_ended()]
    for run in runs:
        run.send_signal(signal.SIGKILL)
    results = [run() for run in runs]
    assert not late, f"{late} did not hear the signal: {results}"
    return results


def with_profile(dbctl: Dbctl, scheme: str, port: int) -> None:
    profile = f'url = "{scheme}://app@127.0.0.1:{port}/app"\nconnect_timeout = 20\n'
    (dbctl.cwd / "profiles.toml").write_text(f'default = "p"\n[profiles.p]\n{profile}', encoding="utf-8")


@SIGNALS
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_signal_ends_a_connect_that_nobody_answers(
    quick: Forked, silent: int, scheme: str, number: int, code: int
) -> None:
    with_profile(quick, scheme, silent)
    Service.make(quick.cwd, "generic", "shop")
    for first in range(0, len(CONNECTING), AT_ONCE):
        for result in signalled(quick, CONNECTING[first : first + AT_ONCE], number):
            assert (result.code, result.out) == (code, ""), str(result)
            assert result.talk.removeprefix(NOTE) in SAID, str(result)


def test_no_command_is_left_out_of_that() -> None:
    """One that connects to nothing is in the table too, so that somebody has thought of it."""
    assert {" ".join(words) for words in COMMANDS} <= set(BEHIND)


@SIGNALS
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_signal_ends_the_wait_for_a_server_that_is_not_there(
    quick: Forked, scheme: str, number: int, code: int
) -> None:
    with_profile(quick, scheme, free_port())
    for result in signalled(quick, WAITING, number, has_talked):
        assert (result.code, result.out) == (code, "")
        said, last = result.err.splitlines(keepends=True)
        assert said.endswith("; waiting\n")
        assert last in SAID


@SIGNALS
def test_a_signal_ends_a_measurement(dbctl: Dbctl, database: TestDatabase, number: int, code: int) -> None:
    fill(database)
    quick = forked(dbctl, database)
    with watching(database) as watch:
        for result in signalled(quick, MEASURING, number):
            assert result.code == code, str(result)
            assert result.talk in SAID, str(result)
        assert within(SOON, lambda: watch.sessions() == 0)


@pytest.mark.timeout(dose(120, 1800))
def test_a_signal_is_heard_though_it_comes_just_before_the_main_thread_waits(
    quick: Forked, silent: int, dice: random.Random
) -> None:
    """Python does not notice there that there is a signal, and the system does not interrupt what begins after it."""
    with_profile(quick, "mysql", silent)
    for number in range(ROUNDS):
        runs = [quick.start(*command.split()) for command in SEVERAL]
        waiting = list(runs)
        end = time.monotonic() + 20
        while waiting and time.monotonic() < end:
            for run in filter(is_at_work, list(waiting)):
                time.sleep(dice.uniform(0, 0.0005))
                run.send_signal(signal.SIGINT)
                waiting.remove(run)
        within(SOON, lambda: all(run.has_ended() for run in runs))  # noqa: B023  # it is called at once
        results = ended(runs)
        assert {result.code for result in results} == {130}, f"round {number}: {results}"


@SIGNALS
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_signal_ends_a_run_that_starts(
    on_database: Dbctl, installed: Dbctl, database: TestDatabase, dice: random.Random, number: int, code: int
) -> None:
    """Before dbctl is there to hear it, it has the signal's own effect, which a shell shows as the same code."""
    fill(database)
    make_reads_slow(database)
    for _ in range(STARTS):
        process = installed.popen("heroes", "list", env=on_database.env)
        assert begun(process.pid)
        time.sleep(dice.uniform(0, 0.6))
        process.send_signal(number)
        in_time = within(SOON, lambda: process.poll() is not None)  # noqa: B023  # it is called at once
        process.kill()
        out, err = process.communicate()
        assert in_time
        assert process.returncode in {code, -number}, err
        assert (out, err) in {("", "dbctl: interrupted\n"), ("", "")}
