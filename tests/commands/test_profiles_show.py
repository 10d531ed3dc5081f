"""`dbctl profiles show`."""

from typing import Any

import pytest

from tests.harness.cli import Dbctl
from tests.harness.files import private
from tests.harness.forked import Forked

FILE = """
default = "pg"
[defaults]
connect_timeout = 3.5
[profiles.pg]
url = "postgresql://app:s3cret@db.example:5433/app?sslmode=require&sslpassword=t0psecret&keepalives=1"
[profiles.pg.pool]
size = 7
[profiles.my]
driver = "mysql"
host = "db.example"
password_env = "NOT_SET_YET"
"""


@pytest.fixture
def run(dbctl: Dbctl) -> Dbctl:
    private(dbctl.cwd / "profiles.toml").write_text(FILE)
    return Forked(cwd=dbctl.cwd, home=dbctl.home)


def shown(dbctl: Dbctl, *args: str, **env: str) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in dbctl.ok("profiles", "show", *args, "--json", env=env).json}


def test_each_value_is_shown_with_its_origin(run: Dbctl) -> None:
    rows = shown(run)
    assert (rows["name"]["value"], rows["driver"]["value"], rows["port"]["value"]) == ("pg", "postgresql", 5433)
    assert (rows["pool.size"]["value"], rows["pool.size"]["origin"]) == (7, "profiles.toml [profiles.pg]")
    assert (rows["ssl.mode"]["value"], rows["ssl.mode"]["origin"]) == ("require", "profiles.toml [profiles.pg]")
    assert (rows["connect_timeout"]["value"], rows["connect_timeout"]["origin"]) == (3.5, "profiles.toml [defaults]")
    assert (rows["pool.timeout"]["value"], rows["pool.timeout"]["origin"]) == (30.0, "built in")


def test_no_secret_is_shown(run: Dbctl) -> None:
    result = run.ok("profiles", "show", "pg", "--output", "tsv")
    assert "url\tpostgresql://app:********@db.example:5433/app?sslpassword=********&keepalives=1\t" in result.out
    assert "password\t********\t" in result.out
    assert "s3cret" not in result.out + result.err
    assert "t0psecret" not in result.out + result.err


def test_a_profile_is_shown_without_its_secret_being_there(run: Dbctl) -> None:
    rows = shown(run, "my")
    assert rows["password_env"]["value"] == "NOT_SET_YET"
    assert rows["url"]["value"] == "mysql://db.example"


@pytest.mark.parametrize("how", [["my"], ["--profile", "my"]])
def test_the_name_may_be_an_argument_or_the_option(run: Dbctl, how: list[str]) -> None:
    assert shown(run, *how)["name"]["value"] == "my"


def test_what_the_environment_says_is_shown_with_its_variable(run: Dbctl) -> None:
    (run.cwd / "profiles.toml").unlink()
    rows = shown(run, DATABASE_URL="mysql://app:s3cret@db.example/app", ENVIRONMENT="production")
    assert (rows["host"]["value"], rows["host"]["origin"]) == ("db.example", "DATABASE_URL")
    assert (rows["pool.size"]["value"], rows["pool.size"]["origin"]) == (20, "production preset")
    assert rows["ssl.mode"]["value"] == "require"


def test_the_options_are_shown_as_their_own_origin(run: Dbctl) -> None:
    rows = shown(run, "--url", "sqlite:///other.db", "--echo")
    assert (rows["database"]["value"], rows["database"]["origin"]) == ("other.db", "--url")
    assert (rows["echo"]["value"], rows["echo"]["origin"]) == (True, "--echo")


@pytest.mark.parametrize(
    ("name", "hint"), [("pgg", 'did you mean "pg"?'), ("zzz", "known are pg, my, production, testing, development")]
)
def test_a_name_that_is_not_there_is_a_configuration_error(run: Dbctl, name: str, hint: str) -> None:
    result = run("profiles", "show", name)
    assert (result.code, result.out) == (3, "")
    assert result.err == f'dbctl: error: no profile "{name}" in profiles.toml; {hint}\n'


def test_what_is_taken_in_another_way_than_it_is_said_is_a_note(run: Dbctl) -> None:
    result = run.ok("profiles", "show", "--json", env={"DATABASE_URL": "mysql+aiomysql://h/d?autocommit=true"})
    assert [row["value"] for row in result.json if row["key"] == "note"] == [
        "driver chooses MySQL: dbctl connects by pymysql, and where it is async by asyncmy",
        "query.autocommit is not taken over: a run is one transaction",
    ]
