"""`dbctl shell`: which client it starts, with what, on whose terminal, and what stays of it."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.commands.test_shell_clients import PATH, Shell, required
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import of_tests

PASSWORD = "s3cret/of:the@profile"
PROFILES = """
[profiles.pg]
url = "postgresql://app@localhost:1/shop"
password_env = "SHOP_PASSWORD"
statement_timeout = 5

[profiles.my]
url = "mysql://app@localhost:1/shop"
password_env = "SHOP_PASSWORD"

[profiles.lite]
url = "sqlite:///lite.db"
protected = true
"""
TELL = f"""#!{sys.executable}
import json, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own can be lost where an import lets go of something
found = dict(os.environ)
path = found.get("PGPASSFILE") or next((arg.partition("=")[2] for arg in sys.argv if "-file=" in arg), None)
modes = [os.stat(one).st_mode & 0o777 for one in (path, os.path.dirname(path))] if path else []
text = open(path).read() if path else ""
print(json.dumps(dict(argv=sys.argv, environment=found, path=path, modes=modes, text=text)), flush=True)
"""
ON = {"psql": "pg", "pgcli": "pg", "mariadb": "my", "mysql": "my", "mycli": "my"}


class Clients:
    """Programs that are called as clients are, and tell what they were started with."""

    def __init__(self, dbctl: Dbctl, directory: Path) -> None:
        (dbctl.cwd / "profiles.toml").write_text(PROFILES, encoding="utf-8")
        (dbctl.cwd / "lite.db").touch()
        directory.mkdir()
        self.directory = directory
        self.dbctl = dbctl.with_env(PATH=f"{directory}:/nowhere", SHOP_PASSWORD=PASSWORD)

    def add(self, *names: str, then: str = "") -> None:
        for name in names:
            path = self.directory / name
            path.write_text(f"{TELL}{then}\n")
            path.chmod(0o755)

    def started(self, *words: str, **env: str) -> Any:
        return json.loads(self.dbctl.ok("shell", "--quiet", *words, env=env).out)


@pytest.fixture
def clients(dbctl: Dbctl, tmp_path: Path) -> Clients:
    """A PATH without clients, to add some."""
    return Clients(dbctl, tmp_path / "bin")


def name_of(told: Any) -> str:
    return Path(told["argv"][0]).name


def test_with_arguments_and_in_a_pipe_the_databases_own_is_taken(clients: Clients) -> None:
    clients.add("pgcli", "psql", "mycli", "mysql", "mariadb", "litecli", "sqlite3")
    for profile, own in (("pg", "psql"), ("my", "mariadb"), ("lite", "sqlite3")):
        told = clients.started("-p", profile, "--read-only", "--", "-x", "y z")
        assert (name_of(told), told["argv"][-2:]) == (own, ["-x", "y z"])
        assert name_of(clients.started("-p", profile, "--read-only")) == own


def test_at_a_terminal_one_that_completes_is_taken_first(clients: Clients) -> None:
    clients.add("pgcli", "psql")
    assert f'"argv": ["{clients.directory}/pgcli"' in clients.dbctl.tty("shell", "-p", "pg").out
    (clients.directory / "pgcli").unlink()
    assert f'"argv": ["{clients.directory}/psql"' in clients.dbctl.tty("shell", "-p", "pg").out


def test_a_client_that_is_said_is_taken_and_the_first_of_this_database_where_there_are_several(
    clients: Clients, tmp_path: Path
) -> None:
    clients.add("pgcli", "psql", "mysql")
    assert name_of(clients.started("-p", "pg", "--client", "pgcli")) == "pgcli"
    assert name_of(clients.started("-p", "pg", DBCTL_CLIENT="mycli, pgcli")) == "pgcli"
    assert name_of(clients.started("-p", "my", DBCTL_CLIENT="pgcli,mysql")) == "mysql"
    assert name_of(clients.started("-p", "pg", "--client", "psql", DBCTL_CLIENT="pgcli")) == "psql"
    path = clients.directory.rename(tmp_path / "elsewhere") / "psql"
    assert clients.started("-p", "pg", "--client", str(path))["argv"][0] == str(path)


def test_who_is_not_there_is_told_with_what_would_install_it(clients: Clients) -> None:
    result = clients.dbctl("shell", "-p", "my")
    assert (result.code, result.talk) == (
        127,
        "dbctl: error: there is no mariadb and no mysql and no mycli here; install one with apt install mariadb-client"
        ' or apt install default-mysql-client or pip install "mycli>=2.26"\n',
    )
    result = clients.dbctl("shell", "-p", "pg", "--client", "psql")
    assert (result.code, result.talk) == (
        127,
        "dbctl: error: there is no psql here; apt install postgresql-client installs it\n",
    )


def test_another_databases_client_is_refused(clients: Clients) -> None:
    result = clients.dbctl("shell", "-p", "pg", "--client", "mysql")
    assert result.code == 2
    assert "--client mysql: none of PostgreSQL's clients" in result.err
    assert "they are pgcli, psql" in result.err


@pytest.mark.parametrize("client", ON)
def test_the_password_is_in_a_file_for_nobody_else_and_gone_at_the_end(clients: Clients, client: str) -> None:
    clients.add(client)
    url = f"postgresql://app:{PASSWORD}@localhost/shop"
    told = clients.started("-p", ON[client], "--client", client, OTHER=PASSWORD, SERVICE_URL=url, HARMLESS="1")
    assert told["modes"] == [0o600, 0o700]
    assert PASSWORD.replace(":", "\\:") in told["text"] or PASSWORD in told["text"]
    shown = json.dumps([told["argv"], told["environment"]])
    assert PASSWORD not in shown
    assert told["environment"]["HARMLESS"] == "1"
    assert not Path(told["path"]).parent.exists()


@pytest.mark.parametrize("client", ON)
def test_nothing_else_leads_a_client_elsewhere(clients: Clients, client: str) -> None:
    clients.add(client)
    variables = ("DSN", "PGPASSWORD", "PGHOSTADDR", "MYSQL_DSN", "MYSQL_PWD", "MYSQL_UNIX_SOCKET")
    told = clients.started("-p", ON[client], "--client", client, **dict.fromkeys(variables, "elsewhere"))
    mine = {"pg": set(variables[1:3]), "my": {"MYSQL_PWD"}}[ON[client]]
    mine |= {"pgcli": {"DSN"}, "mycli": {"MYSQL_DSN", "MYSQL_UNIX_SOCKET"}}.get(client, set())
    assert {name for name, value in told["environment"].items() if value == "elsewhere"}.isdisjoint(mine)
    if client in {"mysql", "mariadb"}:
        assert told["argv"][1].startswith("--defaults-file=")  # which has ~/.my.cnf not read


def file_of(run: Any) -> Path:
    """Return the file with the password of a run that has just started its client."""
    return Path(json.loads(run.stdout.readline())["path"])


def test_what_a_killed_dbctl_has_left_is_removed_by_the_next_start(clients: Clients) -> None:
    clients.add("psql", then="import time; time.sleep(60)")
    clients.add("pgcli")
    with (
        clients.dbctl.spawn("shell", "-p", "pg") as killed,
        clients.dbctl.spawn("shell", "-p", "pg", "--quiet") as alive,
    ):
        left, used = file_of(killed), file_of(alive)
        killed.kill()
        killed.wait()
        assert PASSWORD.replace(":", "\\:") in left.read_text()
        clients.started("-p", "pg", "--client", "pgcli")
        assert not left.parent.exists()
        assert used.exists()
        alive.send_signal(signal.SIGTERM)
        alive.communicate(timeout=20)
        assert (alive.returncode, used.parent.exists()) == (143, False)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_signal_ends_the_client_and_leaves_nothing(clients: Clients, number: signal.Signals) -> None:
    clients.add("psql", then="import time; time.sleep(60)")
    with clients.dbctl.spawn("shell", "-p", "pg") as process:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert not Path(told["path"]).parent.exists()


@pytest.mark.parametrize("code", [0, 3, 70])
def test_its_exit_code_is_kept(clients: Clients, code: int) -> None:
    clients.add("sqlite3", then=f"sys.exit({code})")
    assert clients.dbctl("shell", "-p", "lite", "--read-only").code == code


def test_a_protected_profile_asks_unless_it_is_only_read(clients: Clients) -> None:
    clients.add("sqlite3")
    assert clients.dbctl("shell", "-p", "lite").code == 8
    assert "-readonly" not in clients.started("-p", "lite", "--confirm", "lite")["argv"]
    assert "-readonly" in clients.started("-p", "lite", "--read-only")["argv"]


@pytest.mark.parametrize(
    ("client", "says", "why"),
    [
        ("mycli", "mycli, version 1.26.1", "mycli 1.26.1 does not insist on TLS; 2.26 and newer does"),
        ("mysql", "mysql  Ver 15.1 Distrib 10.11.19-MariaDB", "MariaDB's mysql does not insist on TLS"),
    ],
)
def test_a_client_that_would_send_the_password_in_plaintext_is_refused(
    clients: Clients, client: str, says: str, why: str
) -> None:
    path = clients.directory / client
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    result = clients.dbctl("shell", "--url", "mysql://app:x@localhost/shop?sslmode=require", "--client", client)
    assert result.code == 3
    assert f"ssl.mode: {why}" in result.err


def test_several_hosts_are_told_to_pgcli_which_takes_one_port(clients: Clients) -> None:
    clients.add("pgcli")
    told = clients.started("--url", "postgresql://app@a:1,b:2/shop", "--client", "pgcli")
    assert told["argv"][1] == "host='a,b' port='1,2'"
    assert "PGPORT" not in told["environment"]


CHATS = """
import os, signal, termios, time
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"heard\\n"))  # not print, in which the signal may come
settings = termios.tcgetattr(0)
settings[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, settings)
print("ready", flush=True)
while True: time.sleep(0.05)
"""


def test_it_has_the_terminal_which_is_as_before_when_it_was_ended(clients: Clients) -> None:
    clients.add("psql", then=CHATS)
    with clients.dbctl.terminal("shell", "-p", "pg", "--client", "psql") as terminal:
        assert within(20, lambda: "ready" in terminal.shown())
        terminal.press("\x03")
        assert within(5, lambda: "heard" in terminal.shown()), terminal.shown()
        assert not terminal.is_as_before
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(10) == 143, terminal.shown()
        assert terminal.shown().count("heard") == 1
        assert terminal.is_as_before


def test_a_key_that_is_pressed_while_it_begins_is_heard_once(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(*words: Any, **how: Any) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(*words, **how)
        time.sleep(1)
        begun.touch()
        return child

    begun = clients.directory / "begun"

    begins = SimpleNamespace(Popen=slowly, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr("dbctl.programs.attending.subprocess", begins)
    clients.add("psql", then=CHATS)
    with of_tests(clients.dbctl).terminal("shell", "-p", "pg", "--client", "psql") as terminal:
        assert within(20, lambda: "ready" in terminal.shown())
        terminal.press("\x03")
        assert within(5, lambda: "heard" in terminal.shown()), terminal.shown()
        assert within(5, begun.exists)
        assert not within(0.5, lambda: terminal.shown().count("heard") > 1)


def test_a_window_that_is_closed_ends_it_and_leaves_nothing(clients: Clients) -> None:
    clients.add("psql", then="import time; time.sleep(60)")
    with clients.dbctl.terminal("shell", "-p", "pg", "--client", "psql", size=(5000, 24)) as terminal:
        assert within(20, lambda: terminal.shown().endswith("}\n"))
        told = json.loads(next(line for line in terminal.shown().splitlines() if line.startswith("{")))
        terminal.close()
        assert terminal.process.wait(10) in {129, -signal.SIGHUP}
    assert not Path(told["path"]).parent.exists()


@pytest.fixture
def notes(dbctl: Dbctl) -> Dbctl:
    """A file of SQLite's with a table and one that refers to it."""
    required("sqlite3")
    with sqlite3.connect(dbctl.cwd / "notes.db") as connection:
        connection.execute("CREATE TABLE author (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE note (author INTEGER REFERENCES author)")
    connection.close()
    (dbctl.cwd / "profiles.toml").write_text('[profiles.n]\nurl = "sqlite:///notes.db"\nlock_timeout = 2')
    return dbctl


def test_sqlites_own_keeps_foreign_keys_and_waits_for_a_lock(notes: Dbctl) -> None:
    assert notes.ok("shell", "--", "PRAGMA foreign_keys; PRAGMA busy_timeout").out == "1\n2000\n"
    result = notes("shell", "--", "INSERT INTO note VALUES (1)")
    assert (result.code, "FOREIGN KEY constraint failed" in result.err) == (sqlite3.SQLITE_CONSTRAINT, True)


def test_sqlites_own_only_reads_where_that_is_said(notes: Dbctl) -> None:
    result = notes("shell", "--read-only", "--", "INSERT INTO author VALUES (1)")
    assert result.code == sqlite3.SQLITE_READONLY
    assert "readonly" in result.err
    assert notes.ok("shell", "--", "SELECT count(*) FROM author").out == "0\n"


def test_a_file_that_is_not_there_is_not_created(notes: Dbctl) -> None:
    result = notes("shell", "--url", "sqlite:///gone.db")
    assert (result.code, "there is no database file gone.db" in result.err) == (4, True)
    assert not (notes.cwd / "gone.db").exists()


def test_a_uri_of_sqlites_is_handed_on(notes: Dbctl) -> None:
    url = "sqlite:///file:notes.db?mode=ro&uri=true"
    assert notes.ok("shell", "--url", url, "--", "SELECT count(*) FROM note").out == "0\n"
    assert notes("shell", "--url", url, "--", "INSERT INTO author VALUES (1)").code == sqlite3.SQLITE_READONLY


RECORDING = """
import keyring.backend

class Keyring(keyring.backend.KeyringBackend):
    priority = 100

    def get_password(self, *words):
        self.note("get")

    def set_password(self, *words):
        self.note("set")

    def note(self, word):
        with open({path!r}, "a") as file:
            print(word, file=file)
"""


@pytest.mark.parametrize("command", ["exec", "shell"])
def test_a_clients_keyring_is_neither_asked_nor_given_what_was_typed(
    command: str, dbctl: Dbctl, postgres_database: TestDatabase, tmp_path: Path
) -> None:
    required("pgcli")
    shell = Shell("pgcli", postgres_database, dbctl.with_env(PATH=PATH))
    shell.configure(**{"password_env": "# password_env"})
    noted, settings = tmp_path / "noted", dbctl.home / ".config" / "python_keyring"
    settings.mkdir(parents=True)
    (settings / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring=recording.Keyring\nkeyring-path={tmp_path}\n")
    (tmp_path / "recording.py").write_text(RECORDING.format(path=str(noted)))
    words = ["exec", "--", "pgcli"] if command == "exec" else ["shell", "--client", "pgcli", "--"]
    result = shell.dbctl.tty(*words, "-c", "SELECT 6 * 7", keys=[("Password for", f"{shell.password}\n")])
    assert "42" in result.out, str(result)
    # What pgcli does by itself shows that the keyring is one that it would use.
    assert (noted.read_text().split() if noted.exists() else []) == (["get", "set"] if command == "exec" else [])


def test_files_of_others_with_such_a_name_are_left_alone(clients: Clients, tmp_path: Path) -> None:
    clients.add("psql")
    target = tmp_path / "target"
    target.mkdir()
    (target / "kept").touch()
    link = Path(clients.started("-p", "pg")["path"]).parent.with_name(f"dbctl-private-{tmp_path.name}-{os.getpid()}")
    link.symlink_to(target)
    try:
        clients.started("-p", "pg")
        assert (target / "kept").exists()
        assert stat.S_ISLNK(link.lstat().st_mode)
    finally:
        link.unlink()


@pytest.mark.parametrize("options", [(), ("--read-only",)], ids=["writes", "reads"])
def test_litecli_opens_the_file(notes: Dbctl, options: tuple[str, ...]) -> None:
    required("litecli")
    words = ("shell", *options, "--client", "litecli", "--", "-e")
    result = notes(*words, "INSERT INTO author VALUES (42)", env={"PATH": PATH})
    assert ("readonly" in result.err) == bool(options), str(result)
    assert ("42" in notes.ok(*words, "SELECT * FROM author", env={"PATH": PATH}).out) != bool(options)
