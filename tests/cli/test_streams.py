"""Standard output is data, standard error is talk, and neither a reader that leaves nor a full disk is a crash."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl, Result
from tests.harness.forked import Forked

CANARY = "hunter2canary"
FORMATS = ("table", "json", "jsonl", "csv", "tsv")
WRITERS = ("teams add New", "teams list -o table", "profiles list --json", "--help", "--version")


def in_shell(dbctl: Dbctl, line: str) -> Result:
    """Run a shell's line in which `dbctl` is dbctl."""
    script = f'dbctl() {{ {" ".join(dbctl.program)} "$@"; }}\n{line}'
    done = subprocess.run(
        ["bash", "-c", script], cwd=dbctl.cwd, env=dbctl.environment(), capture_output=True, timeout=60, check=False
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode(), [line])


@pytest.fixture
def many_rows(on_sample: Dbctl) -> Dbctl:
    """Far more than a pipe holds."""
    rows = [(f"{number} {'x' * 100}", "secret") for number in range(3000)]
    with sqlite3.connect(on_sample.cwd / "dev.db") as connection:
        connection.executemany("INSERT INTO hero (name, secret_name) VALUES (?, ?)", rows)
    connection.close()
    return on_sample


FAILING = [
    ("heroes", "show", "Nobody"),
    ("teams", "add", "Preventers"),
    ("nonsense",),
    ("heroes", "list", "--nonsense"),
    ("--profile", "nowhere", "ping"),
    ("--url", f"postgresql://user:{CANARY}@127.0.0.1:1/db", "ping"),
    ("--url", f"mysql://user:{CANARY}@127.0.0.1:1/db", "heroes", "list"),
    ("--url", CANARY, "profiles", "show"),
    ("init-tables", "--models", "nowhere"),
]


@pytest.mark.parametrize("args", FAILING, ids=" ".join)
def test_an_error_is_one_line_on_stderr(args: Sequence[str], on_sample: Dbctl) -> None:
    result = on_sample(*args)
    assert result.code not in {0, 70}
    assert result.out == ""
    assert result.talk.startswith("dbctl: error: ")
    assert result.err.endswith("\n")
    assert result.talk.count("\n") == 1
    assert CANARY not in result.err


DEBUGGED = [args for args in FAILING if "nonsense" not in args[0] and "--nonsense" not in args]


@pytest.mark.parametrize("args", DEBUGGED, ids=" ".join)
def test_debug_adds_the_traceback_without_local_variables(args: Sequence[str], on_sample: Dbctl) -> None:
    plain, debugged = on_sample(*args), on_sample(*args, "--debug")
    assert (debugged.code, debugged.out) == (plain.code, "")
    assert debugged.err.startswith(plain.err)
    assert "Traceback (most recent call last):\n" in debugged.err
    assert CANARY not in debugged.err


def test_an_error_with_several_findings_has_a_line_for_each(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text('[profiles.p]\nurl = "sqlite://"\nworkers = 0\npool.size = -1\n')
    lines = dbctl("-p", "p", "ping").err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("dbctl: error: profiles.toml [profiles.p]: ") for line in lines)


def test_what_is_not_data_is_said_on_stderr(dbctl: Dbctl) -> None:
    result = dbctl.ok("init-tables", "--json")
    assert [row["state"] for row in result.json] == ["created"] * 3
    assert result.talk.startswith("dbctl: no models are configured")
    dry = dbctl.ok("teams", "add", "X", "--dry-run", "--json")
    assert dry.json["committed"] is False
    assert dry.talk.startswith("dbctl: dry run")


@pytest.mark.parametrize("command", ["init-tables", "teams list", "teams add X --dry-run", "profiles show", "ping"])
def test_quiet_says_nothing(command: str, on_sample: Dbctl) -> None:
    assert on_sample.ok(*command.split()).out != ""
    result = on_sample.ok(*command.split(), "--quiet")
    assert (result.out, result.err) == ("", "")


def test_quiet_says_errors(on_sample: Dbctl) -> None:
    assert on_sample("heroes", "show", "Nobody", "--quiet").err.startswith("dbctl: error: ")


@pytest.mark.parametrize("output", FORMATS)
def test_a_reader_that_leaves_early_is_no_failure(output: str, many_rows: Dbctl) -> None:
    process = many_rows.popen("heroes", "list", "--output", output)
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() != ""
    process.stdout.close()
    assert (process.wait(30), process.stderr.read()) == (0, "")
    process.stderr.close()


@pytest.mark.parametrize("command", [*WRITERS, "heroes --help"])
def test_a_reader_that_never_reads_is_no_failure(command: str, on_sample: Dbctl) -> None:
    process = on_sample.popen(*command.split())
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    talk = [line for line in process.stderr if not line.startswith("dbctl: profile ")]
    assert (process.wait(30), talk) == (0, [])
    process.stderr.close()


def test_head_sees_the_first_rows(many_rows: Dbctl) -> None:
    result = in_shell(many_rows, 'dbctl heroes list | head -n 2; exit "${PIPESTATUS[0]}"')
    assert (result.code, result.err) == (0, "")
    assert result.lines[0].split("\t")[:2] == ["id", "name"]
    assert len(result.lines) == 2


@pytest.mark.parametrize("command", WRITERS)
def test_a_full_disk_is_one_line(command: str, on_sample: Dbctl) -> None:
    result = in_shell(on_sample, f"dbctl {command} > /dev/full")
    assert result.code != 0
    assert result.talk.startswith("dbctl: error: can't write")
    assert "No space left on device" in result.err
    assert result.talk.count("\n") == 1


@pytest.mark.parametrize("command", ["heroes list --limit", "heroes --config", "ping --count"])
def test_an_option_without_its_value_names_the_help_of_its_command(command: str, on_sample: Dbctl) -> None:
    result = on_sample(*command.split())
    assert result.code == 2
    assert result.err.endswith(f"; see: dbctl {command.rpartition(' ')[0]} --help\n")


def test_a_full_disk_does_not_undo_what_is_committed(on_sample: Dbctl) -> None:
    result = in_shell(on_sample, "dbctl teams add New > /dev/full")
    assert result.code == 10
    assert result.talk == (
        "dbctl: error: can't write the result: No space left on device; the work is done: do not run it again\n"
    )
    assert [team["name"] for team in on_sample.ok("teams", "list", "--json").json] == [
        "Preventers",
        "Z-Force",
        "Empty",
        "New",
    ]


@pytest.mark.parametrize("command", ["teams list", "--help", "ping --help", "--version", "teams add X --dry-run"])
def test_a_full_disk_without_a_commit_speaks_of_none(command: str, on_sample: Dbctl) -> None:
    result = in_shell(on_sample, f"dbctl {command} > /dev/full")
    assert result.code == 1
    assert "commit" not in result.talk.replace("nothing is committed", "")
    assert "done" not in result.talk


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_failure(closed: str, command: str, on_sample: Dbctl) -> None:
    result = in_shell(on_sample, f"dbctl {command} {closed}")
    assert (result.code, result.talk) == (0, "")
    assert (result.out != "") == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize("lost", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("command", "code"), [("heroes show Nobody", 1), ("nonsense", 2), ("-p nowhere ping", 3)])
def test_the_code_is_right_when_nobody_hears_the_error(command: str, code: int, lost: str, on_sample: Dbctl) -> None:
    assert in_shell(on_sample, f"dbctl {command} {lost}").code == code


@pytest.mark.parametrize("args", [("teams", "add", "\udcff"), ("\udcff",), ("-p", "a\udc80b", "ping")])
def test_an_argument_that_is_not_text_is_refused(args: Sequence[str], on_sample: Dbctl) -> None:
    result = on_sample(*args)  # handed over as the bytes that the surrogates stand for
    assert (result.code, result.out) == (2, "")
    assert result.err == "dbctl: error: an argument is not valid UTF-8; see: dbctl --help\n"


LOCALES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "xx_XX.nonsense"},
    {"LANG": ""},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
]


@pytest.fixture
def abroad(on_sample: Dbctl) -> Dbctl:
    """A team with a name that not every locale can write."""
    with sqlite3.connect(on_sample.cwd / "dev.db") as connection:
        connection.execute("UPDATE team SET name = 'Ä€😀\x7f' WHERE id = 1")
    connection.close()
    return on_sample


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_json_is_json_in_every_locale(locale: dict[str, str], abroad: Dbctl) -> None:
    assert abroad.ok("teams", "list", "--json", env=locale).json[0]["name"] == "Ä€😀\x7f"
    first = abroad.ok("teams", "list", "-o", "jsonl", env=locale).lines[0]
    assert json.loads(first)["name"] == "Ä€😀\x7f"


@pytest.mark.parametrize("locale", LOCALES, ids=str)
@pytest.mark.parametrize("output", ["table", "tsv"])
def test_text_is_written_in_every_locale(output: str, locale: dict[str, str], abroad: Dbctl) -> None:
    result = abroad.ok("teams", "list", "-o", output, env=locale)
    assert "Ä€😀" in result.out or r"\xc4\u20ac\U0001f600" in result.out
    assert result.err == ""


@pytest.mark.parametrize("locale", LOCALES[:4], ids=str)
def test_an_argument_is_stored_as_it_is_in_every_locale(locale: dict[str, str], on_sample: Dbctl) -> None:
    on_sample.ok("teams", "add", "Ä€😀", env=locale)
    assert on_sample.ok("teams", "list", "--json").json[-1]["name"] == "Ä€😀"


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_an_error_is_one_line_in_every_locale(locale: dict[str, str], on_sample: Dbctl) -> None:
    (on_sample.cwd / "profiles.toml").write_text('default = "ü€😀"', encoding="utf-8")
    result = on_sample("ping", env=locale)
    assert result.code == 3, str(result)
    assert result.talk.startswith("dbctl: error: profiles.toml: default = ")
    assert result.talk.count("\n") == 1


@pytest.mark.parametrize("args", [("heroes", "list"), ("teams", "add", "New"), ("ping",), ("init-tables",)])
def test_echo_is_on_stderr(args: Sequence[str], on_sample: Dbctl) -> None:
    result = on_sample.ok(*args, "--echo", "--json")
    assert result.json
    assert "SELECT" in result.err
    assert "SELECT" not in result.out


def test_echo_shows_statements_of_a_profile_that_asks_for_it(on_sample: Dbctl) -> None:
    (on_sample.cwd / "profiles.toml").write_text('[profiles.p]\nurl = "sqlite:///dev.db"\necho = true\n')
    result = on_sample.ok("-p", "p", "heroes", "add", "A", "--secret-name", CANARY, "--json")
    assert result.json["name"] == "A"
    assert "INSERT INTO hero" in result.err
    assert CANARY in result.err


def test_echo_shows_no_parameter_of_a_protected_profile(on_sample: Dbctl) -> None:
    (on_sample.cwd / "profiles.toml").write_text('[profiles.p]\nurl = "sqlite:///dev.db"\nprotected = true\n')
    result = on_sample.ok("-p", "p", "heroes", "add", "A", "--secret-name", CANARY, "--echo", "--confirm=p")
    assert "INSERT INTO hero" in result.err
    assert CANARY not in result.err


def test_what_a_services_module_prints_is_talk(dbctl: Dbctl) -> None:
    (dbctl.cwd / "talking.py").write_text(
        "from sqlalchemy import Column, Integer, MetaData, Table\nprint('talk')\n"
        "t = Table('t', MetaData(), Column('id', Integer, primary_key=True))\n"
    )
    result = dbctl.ok("init-tables", "--models", "talking", "--json")
    assert result.json == [{"table": "t", "state": "created"}]
    assert result.talk == "talk\n"


def test_nothing_is_left_in_the_directory_by_a_command_that_reads(dbctl: Dbctl) -> None:
    for command in ("ping", "heroes list", "profiles show", "profiles list", "pool-stats", "init-tables --check"):
        dbctl(*command.split())
    assert list(Path(dbctl.cwd).iterdir()) == []


def test_an_interrupt_after_the_commit_says_that_it_is_done(on_sample: Forked) -> None:
    """The result is never taken: the pipe is full, and nobody reads from it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    with os.fdopen(reading), os.fdopen(writing, "wb", closefd=True) as full:
        run = on_sample.start("teams", "add", "New", stdout=full)
        deadline = time.monotonic() + 20
        while len(names(on_sample.cwd / "dev.db")) < 4:
            assert time.monotonic() < deadline, "it never committed"
            time.sleep(0.05)
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        result = run()
    assert (result.code, result.talk) == (130, "dbctl: interrupted: all of it is committed, but not shown\n")


def names(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM team")]


@pytest.mark.parametrize("command", ["import - hero", "query -", "run -"])
def test_what_reads_a_closed_standard_input_says_so(command: str, on_sample: Dbctl) -> None:
    result = in_shell(on_sample, f"dbctl {command} <&-")
    assert (result.code, "standard input is closed" in result.err) == (2, True), str(result)
