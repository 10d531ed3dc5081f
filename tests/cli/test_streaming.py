"""What only reads is written while its transaction is open and its rows come, and ends where its reader does."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.cli.own import define, with_own_commands
from tests.faults.cuts import CutAfter
from tests.faults.watching import Watch, watching, within
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.servers.proxy import End, Proxy, Way

FORMATS = ("table", "json", "jsonl", "csv", "tsv")
# Each format on one database, and one format on each: what writes does not know where the rows come from.
EACH = pytest.mark.parametrize(
    ("database", "output"),
    [*(("sqlite", output) for output in FORMATS), ("postgresql", "csv"), ("mariadb", "csv")],
    indirect=["database"],
)
WIDE = 20_000
"""Characters: MariaDB hands on rows when it has 16 KiB of them."""

RUN = "def sql(needed: Session, query: str) -> Rows[Any]:\n    return stream_rows(needed, text(query))\n"

# A table's worth of numbers.
NUMBERS = {
    "sqlite": "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {most}) SELECT n FROM c) s",
    "postgresql": "generate_series(1, {most}) AS s(n)",
    "mariadb": "(SELECT seq AS n FROM seq_1_to_{most}) s",
    "mysql": "JSON_TABLE(CONCAT('[1', REPEAT(',1', {most} - 1), ']'), '$[*]' COLUMNS (n FOR ORDINALITY)) s",
}
# A value that takes some time, about a quarter of a second.
SLOWLY = {
    "sqlite": "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 500000 + n)"
    " SELECT count(*) FROM c)",
    "postgresql": "length(pg_sleep(0.25)::text)",
    **dict.fromkeys(("mariadb", "mysql"), "SLEEP(0.25)"),
}
WIDENED: dict[str, str] = {"sqlite": "printf('%.{0}c', 'x')", **dict.fromkeys(SERVER_KINDS, "REPEAT('x', {0})")}
# A row that the server can't compute.
BROKEN = {
    "sqlite": "abs(-9223372036854775807 - (n - {row} + 1))",
    "postgresql": "1 / (n - {row})",
    **dict.fromkeys(
        ("mariadb", "mysql"), "(SELECT x FROM (SELECT 1 x UNION SELECT 2) t WHERE x < IF(s.n = {row}, 3, 2))"
    ),
}


@pytest.fixture
def watch(database: TestDatabase) -> Iterator[Watch]:
    database.execute("CREATE TABLE hero (id INTEGER PRIMARY KEY)")
    with watching(database) as found:
        yield found


@pytest.fixture
def asking(on_database: Dbctl) -> Dbctl:
    """dbctl on the database, with a command that shows any query's rows."""
    own = with_own_commands(on_database)
    define(own, "sql", RUN)
    return own


def slow_rows(kind: str, most: int = 1000) -> str:
    """Return a query that gives four rows a second."""
    return (
        f"SELECT n, {WIDENED[kind].format(WIDE)} AS wide, {SLOWLY[kind]} AS slow FROM {NUMBERS[kind].format(most=most)}"
    )


def numbers(kind: str, most: int) -> str:
    return f"SELECT n, n AS again FROM {NUMBERS[kind].format(most=most)}"


def broken(kind: str, row: int, most: int = 50_000) -> str:
    return f"SELECT n, {BROKEN[kind].format(row=row)} AS x FROM {NUMBERS[kind].format(most=most)}"


def start(dbctl: Dbctl, *args: str) -> subprocess.Popen[str]:
    process = dbctl.popen(*args)
    assert process.stdin
    process.stdin.close()
    return process


def left(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Leave, as a reader, and return the exit code and what is said."""
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr as said:
        return process.wait(30), said.read()


@pytest.mark.parametrize(
    ("database", "output"),
    [("sqlite", "json"), ("sqlite", "tsv"), ("postgresql", "jsonl"), ("mariadb", "csv")],
    indirect=["database"],
)
def test_a_row_is_written_when_it_has_come(asking: Dbctl, watch: Watch, output: str) -> None:
    process = start(asking, "sql", slow_rows(watch.database.kind), "-o", output)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(5 if output == "json" else 2)]
    assert "xxx" in "".join(lines)
    if watch.database.server:
        assert watch.sessions() == 1
    assert left(process) == (0, "")


@pytest.mark.parametrize(
    ("database", "output"), [("sqlite", "table"), ("postgresql", "tsv"), ("mariadb", "table")], indirect=["database"]
)
def test_a_reader_that_leaves_ends_the_query_at_once(asking: Dbctl, watch: Watch, output: str) -> None:
    process = start(asking, "sql", slow_rows(watch.database.kind), "-o", output)
    assert process.stdout
    assert process.stdout.read(1)
    began = time.monotonic()
    assert left(process) == (0, "")
    assert time.monotonic() - began < 3
    assert within(0.5, lambda: watch.sessions() == 0)


def test_one_that_leaves_before_the_first_row_does_so_too(asking: Dbctl, watch: Watch) -> None:
    kind = watch.database.kind
    long = {"postgresql": "pg_sleep(60)::text", "mysql": "SLEEP(60)"}.get(kind, SLOWLY[kind].replace("2000000", "9e9"))
    define(asking, "lazy", "def lazy(needed: Session, query: str) -> Rows[Any]:\n"
           "    return Rows(['n', 'x'], stream(needed, text(query)))\n")  # fmt: skip
    process = start(asking, "lazy", f"SELECT n, {long} AS x FROM {NUMBERS[kind].format(most=2)}")
    if watch.database.server:
        assert within(20, watch.is_running)
    else:
        time.sleep(3)
    began = time.monotonic()
    assert left(process) == (0, "")
    assert time.monotonic() - began < 3
    assert within(0.5, lambda: watch.sessions() == 0)


def test_head_leaves_nothing_unsaid(asking: Dbctl, watch: Watch) -> None:
    query = numbers(watch.database.kind, 1_000_000)
    process = start(asking, "sql", query, "-o", "csv")
    assert process.stdout
    assert [process.stdout.readline() for _ in range(3)] == ["n,again\n", "1,1\n", "2,2\n"]
    assert left(process) == (0, "")


@EACH
def test_all_rows_are_written(asking: Dbctl, watch: Watch, output: str) -> None:
    most = 12_345
    result = asking.ok("sql", numbers(watch.database.kind, most), "-o", output)
    found = [int(number) for number in re.findall(r"^\D*(\d+)", result.out, re.MULTILINE)]
    if output == "json":
        assert [row["again"] for row in result.json] == list(range(1, most + 1))
    else:
        assert found == list(range(1, most + 1))


@EACH
def test_an_error_midway_leaves_what_is_written(asking: Dbctl, watch: Watch, output: str) -> None:
    result = asking("sql", broken(watch.database.kind, 40_000), "-o", output)
    assert result.code == 1, str(result)
    assert result.err.startswith('{"time": ' if output in {"json", "jsonl"} else "dbctl: error: ")
    assert result.err.count("\n") == 1
    assert result.out.endswith("\n")
    found = [int(number) for number in re.findall(r'^(?:\s*\{"n":|\s*"n":)?\s*(\d+)[,\t ]', result.out, re.MULTILINE)]
    assert found[0] == 1
    assert 20_000 < found[-1] < 40_000
    if output == "jsonl":
        assert [json.loads(line)["n"] for line in result.lines] == found


@pytest.mark.parametrize("output", ["table", "csv"])
def test_an_error_before_the_first_row_leaves_nothing(asking: Dbctl, watch: Watch, output: str) -> None:
    result = asking("sql", "SELECT * FROM nowhere", "-o", output)
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1), str(result)


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
@pytest.mark.parametrize(("end", "code"), [(End.RESET, 4), (End.CLOSE, 4), (End.SILENCE, 4)])
def test_a_connection_lost_midway_leaves_what_is_written(
    asking: Dbctl, watch: Watch, database: TestDatabase, end: End, code: int
) -> None:
    assert database.server
    with Proxy(database.server.port) as proxy:
        profiles = asking.cwd / "profiles.toml"
        profiles.write_text(profiles.read_text().replace(str(database.server.port), str(proxy.port)))
        proxy.expect(CutAfter(end, Way.TO_CLIENT, 300_000))
        query = numbers(database.kind, 1_000_000)
        began = time.monotonic()
        result = asking("sql", query, "--timeout", "5", "-o", "csv")
        assert time.monotonic() - began < 12
    assert result.code == code, str(result)[-1000:]
    assert result.err.count("\n") == 1
    numbers_found = [int(line.split(",")[0]) for line in result.lines[1:]]
    assert numbers_found == list(range(1, len(numbers_found) + 1))
    # With a reset what lies in this end's buffer, and is not read yet, is thrown away.
    assert len(numbers_found) > (0 if end is End.RESET else 5_000)


# It fails for want of a serialization, which heals by itself, in the first two runs of a session: it remembers them by
# locks, which no rollback gives back.
FAILING = """
CREATE FUNCTION fails(n int, at int) RETURNS int LANGUAGE plpgsql AS '
DECLARE taken int;
BEGIN
    IF n <> at THEN RETURN n; END IF;
    SELECT count(*) INTO taken FROM pg_locks WHERE locktype = ''advisory'' AND pid = pg_backend_pid();
    IF taken < 2 THEN
        PERFORM pg_advisory_lock(taken);
        RAISE EXCEPTION USING ERRCODE = ''40001'', MESSAGE = ''no serialization'';
    END IF;
    RETURN n;
END'
"""


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("row", "code", "retries"), [(1, 0, 2), (40_000, 1, 0)])
def test_what_was_shown_is_not_run_again(
    asking: Dbctl, watch: Watch, database: TestDatabase, row: int, code: int, retries: int
) -> None:
    database.execute(FAILING)
    query = f"SELECT fails(n, {row}) AS n FROM generate_series(1, 50000) n"
    result = asking("sql", query, "-o", "tsv")
    assert (result.code, result.err.count("; retry ")) == (code, retries), str(result)[-1000:]
    assert result.lines[:2] == ["n", "1"]
    assert result.lines.count("1") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_midway_ends_it_with_what_is_written(
    asking: Dbctl, watch: Watch, number: signal.Signals, code: int
) -> None:
    process = start(asking, "sql", slow_rows(watch.database.kind), "-o", "csv")
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == "n,wide,slow\n"
    row = process.stdout.readline()
    began = time.monotonic()
    process.send_signal(number)
    with process.stdout as out, process.stderr as err:
        rest, said = out.read(), err.read()
    assert (process.wait(30), said.count("\n")) == (code, 1)
    assert time.monotonic() - began < 2
    assert said.startswith("dbctl: interrupted\n")
    assert row.startswith("1,x")
    assert rest == "" or rest.endswith("\n")
    assert within(1, lambda: watch.sessions() == 0)


def test_a_deadline_midway_ends_it_with_what_is_written(asking: Dbctl, watch: Watch) -> None:
    result = asking("sql", slow_rows(watch.database.kind), "-o", "csv", "--deadline", "7")
    assert (result.code, result.err.count("\n")) == (5, 1), str(result)[-1000:]
    assert 2 <= len(result.lines) < 1000  # of which it would have written four a second
    assert result.out.endswith("\n")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_signal_is_heard_though_the_reader_takes_nothing(asking: Dbctl, watch: Watch) -> None:
    process = start(asking, "sql", numbers("sqlite", 5_000_000))
    assert process.stdout
    assert process.stderr
    assert process.stdout.read(1)
    time.sleep(0.5)  # the pipe fills
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert time.monotonic() - began < 2
    with process.stderr as err:
        assert err.read().startswith("dbctl: interrupted\n")
    process.stdout.close()


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_a_full_disk_ends_it(asking: Dbctl, watch: Watch) -> None:
    with open("/dev/full", "wb") as full:
        query = numbers(watch.database.kind, 5_000_000)
        done = subprocess.run(
            [*asking.program, "sql", query], cwd=asking.cwd, env=asking.environment(), stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("dbctl: error: can't write the result: No space left on device")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_pipe_that_does_not_block_loses_nothing(asking: Dbctl, watch: Watch) -> None:
    """Some programs leave a pipe like that to those they start."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = subprocess.Popen(
        [*asking.program, "sql", numbers("sqlite", 200_000)], cwd=asking.cwd, env=asking.environment(), stdout=writing
    )
    os.close(writing)
    time.sleep(2)
    with open(reading, encoding="utf-8") as out:
        assert len(out.readlines()) == 200_001
    assert process.wait(30) == 0


GENERATORS = """
def objects(needed: Session, query: str) -> Iterator[Found]:
    for row in needed.execute(text(query), execution_options={"yield_per": 100}):
        yield Found(row.n)
"""


@EACH
def test_a_generator_of_dataclasses_is_written_as_it_comes_too(asking: Dbctl, watch: Watch, output: str) -> None:
    define(asking, "objects", GENERATORS)
    result = asking.ok("objects", numbers(watch.database.kind, 3000), "-o", output)
    assert len(re.findall(r"\d+", result.out)) == 3000
    process = start(asking, "objects", numbers(watch.database.kind, 5_000_000), "-o", output)
    assert process.stdout
    process.stdout.readline()
    assert left(process) == (0, "")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_writes_shows_nothing_before_its_commit(asking: Dbctl, watch: Watch) -> None:
    body = """@writes(creates=True)
def fill(needed: Session, fail: bool = False) -> Iterator[Found]:
    for number in range(3):
        needed.execute(text(f"INSERT INTO hero VALUES ({number})"))
        yield Found(number)
    if fail:
        raise ArithmeticError
"""
    define(asking, "fill", body)
    failed = asking("fill", "--fail", "--json")
    assert (failed.code, failed.out) == (1, "")
    assert watch.database.execute("SELECT count(*) FROM hero") == [(0,)]
    assert [row["answer"] for row in asking.ok("fill", "--json").json] == [0, 1, 2]
    assert watch.database.execute("SELECT count(*) FROM hero") == [(3,)]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_quiet_runs_all_of_it_and_shows_nothing(asking: Dbctl, watch: Watch) -> None:
    done = asking.ok("sql", numbers("sqlite", 3000), "--quiet")
    assert (done.out, done.err) == ("", "")
    failed = asking("sql", broken("sqlite", 2000), "--quiet")
    assert (failed.code, failed.out, failed.err.count("\n")) == (1, "", 1)


def peak(dbctl: Dbctl, *args: str) -> int:
    """Run, and return the most memory that it had, in kilobytes."""
    process = subprocess.Popen(
        [*dbctl.program, *args], cwd=dbctl.cwd, env=dbctl.environment(), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    with suppress(ChildProcessError):
        process.wait()
    assert status == 0
    return usage.ru_maxrss


@EACH
def test_memory_does_not_grow_with_the_rows(asking: Dbctl, watch: Watch, output: str) -> None:
    kind = watch.database.kind
    query = f"SELECT n, {WIDENED[kind].format(100)} AS x FROM {NUMBERS[kind].format(most='{most}')}"
    few, many = (peak(asking, "sql", query.format(most=most), "-o", output) for most in (1, 100_000))
    assert many < 1.3 * few
