"""`dbctl profiles check`."""

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.files import private
from tests.harness.forked import Forked
from tests.servers.system import free_port

RIGHT = '[profiles.pg]\nurl = "postgresql://app:s3cret@h/app"\n'
WRONG = '[profiles.wrong]\nurl = "mysql://h/d"\nworkers = 0\nworkerz = 2\n[profiles.oracle]\nurl = "oracle://h/d"\n'


def test_profiles_that_are_right_are_listed(bare: Dbctl) -> None:
    private(bare.cwd / "profiles.toml").write_text(
        RIGHT + '[profiles.later]\nurl = "mysql://h/d"\npassword_env = "NOT_SET"\n'
    )
    assert bare.ok("profiles", "check", "--json").json == [
        {"profile": "pg", "url": "postgresql://app:********@h/app", "server": None, "error": None},
        {"profile": "later", "url": "mysql://h/d", "server": None, "error": None},
    ]


def test_each_problem_is_a_row(bare: Dbctl) -> None:
    private(bare.cwd / "profiles.toml").write_text(f'default = "wrong"\n{RIGHT}{WRONG}')
    result = bare("profiles", "check", "--json")
    assert result.code == 3
    assert result.talk == "dbctl: error: 2 of 3 profiles can't be used\n"
    problems = [(row["profile"], row["error"] or "") for row in result.json]
    assert [name for name, _ in problems] == ["pg", "wrong", "wrong", "oracle"]
    assert "workers = 0: allowed is" in problems[1][1]
    assert 'workerz: unknown key; did you mean "workers"?' in problems[2][1]
    assert 'driver = "oracle"' in problems[3][1]


def test_each_option_that_no_driver_knows_is_a_row(bare: Dbctl) -> None:
    toml = (
        '[profiles.p]\nurl = "mysql://h/d?parseTime=true&useSSL=0"\n[profiles.q]\nurl = "postgresql://h/d?schema=x"\n'
    )
    private(bare.cwd / "profiles.toml").write_text(toml)
    result = bare("profiles", "check", "--json")
    assert result.code == 3
    places = [str(row["error"]).partition(": MySQL")[0].partition(": Postgre")[0] for row in result.json]
    assert places == [
        "profiles.toml [profiles.p]: query.parseTime",
        "profiles.toml [profiles.p]: query.useSSL",
        "profiles.toml [profiles.q]: query.schema",
    ]


def test_everything_that_is_wrong_with_a_fleet_is_said_by_its_key(bare: Dbctl) -> None:
    (bare.cwd / "profiles.toml").write_text(
        '[profiles.main]\nurl = "sqlite:///a.db"\n[fleet.a]\nfrom = "mian"\nquery = "SELECT 1"\n'
        '[fleet.b]\ncomand = ["x"]\ntemplate = "tmp"\n[fleet.c]\nfrom = "main"\nquery = "x"\ncommand = ["x"]\n'
    )
    result = bare("profiles", "check")
    assert (result.code, result.out) == (3, "")
    begins = [line.removeprefix("dbctl: error: profiles.toml ").split("; ")[0] for line in result.err.splitlines()]
    assert begins == [
        '[fleet.a]: from = "mian": there is no such profile',
        "[fleet.b]: comand: unknown key",
        '[fleet.b]: template = "tmp": there is no such profile',
        "[fleet.c]: it has to say where its rows come from, in one way",
    ]


def test_a_template_and_with_connect_a_fleet_s_rows_are_checked_too(bare: Dbctl) -> None:
    (bare.cwd / "profiles.toml").write_text(
        '[profiles.half]\nssl.mode = "verify-full"\nworkerz = 2\n[profiles.whole]\nhost = "h"\n'
        '[fleet.rows]\ncommand = ["echo", \'{"name": "a", "url": "sqlite://"}\']\ntemplate = "half"\n'
        '[fleet.none]\ncommand = ["true"]\ntemplate = "whole"\n'
    )
    result = bare("profiles", "check", "--json")
    assert (result.code, [row["profile"] for row in result.json]) == (3, ["half"])
    assert "[profiles.half]: workerz: unknown key" in result.json[0]["error"]
    result = bare("profiles", "check", "--connect", "--json")
    assert (result.code, [row["profile"] for row in result.json]) == (3, ["half", "rows/a", "none/*"])
    assert "[fleet.none]: what true writes gives no row" in result.json[2]["error"]


def test_a_file_that_is_wrong_as_a_whole_is_an_error(bare: Dbctl) -> None:
    private(bare.cwd / "profiles.toml").write_text("default = ")
    result = bare("profiles", "check")
    assert (result.code, result.out) == (3, "")
    assert "not valid TOML" in result.err


def test_without_a_file_the_one_that_is_taken_is_checked(bare: Dbctl) -> None:
    [row] = bare.ok("profiles", "check", "--json", env={"DATABASE_URL": "mysql://h/d"}).json
    assert (row["profile"], row["url"]) == ("development", "mysql://h/d")
    assert bare("profiles", "check", env={"DATABASE_URL": "nonsense"}).code == 3


@pytest.fixture
def refused() -> str:
    """A port of this machine on which nobody listens."""
    return str(free_port())


def test_each_can_be_connected_to(server_database: TestDatabase, dbctl: Dbctl, refused: str) -> None:
    run = Forked(cwd=dbctl.cwd, home=dbctl.home, env=server_database.env)
    private(run.cwd / "profiles.toml").write_text(server_database.toml)
    [row] = run.ok("profiles", "check", "--connect", "--json").json
    assert row["server"].startswith(("PostgreSQL 1", "MariaDB 1", "MySQL 9"))
    away = f'[profiles.away]\ndriver = "{server_database.kind}"\nhost = "127.0.0.1"\nport = {refused}\n'
    private(run.cwd / "profiles.toml").write_text(WRONG + away + server_database.toml)
    result = run("profiles", "check", "--connect", "--json")
    assert result.code == 4
    assert result.talk == "dbctl: error: 3 of 4 profiles can't be used\n"
    servers = {row["profile"]: row["server"] for row in result.json}
    assert [name for name, server in servers.items() if server] == [server_database.profile]
    assert "TCP failed" in next(row["error"] for row in result.json if row["profile"] == "away")
    without = run("profiles", "check", "--json")
    assert without.code == 3


def test_connecting_needs_the_secrets(server_database: TestDatabase, bare: Dbctl) -> None:
    private(bare.cwd / "profiles.toml").write_text(server_database.toml)
    bare.ok("profiles", "check")
    result = bare("profiles", "check", "--connect", "--json")
    assert result.code == 3
    assert "is not set" in result.json[0]["error"]
