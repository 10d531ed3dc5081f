"""What a backup and its restore cost, against a script of the bare tools and them alone, on one server in one run.

python tests/benchmarks/backup.py [ROWS] [KIND...]
"""

import argparse
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["DBCTL_TEST_SERVERS"] = "installed"  # for which the tools on PATH are

from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

Drop = Callable[[str], object]

_LIMIT = 1.1
_ROUNDS = 3

_TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, name varchar(40), email varchar(80), note text, price numeric(12, 2),"
    " at timestamp)"
)
_INDEX = "CREATE INDEX by_name ON t (name)"
_FILL = {
    "postgresql": "INSERT INTO t SELECT n, md5(n::text), n || '@example.com',"
    " repeat(md5(n::text) || ' and more of it ', 9), n * 1.5, now() FROM generate_series(1, {rows}) n",
    "mariadb": "INSERT INTO t SELECT seq, md5(seq), concat(seq, '@example.com'),"
    " repeat(concat(md5(seq), ' and more of it '), 9), seq * 1.5, now() FROM seq_1_to_{rows}",
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})"
    " INSERT INTO t SELECT n, hex(n * 7919), n || '@example.com', replace(hex(zeroblob(36)), '00', n || ' more '),"
    " n * 1.5, datetime() FROM s",
}
"""A row of about 500 bytes."""

_BARE = {
    "postgresql": ("pg_dump -Fc -f {file} shop", "createdb back && pg_restore --exit-on-error -d back {file}"),
    "mariadb": (
        "mariadb-dump --single-transaction --quick --routines --events shop | gzip > {file}",
        "mariadb -e 'CREATE DATABASE back' && gunzip < {file} | mariadb back",
    ),
}
_COPY = "import sqlite3, sys\none, two = map(sqlite3.connect, sys.argv[1:])\none.backup(two)\ntwo.close()"
_CHECK = (
    "import sqlite3; back = sqlite3.connect('back');"
    " assert back.execute('PRAGMA integrity_check').fetchall() == [('ok',)];"
    " back.execute('SELECT count(*) FROM t').fetchall()"
)
_BARE["sqlite"] = (
    f"{sys.executable} -c '{_COPY}' shop {{file}}.copy && gzip < {{file}}.copy > {{file}} && rm {{file}}.copy",
    "gunzip < {file} > back",
)
_COUNT = {
    "postgresql": "psql -q -d back -c 'SELECT count(*) FROM t'",
    "mariadb": "mariadb back -e 'SELECT count(*) FROM t'",
    "sqlite": f'{sys.executable} -c "{_CHECK}"',
}


def scripts(kind: str) -> tuple[str, str]:
    """Return what one would write by hand, which makes no file that looks whole and is not, and looks at what it has.

    It still makes no manifest, sees to no rights, and leaves the half of a database where it fails.
    """
    dump, load = _BARE[kind]
    begin = "set -euo pipefail; umask 077; "
    dump = dump.replace("{file}", "{file}.part")
    return (
        f"{begin}{dump}; sync {{file}}.part; mv {{file}}.part {{file}}; sha256sum {{file}} > {{file}}.sum",
        f"{begin}sha256sum -c --quiet {{file}}.sum; {load}; {_COUNT[kind]}",
    )


@contextlib.contextmanager
def on_file(rows: int) -> Iterator[tuple[Drop, Mapping[str, str], Path]]:
    """Make a file that is a database; yield what removes another, the environment of its tools, and a directory."""
    with tempfile.TemporaryDirectory() as at:
        directory = Path(at)
        with contextlib.closing(sqlite3.connect(directory / "shop")) as connection:
            for statement in (_TABLE, _FILL["sqlite"].format(rows=rows), _INDEX):
                connection.execute(statement)
            connection.commit()
        (directory / "profiles.toml").write_text('[profiles.shop]\nurl = "sqlite:///shop"\n')
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        yield lambda name: (directory / name).unlink(), environment, directory


@contextlib.contextmanager
def on_server(kind: str, rows: int) -> Iterator[tuple[Drop, Mapping[str, str], Path]]:
    """Start a server with a database shop; yield what drops another, the environment of its tools, and a directory."""
    with (
        {"postgresql": PostgresServer, "mariadb": MariaDBServer}[kind](None) as server,
        tempfile.TemporaryDirectory() as at,
    ):
        directory = Path(at)
        server.execute("CREATE DATABASE shop")
        with contextlib.closing(server.connect(database="shop", tls=False)) as connection:
            cursor = connection.cursor()
            cursor.execute(_TABLE)
            cursor.execute(_FILL[kind].format(rows=rows))
            cursor.execute(_INDEX)
        driver = "postgresql" if kind == "postgresql" else "mysql"
        (directory / "profiles.toml").write_text(
            f'default = "shop"\n[profiles.shop]\ndriver = "{driver}"\nhost = "127.0.0.1"\nport = {server.port}\n'
            f'user = "{server.user}"\npassword_env = "SECRET"\ndatabase = "shop"\n'
        )
        (directory / "my.cnf").write_text(
            f"[client]\nhost=127.0.0.1\nport={server.port}\nuser={server.user}\npassword={server.password}\n"
            "protocol=TCP\nskip-ssl\n"
        )
        environment = {
            **os.environ, "SECRET": server.password, "PGHOST": "127.0.0.1", "PGPORT": str(server.port),
            "PGUSER": server.user, "PGPASSWORD": server.password, "MYSQL_HOME": at,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }  # fmt: skip
        yield server.drop_database, environment, directory


def measure(kind: str, rows: int) -> bool:
    """Measure a kind of database, and tell whether it stays within the limit."""
    within = True
    with on_file(rows) if kind == "sqlite" else on_server(kind, rows) as (drop, environment, directory):

        def run(*words: str) -> None:
            subprocess.run(words, env=environment, cwd=directory, check=True, stdout=subprocess.DEVNULL)

        dbctl = (sys.executable, "-m", "dbctl", "--quiet")
        best: dict[str, float] = {}

        def note(name: str, *words: str) -> None:
            began = time.perf_counter()
            run(*words)
            best[name] = min(best.get(name, 1e9), time.perf_counter() - began)

        for number in range(_ROUNDS):
            bare, script, own = f"bare{number}", f"script{number}", f"own{number}"
            lines = {"bare": (_BARE[kind], bare), "script": (scripts(kind), script)}
            for name, ((dump, _), file) in lines.items():
                note(f"{name} backup", "bash", "-c", dump.format(file=file))
            note("dbctl backup", *dbctl, "backup", "create", own)
            for name, ((_, load), file) in lines.items():
                note(f"{name} restore", "bash", "-c", load.format(file=file))
                drop("back")
            note("dbctl restore", *dbctl, "restore", own, "--into", "back")
            drop("back")
    for what in ("backup", "restore"):
        bare_time, script_time, own_time = (best[f"{name} {what}"] for name in ("bare", "script", "dbctl"))
        ratio = own_time / script_time
        within = within and ratio <= _LIMIT
        print(
            f"{kind:11} {what:8} bare {bare_time:6.2f} s  script {script_time:6.2f} s  dbctl {own_time:6.2f} s"
            f"  dbctl/script {ratio:.2f} (at most {_LIMIT})  dbctl/bare {own_time / bare_time:.2f}"
        )
    return within


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("kinds", nargs="*", default=list(_BARE))
    said = parser.parse_args()
    within = [measure(kind, said.rows) for kind in said.kinds]
    sys.exit(0 if all(within) else 1)


if __name__ == "__main__":
    main()
