"""A result that is longer than the screen is shown by a pager, which has the terminal until the person quits it."""

import contextlib
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.own import define, with_own_commands
from tests.faults.watching import Watch, watching, within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.terminal import Terminal

ROWS = 3000

# A pager that tells how it was called and what it was given.
RECORDING = """#!/bin/sh
printf '%s\\n' "$*" "LESS=$LESS" > called.txt
cat > paged.txt
echo PAGED
"""


@pytest.fixture
def many(on_sample: Dbctl) -> Dbctl:
    with sqlite3.connect(on_sample.cwd / "dev.db") as connection:
        rows = [(f"{number} {'x' * 20}", "secret") for number in range(ROWS)]
        connection.executemany("INSERT INTO hero (name, secret_name) VALUES (?, ?)", rows)
    connection.close()
    for name in ("recorder", "bin/less"):
        path = on_sample.cwd / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORDING)
        path.chmod(0o755)
    return on_sample


def recorder(dbctl: Dbctl) -> str:
    return str(dbctl.cwd / "recorder")


def paged(dbctl: Dbctl) -> str | None:
    path = dbctl.cwd / "paged.txt"
    return path.read_text() if path.exists() else None


def by_default(dbctl: Dbctl) -> Dbctl:
    """Return dbctl without the tests' own word that there is no pager, and with a `less` that records."""
    path = f"{dbctl.cwd / 'bin'}:{dbctl.environment()['PATH']}"
    return replace(dbctl, program=("/usr/bin/env", "-u", "DBCTL_PAGER", f"PATH={path}", *dbctl.program))


@pytest.mark.parametrize("output", ["table", "json", "jsonl", "csv", "tsv"])
def test_what_is_longer_than_the_screen_goes_to_the_pager(many: Dbctl, output: str) -> None:
    shown = many.tty("heroes", "list", "-o", output, env={"DBCTL_PAGER": recorder(many)})
    assert (shown.code, shown.out) == (0, "PAGED\n")
    assert paged(many) == many.ok("heroes", "list", "-o", output).out


@pytest.mark.parametrize("command", ["teams list", "heroes show 1", "heroes list --limit 10 -o csv", "profiles path"])
def test_what_fits_the_screen_is_written_as_it_is(many: Dbctl, command: str) -> None:
    shown = many.tty(*command.split(), env={"DBCTL_PAGER": recorder(many)})
    assert shown.code == 0
    assert shown.out.strip() != ""
    assert paged(many) is None


def test_the_screen_is_full_one_line_before_its_last(many: Dbctl) -> None:
    for rows, goes in ((21, False), (22, True)):  # beside the heading and the rule; the last line is the prompt's
        many.tty("heroes", "list", "--limit", str(rows), rows=24, env={"DBCTL_PAGER": recorder(many)})
        assert (paged(many) is not None) == goes


def test_text_is_paged_too(many: Dbctl) -> None:
    many.tty("init-tables", "--dry-run", "--url", "sqlite://", rows=10, env={"DBCTL_PAGER": recorder(many)})
    assert "CREATE TABLE hero" in str(paged(many))


@pytest.mark.parametrize(
    ("variables", "goes"),
    [
        ({"PAGER": "./recorder"}, True),
        ({"PAGER": "false", "DBCTL_PAGER": "./recorder"}, True),
        ({"PAGER": "./recorder", "DBCTL_PAGER": ""}, False),
        ({"PAGER": "./recorder", "DBCTL_PAGER": "cat"}, False),
        ({"PAGER": ""}, False),
        ({"PAGER": "./recorder", "TERM": "dumb"}, False),
        ({"PAGER": "./recorder --with 'an argument'"}, True),
        ({"PAGER": "LESS=i ./recorder"}, True),
        ({"PAGER": "cat | ./recorder"}, True),
    ],
    ids=str,
)
def test_the_environment_names_the_pager(many: Dbctl, variables: dict[str, str], goes: bool) -> None:
    dbctl = many if "DBCTL_PAGER" in variables else by_default(many)
    shown = dbctl.tty("heroes", "list", "-o", "csv", env=variables)
    assert shown.code == 0
    assert (paged(many) is not None) == goes
    assert (shown.out.count("\n") > ROWS) == (not goes)


@pytest.mark.parametrize("pager", ["no-such-program", "no-such-program --option | cat", "/no/such/program"])
def test_without_a_pager_all_is_written_as_it_is(many: Dbctl, pager: str) -> None:
    shown = many.tty("heroes", "list", "-o", "csv", stderr_apart=True, env={"DBCTL_PAGER": pager})
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.count("\n") == ROWS + 3


@pytest.mark.parametrize("pager", ["false", "less 'x", "./broken", "sh -c 'sleep 0.5; exit 3'"])
@pytest.mark.parametrize("limit", ["100", f"{ROWS}"], ids=["in the pipe", "more than that"])
def test_where_the_pager_fails_all_is_written_without_it(many: Dbctl, pager: str, limit: str) -> None:
    (many.cwd / "broken").write_text("#!/bin/sh\nexec /no/such/program\n")
    (many.cwd / "broken").chmod(0o755)
    args = ("heroes", "list", "--limit", limit, "-o", "csv")
    shown = many.tty(*args, stderr_apart=True, env={"DBCTL_PAGER": pager})
    assert shown.code == 0
    assert f"dbctl: the pager failed, and took nothing: {pager}\n" in shown.err.replace("\r", "")
    assert shown.out.splitlines()[-int(limit) :] == many.ok(*args).out.splitlines()[-int(limit) :]


@pytest.mark.parametrize("pager", ["head -1; false", "true"])
def test_a_pager_that_read_or_wanted_nothing_is_left_at_that(many: Dbctl, pager: str) -> None:
    shown = many.tty("heroes", "list", "-o", "csv", stderr_apart=True, env={"DBCTL_PAGER": pager})
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.count("\n") <= 1


def test_no_pager_is_an_option(many: Dbctl) -> None:
    for args in (("--no-pager", "heroes", "list"), ("heroes", "list", "--no-pager")):
        assert many.tty(*args, env={"DBCTL_PAGER": recorder(many)}).out.count("\n") == ROWS + 4
    assert paged(many) is None


def test_a_pipe_is_never_paged(many: Dbctl) -> None:
    assert len(many.ok("heroes", "list", env={"DBCTL_PAGER": recorder(many)}).lines) == ROWS + 3
    assert paged(many) is None


@pytest.mark.parametrize(("variables", "less"), [({}, "FRSX"), ({"LESS": "iR"}, "iR")], ids=str)
def test_less_is_the_pager_unless_another_is_named(many: Dbctl, variables: dict[str, str], less: str) -> None:
    shown = by_default(many).tty("heroes", "list", env=variables)
    assert (shown.code, shown.out) == (0, "PAGED\n")
    assert (many.cwd / "called.txt").read_text().split("\n")[:2] == ["-FRSX", f"LESS={less}"]
    assert "\x1b[1m" in str(paged(many))


def test_less_cuts_no_line_off_where_all_lines_fit_one_screen(many: Dbctl) -> None:
    """It would quit at once, and what is cut off could not be seen."""
    with sqlite3.connect(many.cwd / "dev.db") as connection:
        connection.execute("UPDATE hero SET name = ? WHERE id = 1", ("x" * 5000,))
    connection.close()
    by_default(many).tty("heroes", "list", "--limit", "1", "-o", "jsonl")
    assert (many.cwd / "called.txt").read_text().split("\n")[:2] == ["-FRX", "LESS=FRX"]


def test_a_pager_that_may_not_know_escapes_gets_none(many: Dbctl) -> None:
    many.tty("heroes", "list", env={"DBCTL_PAGER": recorder(many)})
    assert "\x1b" not in str(paged(many))


def test_what_comes_slowly_is_shown_as_it_comes(dbctl: Dbctl) -> None:
    own = with_own_commands(dbctl)
    body = """
def slow(needed: Profiles) -> Iterator[Found]:
    from pathlib import Path
    from time import sleep
    for number in range(6):
        yield Found(number)
        sleep(0.6)
        while number == 5 and not Path("seen").exists():
            sleep(0.1)
"""
    define(own, "slow", body)
    with own.terminal("slow", "-o", "jsonl", env={"DBCTL_PAGER": "less"}) as terminal:
        assert within(30, lambda: '{"answer": 3}' in terminal.shown()), terminal.shown()
        (own.cwd / "seen").touch()
        code, out, _ = terminal.run([], 30)
    assert code == 0
    assert out.count("answer") == 6


# --- the real one, and a person ---------------------------------------------------------------------------------------


def in_less(dbctl: Dbctl, *args: str) -> Terminal:
    return dbctl.terminal(*args, env={"DBCTL_PAGER": "less -FRSX"})


def prompts(terminal: Terminal) -> bool:
    return terminal.shown().endswith((":\x1b[K", ":"))


def test_a_person_who_quits_early_ends_it_well(many: Dbctl) -> None:
    with in_less(many, "heroes", "list") as terminal:
        assert within(30, lambda: prompts(terminal)), terminal.shown()
        terminal.press("q")
        code, out, _ = terminal.run([], 10)
        assert terminal.is_as_before
    assert code == 0
    assert "dbctl:" not in out
    assert f"{ROWS - 1} x" not in out


def test_a_person_who_reads_to_the_end_sees_all_of_it(many: Dbctl) -> None:
    with in_less(many, "heroes", "list") as terminal:
        assert within(30, lambda: prompts(terminal)), terminal.shown()
        terminal.press("G")
        assert within(30, lambda: f"{ROWS - 1} x" in terminal.shown())
        terminal.press("q")
        code, _, _ = terminal.run([], 10)
        assert terminal.is_as_before
    assert code == 0


@pytest.fixture
def watch(database: TestDatabase) -> Iterator[Watch]:
    database.execute("CREATE TABLE hero (id INTEGER PRIMARY KEY)")
    with watching(database) as found:
        yield found


@pytest.fixture
def counting(on_database: Dbctl, database: TestDatabase) -> Dbctl:
    """dbctl with a command that shows more rows than anybody reads."""
    own = with_own_commands(on_database)
    rows = {
        "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1e9) SELECT n FROM c",
        "postgresql": "SELECT a.n FROM generate_series(1, 100000) a(n), generate_series(1, 100000) b",
        "mariadb": "SELECT a.seq AS n FROM seq_1_to_100000 a, seq_1_to_100000 b",
        "mysql": "SELECT 1 AS n FROM information_schema.columns a, information_schema.columns b",
    }[database.kind]
    define(own, "count", f"def count(needed: Session) -> Rows[Any]:\n    return stream_rows(needed, text({rows!r}))\n")
    return own


def test_a_pager_that_is_quit_ends_the_query(counting: Dbctl, watch: Watch) -> None:
    with in_less(counting, "count") as terminal:
        assert within(30, lambda: prompts(terminal)), terminal.shown()
        terminal.press("q")
        code, _, _ = terminal.run([], 10)
    assert code == 0
    assert within(1, lambda: watch.sessions() == 0)


def quit_by(terminal: Terminal, key: str) -> tuple[int, str]:
    """Press a key until the program ends, as a person would: now and then less loses the first one after Ctrl-C."""
    for patience in (2, 2, 10):
        terminal.press(key)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return terminal.run([], patience)[:2]
    raise AssertionError(terminal.shown())


def test_ctrl_c_ends_the_query_and_leaves_the_pager(counting: Dbctl, watch: Watch) -> None:
    """As git does it: what has come can be read on, and the terminal is the pager's until it is quit."""
    with in_less(counting, "count") as terminal:
        assert within(30, lambda: prompts(terminal)), terminal.shown()
        terminal.press("\x03")
        assert within(3, lambda: watch.sessions() == 0)
        time.sleep(1)
        assert terminal.process.poll() is None
        code, out = quit_by(terminal, "q")
        assert terminal.is_as_before
    assert code == 130
    assert out.rstrip().endswith("dbctl: interrupted")


def test_ctrl_c_at_the_end_is_for_the_pager_alone(many: Dbctl) -> None:
    with in_less(many, "heroes", "list", "--limit", "100") as terminal:
        assert within(30, lambda: prompts(terminal)), terminal.shown()
        time.sleep(1)  # all of it is in the pipe
        terminal.press("\x03")
        time.sleep(0.5)
        assert terminal.process.poll() is None
        terminal.press("q")
        code, out, _ = terminal.run([], 10)
        assert terminal.is_as_before
    assert code == 0
    assert "dbctl:" not in out


def test_sigterm_ends_the_pager_too(counting: Dbctl, watch: Watch) -> None:
    with in_less(counting, "count") as terminal:
        assert within(30, lambda: prompts(terminal)), terminal.shown()
        began = time.monotonic()
        terminal.process.send_signal(signal.SIGTERM)
        code, out, _ = terminal.run([], 10)
        assert time.monotonic() - began < 3
        assert terminal.is_as_before
    assert code == 143
    assert out.rstrip().endswith("dbctl: interrupted")
    assert within(1, lambda: watch.sessions() == 0)


def test_a_deadline_ends_the_query_and_is_told_behind_the_pager(counting: Dbctl, watch: Watch) -> None:
    with counting.terminal("count", "--deadline", "3", env={"DBCTL_PAGER": "less -FRSX"}) as terminal:
        assert within(30, lambda: prompts(terminal)), terminal.shown()
        time.sleep(3)  # SQLite has no sessions, by whose end the query's could be told
        assert within(10, lambda: watch.sessions() == 0)
        assert terminal.process.poll() is None
        terminal.press("q")
        code, out, _ = terminal.run([], 10)
    assert code == 5
    assert "dbctl: error: not done within the deadline of 3 s" in out.splitlines()[-1]


def test_an_error_is_told_behind_the_pager(many: Dbctl) -> None:
    own = with_own_commands(many)
    body = """
def fail(needed: Session) -> Rows[Any]:
    query = "SELECT id, abs(-9223372036854775807 - (id - 500 + 1)) AS x FROM hero ORDER BY id"
    return stream_rows(needed, text(query))
"""
    define(own, "fail", body)
    shown = own.tty("fail", "-o", "csv", env={"DBCTL_PAGER": recorder(many)})
    assert shown.code == 1
    assert shown.out.startswith("PAGED\ndbctl: error: ")
    assert str(paged(many)).startswith("id,x\n1,")


def test_nothing_is_shown_of_a_pager_in_quiet(many: Dbctl) -> None:
    assert many.tty("heroes", "list", "--quiet", env={"DBCTL_PAGER": recorder(many)}).out == ""
    assert paged(many) is None


def test_the_pager_is_looked_for_on_the_path(many: Dbctl, tmp_path: Path) -> None:
    program = ("/usr/bin/env", "-u", "DBCTL_PAGER", f"PATH={tmp_path}", *many.program)
    shown = replace(many, program=program).tty("heroes", "list", "-o", "csv")
    assert shown.code == 0
    assert shown.out.count("\n") == ROWS + 3
