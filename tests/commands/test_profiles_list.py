"""`dbctl profiles list`."""

from typing import Any

import pytest

from tests.harness.cli import Dbctl
from tests.harness.files import private
from tests.harness.forked import Forked

FILE = """
default = "pg"
[profiles.pg]
url = "postgresql://app:s3cret@db.example/app?sslpassword=t0psecret"
[profiles.broken]
driver = "oracle"
host = "db.example"
[profiles.unfilled]
url = "mysql://app:${NOT_SET}@db.example/app"
"""


@pytest.fixture
def run(dbctl: Dbctl) -> Dbctl:
    return Forked(cwd=dbctl.cwd, home=dbctl.home)


def listed(dbctl: Dbctl, *args: str, **env: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in dbctl.ok("profiles", "list", *args, "--json", env=env).json}


def test_with_nothing_configured_the_built_in_ones_are_listed(run: Dbctl) -> None:
    rows = listed(run)
    assert list(rows) == ["testing", "development"]
    assert rows["development"] == {
        "name": "development", "default": True, "url": "sqlite:///dev.db", "origin": "built in", "error": None
    }  # fmt: skip
    assert rows["testing"]["url"] == "sqlite://"


def test_those_of_the_file_come_first_with_the_file_as_their_source_and_no_secret(run: Dbctl) -> None:
    private(run.cwd / "profiles.toml").write_text(FILE)
    result = run.ok("profiles", "list", "--json")
    rows = {row["name"]: row for row in result.json}
    assert list(rows) == ["pg", "broken", "unfilled", "testing", "development"]
    assert rows["pg"]["url"] == "postgresql://app:********@db.example/app?sslpassword=********"
    assert rows["pg"]["origin"] == "profiles.toml"
    assert [name for name, row in rows.items() if row["default"]] == ["pg"]
    assert "s3cret" not in result.out + result.err
    assert "t0psecret" not in result.out + result.err


def test_a_profile_that_can_not_be_used_is_listed_with_the_reason(run: Dbctl) -> None:
    private(run.cwd / "profiles.toml").write_text(FILE)
    rows = listed(run)
    assert rows["broken"]["url"] is None
    assert 'driver = "oracle"' in rows["broken"]["error"]
    assert "NOT_SET" in rows["unfilled"]["error"]
    assert rows["pg"]["error"] is None


def test_the_chosen_one_is_the_one_that_a_command_would_take(run: Dbctl) -> None:
    private(run.cwd / "profiles.toml").write_text(FILE)
    assert listed(run, "--profile", "development")["development"]["default"]
    assert listed(run, DBCTL_PROFILE="testing")["testing"]["default"]
    production = listed(run, DATABASE_URL="mysql://app:s3cret@db.example/app", ENVIRONMENT="production")["production"]
    assert (production["default"], production["url"]) == (True, "mysql://app:********@db.example/app")
    assert production["origin"] == "DATABASE_URL"


def test_a_url_that_was_given_is_a_row_of_its_own(run: Dbctl) -> None:
    private(run.cwd / "profiles.toml").write_text(FILE)
    row = listed(run, DBCTL_URL="sqlite:///x.db")["DBCTL_URL"]
    assert (row["default"], row["url"], row["origin"]) == (True, "sqlite:///x.db", "DBCTL_URL")


def test_where_one_has_to_be_named_none_is_the_default(run: Dbctl) -> None:
    private(run.cwd / "profiles.toml").write_text(FILE.replace('default = "pg"', ""))
    assert not any(row["default"] for row in listed(run).values())


def test_a_file_that_can_not_be_read_is_a_configuration_error(run: Dbctl) -> None:
    private(run.cwd / "profiles.toml").write_text("default = ")
    result = run("profiles", "list")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("dbctl: error: profiles.toml: not valid TOML: ")
