"""How fast, and in how much memory, `heroes list` writes many rows, against the database's own client or driver.

    python tests/benchmarks/streaming.py [--rows N] [--rounds N]

Each turn is a process of its own that writes the same heroes to a file. PostgreSQL's floor is psql's `\\copy`,
MariaDB's its client with --quick, SQLite's the bare driver with Python's csv. The last lines compare dbctl with itself:
a table with CSV, the first line with a result of one row, and the memory for all rows with that for one.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import create_engine, insert, text

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

from dbctl.sample import Hero, SampleModel, Team
from tests.benchmarks.compare import Comparison, print_table
from tests.harness.database import TestDatabase
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

QUERY = "SELECT hero.id, hero.name, age, team_id, team.name FROM hero LEFT JOIN team ON team.id = team_id ORDER BY 1"
FORMATS = ("csv", "tsv", "jsonl")
BATCH = 50_000

BARE = """\
import csv, sqlite3, sys
cursor = sqlite3.connect(sys.argv[1]).execute(sys.argv[2])
write = csv.writer(sys.stdout)
write.writerow([column[0] for column in cursor.description])
write.writerows(cursor)
"""


def main() -> None:
    """Start the servers, fill the tables, measure, print."""
    parser = argparse.ArgumentParser(description="heroes list against the databases' own clients.")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="heroes to list (1000000)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="turns of each (1)")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-streaming-")))
        for database in _databases(directory, stack):
            _fill(database, options.rows)
            runs = Runs(database, directory)
            print_table(_comparisons(runs), options.rounds)


def _databases(directory: Path, stack: ExitStack) -> Iterator[TestDatabase]:
    authority = Authority(directory)
    yield TestDatabase.on_file(directory / "streaming.db")
    for make in (PostgresServer, MariaDBServer):
        with make(authority) as server:
            server.create_database("streaming")
            yield TestDatabase.on_server(server, "streaming")


def _fill(database: TestDatabase, rows: int) -> None:
    engine = create_engine(database.url)
    SampleModel.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Team), [{"name": "Preventers"}, {"name": "Z-Force"}])
        for first in range(0, rows, BATCH):
            numbers = range(first, min(first + BATCH, rows))
            connection.execute(insert(Hero), [_hero(number) for number in numbers])
    if database.kind == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _hero(number: int) -> Mapping[str, object]:
    age = number % 90 if number % 3 else None
    return {"name": f"Hero number {number}", "secret_name": "nobody", "age": age, "team_id": number % 2 + 1}


class Runs:
    """Runs of dbctl and of the floor on one database, each timed, and measured in the memory that it took at most."""

    def __init__(self, database: TestDatabase, directory: Path) -> None:
        self.database = database
        self._output = directory / "output"
        (directory / "profiles.toml").write_text(f'default = "{database.profile}"\n{database.toml}', encoding="utf-8")
        self._environ = {**os.environ, **database.env, "DBCTL_CONFIG": str(directory / "profiles.toml")}

    def listing(self, *arguments: str) -> float:
        """Return the seconds that `heroes list` takes."""
        return self._run([sys.executable, "-m", "dbctl", "heroes", "list", *arguments])

    def memory(self, *arguments: str) -> float:
        """Return the most memory that it has at a time, in bytes."""
        return self._peak([sys.executable, "-m", "dbctl", "heroes", "list", *arguments])

    def first_line(self) -> float:
        """Return the seconds until `heroes list | head -1` is over."""
        command = f"{sys.executable} -m dbctl heroes list --output csv | head -1"
        return self._run(["bash", "-c", command])

    def floor(self) -> float:
        """Return the seconds that the database's own client takes for the same rows."""
        return self._run(self._floor())

    def _floor(self) -> Sequence[str]:
        server = self.database.server
        if server is None:
            return [sys.executable, "-c", BARE, self.database.name, QUERY]
        place = ["-h", server.host]
        if server.kind == "postgresql":
            self._environ["PGPASSWORD"] = server.app_password
            copy = f"\\copy ({QUERY}) TO STDOUT WITH CSV HEADER"
            return ["psql", *place, "-p", str(server.port), "-U", server.app_user, "-d", self.database.name, "-c", copy]
        self._environ["MYSQL_PWD"] = server.app_password
        where = [*place, "-P", str(server.port), "-u", server.app_user, "-D", self.database.name]
        tls = [f"--ssl-ca={server.ca}", "--ssl-verify-server-cert"]  # as the profile has it
        return ["mariadb", "--no-defaults", *tls, *where, "-B", "--quick", "-e", QUERY]

    def _run(self, command: Sequence[str]) -> float:
        with self._output.open("wb") as output:
            start = time.perf_counter()
            subprocess.run(command, stdout=output, env=self._environ, check=True)
            return time.perf_counter() - start

    def _peak(self, command: Sequence[str]) -> float:
        """Ask the system for the process's own peak while it runs: what it tells at its end may be this process's."""
        peak = 0.0
        with self._output.open("wb") as output, subprocess.Popen(command, stdout=output, env=self._environ) as process:
            while process.poll() is None:
                found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
                peak = float(found[1]) * 1024 if found else peak
                time.sleep(0.005)
        assert process.returncode == 0, command
        return peak


def _comparisons(runs: Runs) -> Iterator[Comparison]:
    kind = runs.database.kind
    client = {"postgresql": "psql's \\copy", "mariadb": "mariadb --quick", "sqlite": "sqlite3 and csv"}[kind]
    for name in FORMATS:
        yield Comparison(f"{kind}: {name}", client, 6, lambda name=name: runs.listing("--output", name), runs.floor)  # type: ignore[misc]
    csv = ("--output", "csv")
    one = (*csv, "--limit", "1")
    yield Comparison(
        f"{kind}: table", "dbctl's CSV", 3, lambda: runs.listing("--output", "table"), lambda: runs.listing(*csv)
    )
    yield Comparison(f"{kind}: | head -1", "--limit 1", 1.2, runs.first_line, lambda: runs.listing(*one))
    for name in (*FORMATS, "table"):
        yield Comparison(
            f"{kind}: memory, {name}",
            "--limit 1",
            1.3,
            lambda name=name: runs.memory("--output", name),  # type: ignore[misc]
            lambda: runs.memory(*one),
        )


if __name__ == "__main__":
    main()
