"""How fast, and in how much memory, `import` loads a file, against the database's own client or driver.

    python tests/benchmarks/bulk_import.py [--rows N] [--rounds N] [--only KIND]

PostgreSQL's floor is psql's `\\copy`, MariaDB's LOAD DATA LOCAL by its client, SQLite's `.import` by its shell, or
where that is not there the bare driver's executemany. Each turn is a process of its own on a table that is empty. Then
`heroes import` against `\\copy` of the same heroes, and `transfer --file` against its statements written by hand.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

from tests.benchmarks.compare import Comparison, print_table
from tests.harness.database import TestDatabase
from tests.harness.sample import create_tables
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

TABLE = "CREATE TABLE entry (id integer PRIMARY KEY, name varchar(100) NOT NULL, mail varchar(100), age integer, at {})"
MOMENT = {"postgresql": "timestamptz", "mariadb": "datetime", "sqlite": "datetime"}
FEW = 10_000
MOVES = 100_000
BARE = """\
import csv, sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection, open(sys.argv[2], newline="") as file:
    rows = csv.reader(file)
    next(rows)
    connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)
"""
BY_HAND = """\
BEGIN;
CREATE TEMPORARY TABLE moves ("hero" integer, "from" text, "to" text);
\\copy moves FROM '{file}' CSV HEADER
UPDATE hero SET team_id = t.id FROM moves JOIN team s ON s.name = moves."from" JOIN team t ON t.name = moves."to"
WHERE hero.id = moves.hero AND hero.team_id = s.id;
INSERT INTO transfer_log (hero_id, from_team_id, to_team_id, at)
SELECT moves.hero, s.id, t.id, now() FROM moves JOIN team s ON s.name = moves."from" JOIN team t ON t.name = moves."to";
COMMIT;
"""


def main() -> None:
    """Start the servers, write the files, measure, print."""
    parser = argparse.ArgumentParser(description="import against the databases' own clients.")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="rows of the file (1000000)")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="turns of each (1)")
    parser.add_argument("--only", metavar="KIND", help="postgresql, mariadb or sqlite alone")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-bulk-")))
        for database in _databases(directory, options.only):
            database.execute(TABLE.format(MOMENT[database.kind]))
            runs = Runs(database, directory)
            print_table(_comparisons(runs, options.rows), options.rounds)


def _databases(directory: Path, only: str | None) -> Iterator[TestDatabase]:
    authority = Authority(directory)
    if only in {None, "sqlite"}:
        yield TestDatabase.on_file(directory / "bulk.db")
    for make in (PostgresServer, MariaDBServer):
        if only in {None, make.kind}:
            with make(authority) as server:
                server.create_database("bulk")
                yield TestDatabase.on_server(server, "bulk")


class Runs:
    """Runs of dbctl and of the floor on one database, each timed, or measured in the memory that it took at most."""

    def __init__(self, database: TestDatabase, directory: Path) -> None:
        self.database, self._directory = database, directory
        profile = directory / "profiles.toml"
        profile.write_text(f'default = "{database.profile}"\n{database.toml}', encoding="utf-8")
        profile.chmod(0o600)
        self._environ = {**os.environ, **database.env, "DBCTL_CONFIG": str(profile)}
        self._environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode

    def entries(self, rows: int) -> str:
        """Return a file of so many rows."""
        path = self._directory / f"entries{rows}.csv"
        if not path.exists():
            with path.open("w") as file:
                file.write("id,name,mail,age,at\n")
                for number in range(1, rows + 1):
                    moment = f"2026-01-{number % 28 + 1:02} 12:00:{number % 60:02}"
                    file.write(f"{number},Hero number {number},hero{number}@example.org,{number % 90},{moment}\n")
        return str(path)

    def dbctl(self, *arguments: str, emptied: str = "entry") -> float:
        """Return the seconds that a command of dbctl's takes."""
        return self._timed([sys.executable, "-m", "dbctl", "--quiet", *arguments], emptied)

    def floor(self, file: str, table: str = "entry", emptied: str = "entry") -> float:
        """Return the seconds that the database's own client takes for the same file."""
        return self._timed(self._floor(file, table), emptied)

    def script(self, text: str) -> float:
        """Return the seconds that psql takes for a script."""
        path = self._directory / "script.sql"
        path.write_text(text, encoding="utf-8")
        return self._timed([*self._client(), "-q", "-v", "ON_ERROR_STOP=1", "-f", str(path)], None)

    def memory(self, *arguments: str) -> float:
        """Return the most memory that a command of dbctl's has at a time, in bytes."""
        self.database.execute("DELETE FROM entry")
        peak = 0.0
        command = [sys.executable, "-m", "dbctl", "--quiet", *arguments]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=self._environ) as process:
            while process.poll() is None:
                found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
                peak = float(found[1]) * 1024 if found else peak
                time.sleep(0.005)
        assert process.returncode == 0, command
        return peak

    def _timed(self, command: Sequence[str], emptied: str | None) -> float:
        if emptied:
            self.database.execute(f"{'DELETE FROM' if self.database.kind == 'sqlite' else 'TRUNCATE'} {emptied}")
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, env=self._environ, check=True)
        return time.perf_counter() - start

    def _client(self) -> Sequence[str]:
        server = self.database.server
        assert server is not None
        place = ["-h", server.host, "-p" if server.kind == "postgresql" else "-P", str(server.port)]
        if server.kind == "postgresql":
            self._environ["PGPASSWORD"] = server.app_password
            return ["psql", *place, "-U", server.app_user, "-d", self.database.name]
        self._environ["MYSQL_PWD"] = server.app_password
        more = ["-u", server.app_user, "-D", self.database.name, "--local-infile=1"]
        tls = [f"--ssl-ca={server.ca}", "--ssl-verify-server-cert"]  # as the profile has it
        return ["mariadb", "--no-defaults", *tls, *place, *more]

    def _floor(self, file: str, table: str) -> Sequence[str]:
        if self.database.kind == "postgresql":
            return [*self._client(), "-c", f"\\copy {table} FROM '{file}' CSV HEADER"]
        if self.database.kind == "mariadb":
            load = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table} FIELDS TERMINATED BY ',' IGNORE 1 LINES"
            return [*self._client(), "-e", load]
        if shutil.which("sqlite3"):
            return ["sqlite3", self.database.name, f".import --csv --skip 1 {file} {table}"]
        return [sys.executable, "-c", BARE, self.database.name, file]


def _comparisons(runs: Runs, rows: int) -> Iterator[Comparison]:
    kind = runs.database.kind
    client = {"postgresql": "psql's \\copy", "mariadb": "LOAD DATA LOCAL", "sqlite": ".import, or executemany"}[kind]
    few, many = runs.entries(FEW), runs.entries(rows)
    yield Comparison(
        f"{kind}: 10 rows",
        "dbctl query",
        1.2,
        lambda: runs.dbctl("import", runs.entries(10), "entry"),
        lambda: runs.dbctl("query", "SELECT 1"),
    )
    for how, goal in (("--no-strict", 1.2), ("--strict", 2)):
        yield Comparison(
            f"{kind}: {rows:,} rows, {how}",
            client,
            goal,
            lambda how=how: runs.dbctl("import", many, "entry", how),  # type: ignore[misc]
            lambda: runs.floor(many),
        )
    yield Comparison(
        f"{kind}: memory, {rows:,} rows",
        f"{FEW:,} rows",
        1.1,
        lambda: runs.memory("import", many, "entry"),
        lambda: runs.memory("import", few, "entry"),
    )
    if kind == "postgresql":
        yield from _of_the_sample(runs, rows)


def _of_the_sample(runs: Runs, rows: int) -> Iterator[Comparison]:
    create_tables(runs.database)
    runs.database.execute("INSERT INTO team (name) VALUES ('Preventers'), ('Z-Force')")
    named, numbered = (Path(runs.entries(10)).with_name(f"{name}.csv") for name in ("named", "numbered"))
    with named.open("w") as one, numbered.open("w") as other:
        one.write("name,secret_name,age,team\n")
        other.write("name,secret_name,age,team_id\n")
        for number in range(rows):
            one.write(f"Hero number {number},nobody,{number % 90},Preventers\n")
            other.write(f"Hero number {number},nobody,{number % 90},1\n")
    emptied = "hero RESTART IDENTITY CASCADE"
    yield Comparison(
        f"heroes import, {rows:,} heroes",
        "psql's \\copy",
        2,
        lambda: runs.dbctl("heroes", "import", str(named), emptied=emptied),
        lambda: runs.floor(str(numbered), "hero (name, secret_name, age, team_id)", emptied),
    )
    moves, back = (named.with_name(f"{name}.csv") for name in ("moves", "back"))
    for path, teams in ((moves, "Preventers,Z-Force"), (back, "Z-Force,Preventers")):
        path.write_text("hero,from,to\n" + "".join(f"{number},{teams}\n" for number in range(1, min(MOVES, rows) + 1)))
    yield Comparison(
        f"transfer --file, {min(MOVES, rows):,} moves",
        "UPDATE … FROM and its log, by hand",
        2,
        lambda: runs.dbctl("transfer", "--file", str(moves), emptied="transfer_log"),
        lambda: runs.script(BY_HAND.format(file=back)),
    )


if __name__ == "__main__":
    main()
