"""How fast, and in how much memory, `export` writes a table, against what the databases' own clients do.

    python tests/benchmarks/bulk_export.py [--rows N] [--rounds N] [--only KIND]

The floor is psql's `\\copy`, `mariadb -B --quick`, and sqlite3's shell. With the extra `async` MariaDB's rows are taken
apart by asyncmy's compiled parser.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are
os.environ.setdefault("DBCTL_TEST_SERVERS", "installed")  # for which the clients on PATH are

from tests.benchmarks.compare import Comparison, print_table
from tests.harness.database import TestDatabase
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

TABLE = "CREATE TABLE entry (id integer PRIMARY KEY, name varchar(100), score {}, at {}, ok boolean)"
TYPES = {
    "postgresql": ("double precision", "timestamp"),
    "mariadb": ("double", "datetime(6)"),
    "sqlite": ("real", "datetime"),
}
FILL = {
    "postgresql": "INSERT INTO entry SELECT n, md5(n::text), n * 1.37,"
    " timestamp '2026-01-01' + n * interval '1 second', n % 2 = 0 FROM generate_series(1, {rows}) n",
    "mariadb": "INSERT INTO entry SELECT seq, md5(seq), seq * 1.37,"
    " adddate('2026-01-01 00:00:00', interval seq second), seq % 2 FROM seq_1_to_{rows}",
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) INSERT INTO entry"
    " SELECT n, lower(hex(n * 7919)), n * 1.37, datetime('2026-01-01', n || ' seconds'), n % 2 FROM s",
}
GOALS = {"postgresql": 1.2, "mariadb": 5.0, "sqlite": 1.5}
FEW = 10_000


class Runs:
    """Runs of dbctl and of the databases' own clients, each timed, or measured in the memory that it took at most."""

    def __init__(self, databases: Sequence[TestDatabase], directory: Path) -> None:
        self.databases = {one.kind: one for one in databases}
        self.directory = directory
        profile = directory / "profiles.toml"
        profile.write_text("\n".join(one.toml for one in databases), encoding="utf-8")
        profile.chmod(0o600)
        passwords = {name: password for one in databases for name, password in one.env.items()}
        self._environ = {**os.environ, **passwords, "DBCTL_CONFIG": str(profile)}
        self._environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        self._environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode

    def fill(self, kind: str, rows: int) -> None:
        """Have so many rows in a database's table."""
        database = self.databases[kind]  # type: ignore[index]
        database.execute("DROP TABLE IF EXISTS entry")
        database.execute(TABLE.format(*TYPES[kind]))
        database.execute(FILL[kind].format(rows=rows))

    def export(self, kind: str, form: str = "csv") -> Sequence[str]:
        """Return the command of dbctl's that exports the table."""
        profile = self.databases[kind].profile  # type: ignore[index]
        file = str(self.directory / f"out.{form}")
        return [sys.executable, "-m", "dbctl", "-q", "-p", profile, "export", "entry", file, "--replace"]

    def query(self, kind: str) -> Sequence[str]:
        """Return a command of dbctl's that does nothing but connect."""
        profile = self.databases[kind].profile  # type: ignore[index]
        return [sys.executable, "-m", "dbctl", "-q", "-p", profile, "query", "SELECT 1"]

    def floor(self, kind: str) -> Sequence[str]:
        """Return the command of the database's own client that writes the table."""
        out = self.directory / "floor.csv"
        if kind == "postgresql":
            return [*self.client(kind), "-c", rf"\copy entry TO '{out}' CSV HEADER"]
        name = self.databases[kind].name  # type: ignore[index]
        command = [*self.client(kind), "-e", "SELECT * FROM entry"] if kind == "mariadb" else ["sqlite3", "-csv",
                   "-header", name, "SELECT * FROM entry"]  # fmt: skip
        return ["sh", "-c", f'"$@" > {out}', "sh", *command]

    def timed(self, command: Sequence[str]) -> float:
        """Return the seconds that a command takes."""
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, env=self._environ, check=True)
        return time.perf_counter() - start

    def memory(self, kind: str, rows: int) -> float:
        """Return the most memory that exporting so many rows takes, in bytes."""
        self.fill(kind, rows)
        return self.peak(self.export(kind))

    def peak(self, command: Sequence[str]) -> float:
        """Return the most memory that a command takes, in bytes."""
        peak = 0.0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=self._environ) as process:
            while process.poll() is None:
                found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
                peak = float(found[1]) * 1024 if found else peak
                time.sleep(0.005)
        assert process.returncode == 0
        return peak

    def client(self, kind: str) -> Sequence[str]:
        """Return the command of a server's own client, to which options are added."""
        database = self.databases[kind]  # type: ignore[index]
        server = database.server
        assert server is not None
        place = ["-h", server.host, "-p" if kind == "postgresql" else "-P", str(server.port)]
        if kind == "postgresql":
            self._environ["PGPASSWORD"] = server.app_password
            return ["psql", "-q", *place, "-U", server.app_user, "-d", database.name]
        self._environ["MYSQL_PWD"] = server.app_password
        more = ["-u", server.app_user, "-D", database.name, "-B", "--quick"]
        tls = [f"--ssl-ca={server.ca}", "--ssl-verify-server-cert"]  # as the profile has it
        return ["mariadb", "--no-defaults", *tls, *place, *more]


def main() -> None:
    """Start the servers, fill the tables, measure, print."""
    parser = argparse.ArgumentParser(description="export against the databases' own clients.")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="rows of the table (1000000)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="turns of each (1)")
    parser.add_argument("--only", metavar="KIND", help="postgresql, mariadb or sqlite alone")
    options = parser.parse_args()
    with started_databases() as runs:
        for kind in [options.only] if options.only else list(GOALS):
            print_table(_exports(runs, kind, options.rows), options.rounds)


@contextmanager
def started_databases() -> Iterator[Runs]:
    """Have a database of each kind for the block."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-bulk-")))
        databases = [TestDatabase.on_file(directory / "bulk.db")]
        authority = Authority(directory)
        for make in (PostgresServer, MariaDBServer):
            server = stack.enter_context(make(authority))
            server.create_database("bulk")
            databases.append(TestDatabase.on_server(server, "bulk"))
        yield Runs(databases, directory)


def _exports(runs: Runs, kind: str, rows: int) -> Iterator[Comparison]:
    client = {"postgresql": "psql's \\copy", "mariadb": "mariadb -B --quick", "sqlite": "sqlite3 -csv"}[kind]
    runs.fill(kind, 10)
    yield Comparison(f"{kind}: 10 rows", "dbctl query", 1.2, lambda: runs.timed(runs.export(kind)),
                     lambda: runs.timed(runs.query(kind)))  # fmt: skip
    runs.fill(kind, rows)
    yield Comparison(f"{kind}: {rows:,} rows", client, GOALS[kind], lambda: runs.timed(runs.export(kind)),
                     lambda: runs.timed(runs.floor(kind)))  # fmt: skip
    yield Comparison(f"{kind}: memory, {rows:,} rows", f"{FEW:,} rows", 1.1, lambda: runs.memory(kind, rows),
                     lambda: runs.memory(kind, FEW))  # fmt: skip


if __name__ == "__main__":
    main()
