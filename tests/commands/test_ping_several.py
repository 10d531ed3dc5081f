"""`dbctl ping` on several profiles: at once, a row each, and the exit code of the worst."""

import signal
import socket
from collections.abc import Sequence

import pytest

from tests.commands.test_ping_wait import on_profiles
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.servers.system import free_port

NOBODY = f"postgresql://app@127.0.0.1:{free_port()}/x"


def table(name: str, url: str, more: str = "") -> str:
    return f'[profiles.{name}]\nurl = "{url}"\n{more}\n'


def test_every_profile_of_the_file_has_a_row_in_its_order(
    dbctl: Dbctl, postgres_database: TestDatabase, mariadb_database: TestDatabase
) -> None:
    toml = [
        table("zero", "sqlite://"),
        postgres_database.toml,
        table("away", NOBODY),
        mariadb_database.toml,
        table("secretive", NOBODY, 'password_env = "NOT_SET"'),
        table("absent", "sqlite:///no.db"),
        table("wrong", "sqlite://", "workers = 0"),
        table("unknown", "mysql://h/d?parseTime=true"),
        table("slashes", "sqlite://data/app.db"),
    ]
    run = on_profiles(dbctl, "".join(toml))
    result = run("ping", "--all", "--json", env={**postgres_database.env, **mariadb_database.env})
    assert [(row["profile"], row["server"], row["failed_stage"]) for row in result.json] == [
        ("zero", "SQLite", None),
        ("pg", "PostgreSQL", None),
        ("away", None, "TCP"),
        ("my", "MariaDB", None),
        ("secretive", None, "configuration"),
        ("absent", None, "database"),
        ("wrong", None, "configuration"),
        ("unknown", None, "configuration"),
        ("slashes", None, "configuration"),
    ]
    for row in result.json:
        assert (row["error"] is None) == (row["failed_stage"] is None) == (row["connect_ms"] is not None)
    assert "NOT_SET" in result.json[4]["error"]
    assert result.code == 4
    assert result.talk == "dbctl: error: 6 of 9 profiles failed: away, secretive, absent, wrong, unknown, slashes\n"


@pytest.mark.parametrize(
    ("args", "rows"),
    [
        (["b", "a"], ["b", "a"]),
        (["a", "b", "a"], ["a", "b"]),
        (["b"], ["b"]),
        (["-p", "b", "-p", "a"], ["b", "a"]),
        (["--all"], ["a", "b"]),
    ],
    ids=["names", "a name twice", "one name", "options", "all"],
)
def test_profiles_can_be_named(dbctl: Dbctl, args: Sequence[str], rows: Sequence[str]) -> None:
    run = on_profiles(dbctl, table("a", "sqlite://") + table("b", "sqlite://"))
    assert [row["profile"] for row in run.ok("ping", *args, "--json").json] == rows


def test_a_row_has_the_fields_of_a_report(dbctl: Dbctl) -> None:
    run = on_profiles(dbctl, table("a", "sqlite:///a.db"))
    run.ok("init-tables", "-p", "a")
    [row] = run.ok("ping", "a", "--count", "5", "--stages", "--json").json
    report = run.ok("ping", "-p", "a", "--count", "5", "--stages", "--json").json
    assert list(row) == [*report, "failed_stage", "error"]
    assert (row["round_trips"]["count"], row["database"]) == (5, "a.db")


def test_one_profile_said_by_its_option_is_no_list(dbctl: Dbctl) -> None:
    run = on_profiles(dbctl, table("a", "sqlite://") + table("b", "sqlite://"))
    assert run.ok("ping", "-p", "b", "--json").json["profile"] == "b"
    assert [row["profile"] for row in run.ok("-p", "a", "ping", "-p", "b", "--json").json] == ["a", "b"]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (["nonsense"], 3),
        (["nonsense", "absent"], 4),
        (["nonsense", "away", "absent", "--wait", "0.3"], 5),
    ],
    ids=["configuration", "connection", "time"],
)
def test_the_exit_code_is_that_of_the_worst(dbctl: Dbctl, broken: Sequence[str], code: int) -> None:
    run = on_profiles(dbctl, table("a", "sqlite://") + table("absent", "sqlite:///no.db") + table("away", NOBODY))
    result = run("ping", "a", *broken, "--json")
    assert (result.code, result.json[0]["server"]) == (code, "SQLite"), str(result)
    if code == 5:
        assert result.json[2]["failed_stage"] == "TCP"


@pytest.mark.parametrize(
    ("args", "code"),
    [(["--all", "a"], 2), (["a", "-p", "a"], 2), (["--all", "--url", "sqlite://"], 2), (["--all"], 3)],
    ids=["all and name", "name and profile", "all and url", "no file"],
)
def test_what_can_not_be_meant_is_refused(dbctl: Dbctl, args: Sequence[str], code: int) -> None:
    result = on_profiles(dbctl, "" if code == 3 else table("a", "sqlite://"))("ping", *args)
    assert (result.code, result.out) == (code, "")


@pytest.mark.parametrize("args", [["--all"], ["-p", "a"]], ids=" ".join)
def test_an_interrupt_ends_it_however_long_the_servers_are_silent(dbctl: Dbctl, args: Sequence[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        places = {name: f"{name}://app@127.0.0.1:{listener.getsockname()[1]}/x" for name in ("postgresql", "mysql")}
        toml = table("a", places["postgresql"], "connect_timeout = 50")
        on_profiles(dbctl, toml + table("b", places["mysql"], "connect_timeout = 50"))
        process = dbctl.popen("ping", *args)
        accepted = [listener.accept()[0] for _ in range(2 if args == ["--all"] else 1)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        for sock in accepted:
            sock.close()
    assert (process.returncode, out) == (130, "")
    assert err == "dbctl: interrupted\n"
