"""How fast, and in how much memory, `copy` brings a table over, against pgloader and against pipes by hand.

    python tests/benchmarks/bulk_copy.py [--rows N] [--rounds N]

pgloader brings SQLite's table into PostgreSQL: Debian has it, `apt-get install pgloader`. Between the servers the floor
is the client of one into that of the other: psql's `\\copy` into LOAD DATA LOCAL, `mariadb -B --quick` into `\\copy`.
"""

import argparse
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

from tests.benchmarks.bulk_export import FEW, GOALS, Runs, started_databases
from tests.benchmarks.compare import Comparison, print_table

LOADER = "loader"
"""The role of pgloader, its password and its database: of those that dbctl has it can't read the password."""
LOAD = """\
LOAD DATABASE FROM sqlite://{source} INTO postgresql://{loader}:{loader}@{host}:{port}/{loader}
WITH include drop, create tables, create indexes, reset sequences;
"""
INTO_MARIADB = "LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE entry"


def main() -> None:
    """Start the servers, fill the tables, measure, print."""
    parser = argparse.ArgumentParser(description="copy against pgloader and pipes by hand.")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="rows of the table (1000000)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="turns of each (1)")
    options = parser.parse_args()
    if shutil.which("pgloader") is None:
        parser.error("pgloader is not there: apt-get install pgloader")
    with started_databases() as runs:
        print_table(_comparisons(runs, options.rows), options.rounds)


def _comparisons(runs: Runs, rows: int) -> Iterator[Comparison]:
    for kind in GOALS:
        runs.fill(kind, rows)
    yield Comparison("SQLite to PostgreSQL", "pgloader", 1.0, lambda: _timed(runs, "sqlite", "postgresql"),
                     lambda: runs.timed(_pgloader(runs)))  # fmt: skip
    runs.fill("postgresql", rows)
    yield Comparison("PostgreSQL to MariaDB", "psql | mariadb", 1.5, lambda: _timed(runs, "postgresql", "mariadb"),
                     lambda: runs.timed(_piped(runs, "postgresql", "mariadb")))  # fmt: skip
    yield Comparison("MariaDB to PostgreSQL", "mariadb | psql", 1.5, lambda: _timed(runs, "mariadb", "postgresql"),
                     lambda: runs.timed(_piped(runs, "mariadb", "postgresql")))  # fmt: skip
    for source, target in (("sqlite", "postgresql"), ("postgresql", "mariadb"), ("mariadb", "postgresql")):
        yield Comparison(f"{source} to {target}: memory, {rows:,} rows", f"{FEW:,} rows", 1.1,
                         lambda one=source, two=target: _memory(runs, one, two, rows),  # type: ignore[misc]
                         lambda one=source, two=target: _memory(runs, one, two, FEW))  # type: ignore[misc]  # fmt: skip


def _copy(runs: Runs, source: str, target: str) -> Sequence[str]:
    """Empty the target, and return the command that fills it."""
    one, two = (runs.databases[kind] for kind in (source, target))  # type: ignore[index]
    two.execute("DELETE FROM entry" if target == "sqlite" else "TRUNCATE entry")
    lossy = ["--lossy"] if "mariadb" in {source, target} else []  # a boolean is a number there
    command = [sys.executable, "-m", "dbctl", "-q", "copy", "entry", *lossy]
    return [*command, "--from", one.profile, "--to", two.profile]


def _timed(runs: Runs, source: str, target: str) -> float:
    return runs.timed(_copy(runs, source, target))


def _memory(runs: Runs, source: str, target: str, rows: int) -> float:
    runs.fill(source, rows)
    return runs.peak(_copy(runs, source, target))


def _pgloader(runs: Runs) -> Sequence[str]:
    server = runs.databases["postgresql"].server
    assert server is not None
    server.drop_database(LOADER)
    server.drop_role(LOADER)
    server.create_role(LOADER, LOADER)
    server.create_database(LOADER, LOADER)
    script = runs.directory / "pgloader.load"
    place = {"loader": LOADER, "host": server.host, "port": server.port}
    script.write_text(LOAD.format(source=runs.databases["sqlite"].name, **place), encoding="utf-8")
    root = ["--root-dir", str(runs.directory)]  # where it puts its log
    return ["pgloader", "--quiet", "--no-ssl-cert-verification", *root, str(script)]


def _piped(runs: Runs, source: str, target: str) -> Sequence[str]:
    runs.databases[target].execute("TRUNCATE entry")  # type: ignore[index]
    ends = {
        "postgresql": ("-c", r"\copy entry TO STDOUT"),
        "mariadb": ("-N", "-e", "SELECT * FROM entry"),
    }
    starts = {
        "postgresql": ("-c", r"\copy entry FROM STDIN"),
        "mariadb": ("--local-infile=1", "-e", INTO_MARIADB),
    }
    one, two = [*runs.client(source), *ends[source]], [*runs.client(target), *starts[target]]
    # PostgreSQL writes truth as t and f.
    between = r" | sed 's/t$/1/; s/f$/0/'" if source == "postgresql" else ""
    return ["sh", "-c", f"{shlex.join(one)}{between} | {shlex.join(two)}"]


if __name__ == "__main__":
    main()
