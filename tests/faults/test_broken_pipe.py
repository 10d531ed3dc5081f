"""A reader that leaves, as `| head` does, is no failure, and undoes nothing; see also tests/cli/test_streams.py."""

import os
import signal
import subprocess

import pytest

from tests.faults.watching import Watch, make_writes_slow, within
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import Forked
from tests.harness.result import Result

FORMATS = ("table", "json", "jsonl", "csv", "tsv")
MANY = 3000
"""Rows: more than a pipe holds."""

READING = [
    *(f"heroes list --output {name}" for name in FORMATS),
    "heroes show Deadpond",
    "teams list",
    "transfers list",
    "ping",
    "pool-stats --duration 0.1",
    "init-tables --check --quiet",
    "profiles show",
    "--help",
    "heroes --help",
    "heroes add --help",
    "transfer --help",
]
WRITING = [
    "heroes add New --secret-name S --team 2",
    "heroes update 1 --age 31",
    "transfer 1 --from 1 --to 2",
    "teams add New",
    "init-tables",
]


def unread(dbctl: Forked, *args: str) -> Result:
    """Run with a reader that is gone before the first byte."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as out:
        os.close(reading)
        run = dbctl.start(*args, stdout=out)
    in_time = within(20, run.has_ended)
    run.send_signal(signal.SIGKILL)
    result = run()
    assert in_time, str(result)
    return result


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Leave, as a reader, and return the exit code and what is said."""
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr as said:
        return process.wait(20), Result(0, "", said.read(), ()).talk


def test_commands_that_read_end_well_where_nobody_reads(watch: Watch, quick: Forked) -> None:
    for command in READING:
        result = unread(quick, *command.split())
        assert (result.code, result.talk) == (0, ""), str(result)
    assert within(1, lambda: watch.sessions() == 0)


@pytest.mark.parametrize(("database", "output"), [("postgresql", "table"), ("mariadb", "tsv")], indirect=["database"])
def test_a_reader_that_leaves_early_leaves_nothing_at_the_server(watch: Watch, on_database: Dbctl, output: str) -> None:
    values = ", ".join(f"('{number} {'x' * 100}', 'secret')" for number in range(MANY))
    watch.database.execute(f"INSERT INTO hero (name, secret_name) VALUES {values}")
    process = on_database.popen("heroes", "list", "--output", output)
    assert process.stdout
    assert process.stdout.read(1)
    assert ended(process) == (0, "")
    assert within(1, watch.is_free)
    assert within(1, lambda: watch.sessions() == 0)


def test_commands_that_write_have_written_though_nobody_reads(watch: Watch, quick: Forked) -> None:
    for command in WRITING:
        result = unread(quick, *command.split(), "--quiet" if command == "init-tables" else "--json")
        assert (result.code, result.talk) == (0, ""), str(result)
    assert [row[1:] for row in watch.heroes()] == [
        ("Deadpond", "Dive Wilson", 31, 2),
        ("New", "S", None, 2),
    ]
    assert watch.transfers() == [(1, 1, 2)]
    assert watch.database.execute("SELECT name FROM team ORDER BY id") == [("Preventers",), ("Z-Force",), ("New",)]


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_reader_that_leaves_while_it_is_written_ends_nothing(watch: Watch, on_database: Dbctl) -> None:
    make_writes_slow(watch.database, 0.5)
    process = on_database.popen("transfer", "1", "--from", "1", "--to", "2")
    assert within(20, watch.is_running)
    assert ended(process) == (0, "")
    assert watch.transfers() == [(1, 1, 2)]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_dry_run_that_nobody_reads_writes_nothing(watch: Watch, quick: Forked) -> None:
    result = unread(quick, "transfer", "1", "--from", "1", "--to", "2", "--dry-run", "--quiet")
    assert (result.code, result.talk, watch.transfers()) == (0, "", [])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("command", "code"), [("heroes show Nobody", 1), ("heroes list --nonsense", 2)])
def test_an_error_keeps_its_code_where_nobody_reads(watch: Watch, quick: Forked, command: str, code: int) -> None:
    result = unread(quick, *command.split())
    assert (result.code, result.talk.count("\n")) == (code, 1)
