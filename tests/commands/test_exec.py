"""`dbctl exec -- COMMAND`: any program, with the profile's connection in its environment, and its own exit code."""

import signal
import stat
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.servers.system import UNSTABLE
from tests.servers.tls_stripper import TlsStripper

WRITE_DOWN = """
import json, os, sys
files = {}
for name in ("PGPASSFILE", "MYSQL_HOME"):
    if path := os.environ.get(name):
        path = path if os.path.isfile(path) else os.path.join(path, "my.cnf")
        files[name] = [os.stat(path).st_mode & 0o777, os.stat(os.path.dirname(path)).st_mode & 0o777, path]
json.dump({"environment": dict(os.environ), "files": files}, sys.stdout)
"""
TELL = (sys.executable, "-c", WRITE_DOWN)
CONNECT = """
import os, sqlalchemy
engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"])
with engine.connect() as connection:
    print(connection.exec_driver_sql("SELECT 42").scalar())
"""


@pytest.mark.parametrize("scheme", [None, "driver"])
def test_a_program_finds_the_connection_in_a_url(
    on_database: Dbctl, database: TestDatabase, scheme: str | None
) -> None:
    schemes = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql", "sqlite": "sqlite+pysqlite"}
    said = ["--scheme", schemes[database.dialect]] if scheme else []
    if not scheme:
        url = on_database.ok("exec", "--", *TELL).json["environment"]["DATABASE_URL"]
        assert url.startswith(f"{database.dialect}://")
        if database.dialect != "sqlite":
            return  # SQLAlchemy's own driver for the plain name may not be installed
    on_database.ok("init-tables")
    assert on_database.ok("exec", *said, "--", sys.executable, "-c", CONNECT).out == "42\n"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:pw@/shop?host=/run/pg&port=6432", "me:pw@/shop?host=%2Frun%2Fpg&port=6432&sslmode=prefer"),
        ("postgresql://me:pw@%2Frun%2Fpg/shop", "me:pw@/shop?host=%2Frun%2Fpg&port=5432&sslmode=prefer"),
        ("mysql://me:pw@/shop?unix_socket=/run/my.sock", "me:pw@/shop?unix_socket=%2Frun%2Fmy.sock"),
    ],
)
def test_a_socket_is_in_the_url_too(dbctl: Dbctl, url: str, told: str) -> None:
    said = dbctl.ok("--url", url, "exec", "--", *TELL).json["environment"]["DATABASE_URL"]
    assert said.partition("://")[2] == told
    assert make_url(said).render_as_string(hide_password=False).partition("://")[2] == told


# Oracle's own, where it could be had; this machine's may be MariaDB's by another name.
MYSQL = next((str(one) for one in [UNSTABLE / "usr" / "bin" / "mysql"] if one.exists()), "mysql")
CLIENTS = {
    "postgresql": ["psql", "-At", "-c", "SELECT current_database(), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"],
    "mariadb": ["mariadb", "-N", "-e", "SELECT database(); SHOW STATUS LIKE 'Ssl_version'"],
    "mysql": [MYSQL, "-N", "-e", "SELECT database(); SHOW STATUS LIKE 'Ssl_version'"],
}


@pytest.mark.parametrize("client", ["mariadb", "mariadb-dump"])
def test_mariadbs_own_send_nothing_where_no_tls_is_offered(
    dbctl: Dbctl, mariadb_database: TestDatabase, client: str
) -> None:
    assert mariadb_database.server
    with TlsStripper("mysql", mariadb_database.server.port) as proxy:
        toml = mariadb_database.toml.partition("[profiles.my.ssl]")[0]
        toml = toml.replace(str(mariadb_database.server.port), str(proxy.port))
        (dbctl.cwd / "profiles.toml").write_text(f'{toml}ssl.mode = "require"\n', encoding="utf-8")
        result = dbctl.with_env(**mariadb_database.env)("exec", "--", client, mariadb_database.name)
        assert result.code, str(result)
        assert mariadb_database.name.encode() not in proxy.received


def test_an_option_file_at_home_that_leads_elsewhere_is_told_of(dbctl: Dbctl, mariadb_database: TestDatabase) -> None:
    (dbctl.cwd / "profiles.toml").write_text(mariadb_database.toml, encoding="utf-8")
    run = dbctl.with_env(**mariadb_database.env, HOME=str(dbctl.cwd))
    home = dbctl.cwd / ".my.cnf"
    home.write_text("[mysqld]\nuser=mysql\n[client]\nno-auto-rehash\n#user=a\n", encoding="utf-8")
    assert "defaults-file" not in run.ok("exec", "--", "true").err
    home.write_text("[client]\nuser = nobody\n[mysqldump]\nskip-ssl\n", encoding="utf-8")
    assert f"{home} says user, skip-ssl, which" in run.ok("exec", "--", "true").err
    own = ("exec", "--", "sh", "-c", "mariadb --defaults-file=$MYSQL_HOME/my.cnf -N -e 'SELECT CURRENT_USER()'")
    assert run.ok(*own).out == "app@%\n"


def test_the_databases_own_client_connects_with_the_password_in_a_file(
    dbctl: Dbctl, server_database: TestDatabase
) -> None:
    profile = server_database.toml
    (dbctl.cwd / "profiles.toml").write_text(profile, encoding="utf-8")
    run = dbctl.with_env(**server_database.env, PGPASSWORD="wrong", MYSQL_PWD="wrong")
    shown = run.ok("exec", "--", *CLIENTS[server_database.kind]).out
    assert server_database.name in shown
    assert "TLS" in shown or "|t" in shown
    told = run.ok("exec", "--", *TELL).json
    ((mode, directory, path),) = told["files"].values()
    assert (stat.S_IMODE(mode), stat.S_IMODE(directory)) == (0o600, 0o700)
    assert not Path(path).exists()
    others = {name: value for name, value in told["environment"].items() if name not in server_database.env}
    assert server_database.server
    password = server_database.server.app_password
    assert [name for name, value in others.items() if password in value] in ([], ["DATABASE_URL"])
    assert ("PGPASSWORD" if server_database.dialect == "postgresql" else "MYSQL_PWD") not in others


@pytest.mark.parametrize("code", [0, 1, 7, 42, 255])
def test_its_exit_code_is_kept_and_nothing_is_said(dbctl: Dbctl, code: int) -> None:
    result = dbctl(
        "exec", "--url", "sqlite:///x.db", "--quiet", "--", "sh", "-c", f"echo out; echo err >&2; exit {code}"
    )
    assert (result.code, result.out, result.err) == (code, "out\n", "err\n")


def test_one_that_a_signal_ends_is_told_as_shells_do(dbctl: Dbctl) -> None:
    assert dbctl("exec", "--url", "sqlite:///x.db", "--", "sh", "-c", "kill -9 $$").code == 137


def test_one_that_is_not_there_is_told(dbctl: Dbctl) -> None:
    result = dbctl("exec", "--url", "sqlite:///x.db", "--", "no-such-program")
    assert (result.code, result.talk) == (127, "dbctl: error: there is no program no-such-program\n")


@pytest.mark.parametrize("hyphens", [["--"], []])
def test_what_stands_behind_its_name_is_the_programs(dbctl: Dbctl, hyphens: list[str]) -> None:
    options = ("--help", "-p", "x", "--deadline", "-c", "echo")
    result = dbctl.ok("exec", "--url", "sqlite:///x.db", *hyphens, "echo", *options)
    assert result.out == f"{' '.join(options)}\n"


def test_an_option_that_is_none_is_told(dbctl: Dbctl) -> None:
    result = dbctl("exec", "--url", "sqlite:///x.db", "--schem", "mysql", "true")
    assert (result.code, result.out) == (2, "")
    assert "No such option: --schem" in result.err


def test_standard_input_is_the_programs(dbctl: Dbctl) -> None:
    assert dbctl.ok("exec", "--url", "sqlite:///x.db", "--", "cat", stdin="through").out == "through"


def test_another_databases_scheme_is_refused(dbctl: Dbctl) -> None:
    result = dbctl("exec", "--url", "sqlite:///x.db", "--scheme", "mysql", "--", "true")
    assert result.code == 2
    assert "--scheme mysql is none of SQLite's; it begins with sqlite" in result.err


def test_a_lock_lets_one_at_a_time_run(on_database: Dbctl, database: TestDatabase) -> None:
    on_database.ok("init-tables")
    line = ("exec", "--lock", "nightly", "--", "sh", "-c", "echo started; exec sleep 30")
    with on_database.spawn(*line) as process:
        assert process.stdout
        assert process.stdout.readline() == b"started\n"
        assert on_database("exec", "--lock", "nightly", "--", "true").code == 7
        assert on_database("exec", "--lock", "nightly", "--skip-locked", "--", "false").code == 0
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 143
    assert on_database.ok("exec", "--lock", "nightly", "--", "echo", "free").out == "free\n"


def test_a_signal_that_comes_as_the_program_begins_is_handed_on(dbctl: Dbctl) -> None:
    heard = "trap 'echo heard; exit 3' TERM; kill -TERM $PPID; while :; do sleep 0.1; done"
    result = dbctl("exec", "--url", "sqlite:///x.db", "--", "bash", "-c", heard)
    assert (result.code, result.out) == (3, "heard\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_handed_on(dbctl: Dbctl, number: signal.Signals, code: int) -> None:
    heard = (
        f"trap 'echo heard; exit {code}' {number.name.removeprefix('SIG')}; echo started; while :; do sleep 0.1; done"
    )
    with dbctl.spawn("exec", "--url", "sqlite:///x.db", "--", "bash", "-c", heard) as process:
        assert process.stdout
        assert process.stdout.readline() == b"started\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, b"heard\n")


def test_a_deadline_ends_it(dbctl: Dbctl) -> None:
    began = time.monotonic()
    result = dbctl("exec", "--url", "sqlite:///x.db", "--deadline", "1", "--", "sleep", "60")
    assert time.monotonic() - began < 20
    assert result.code == 5
    assert result.talk == "dbctl: error: sleep was not done within the deadline of 1 s, and has been ended\n"


def test_it_ends_with_dbctl_whatever_ends_that(dbctl: Dbctl) -> None:
    with dbctl.spawn("exec", "--url", "sqlite:///x.db", "--", "sh", "-c", "echo $$; exec sleep 60") as process:
        assert process.stdout
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
        end = time.monotonic() + 10
        while _runs(child):
            assert time.monotonic() < end
            time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return False


def test_a_protected_profile_asks_first(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text('[profiles.p]\nurl = "sqlite:///x.db"\nprotected = true\n')
    assert dbctl("exec", "--", "true").code == 8
    dbctl.ok("exec", "--confirm", "p", "--", "true")


def test_ctrl_c_on_a_terminal_reaches_it_once(dbctl: Dbctl) -> None:
    line = "trap 'echo heard' INT; echo started; for i in 1 2 3 4 5; do sleep 0.3; done; exit 4"
    shown = dbctl.tty("exec", "--url", "sqlite:///x.db", "--", "bash", "-c", line, keys=[("started", "\x03")])
    assert shown.code == 4, str(shown)
    assert shown.out.count("heard") == 1


def test_it_is_ended_where_the_lock_is_lost(dbctl: Dbctl, postgres_database: TestDatabase) -> None:
    (dbctl.cwd / "profiles.toml").write_text(postgres_database.toml, encoding="utf-8")
    run = dbctl.with_env(**postgres_database.env)
    with run.spawn("exec", "--lock", "nightly", "--", "sh", "-c", "echo started; exec sleep 60") as process:
        assert process.stdout
        assert process.stdout.readline() == b"started\n"
        postgres_database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        _, err = process.communicate(timeout=30)
    assert process.returncode == 4, err.decode()
    assert b"dbctl: error: " in err
    assert b"lock" in err


def test_what_is_there_and_can_not_be_run_is_told_apart_from_what_is_not_there(dbctl: Dbctl) -> None:
    (dbctl.cwd / "nightly.sh").write_text("exit 0\n", encoding="utf-8")
    for name, code, reason in (
        ("./nightly.sh", 126, "./nightly.sh can't be run: it is not executable"),
        ("/", 126, "/ can't be run: it is a directory"),
        ("./nowhere.sh", 127, "there is no program ./nowhere.sh"),
    ):
        result = dbctl("exec", "--url", "sqlite:///x.db", "--", name)
        assert result.code == code, str(result)
        assert f"dbctl: error: {reason}" in result.err
