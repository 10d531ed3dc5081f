"""A command that writes says first where to, and what chose that place where nobody said it."""

from pathlib import Path

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.files import private

INIT = ("init-tables",)
ONE = '[profiles.pg]\nurl = "sqlite:///shop.db"\n'


def first_line(dbctl: Dbctl, *args: str, **env: str) -> str:
    return dbctl(*args, env=env).err.partition("\n")[0]


def test_it_names_what_chose_the_database(dbctl: Dbctl) -> None:
    assert first_line(dbctl, *INIT) == "dbctl: profile development: dev.db (built in)"
    assert first_line(dbctl, *INIT, DATABASE_URL="sqlite:///o.db") == "dbctl: profile development: o.db (DATABASE_URL)"
    assert (
        first_line(dbctl, *INIT, ENVIRONMENT="testing") == "dbctl: profile testing: a database in memory (ENVIRONMENT)"
    )
    file = dbctl.cwd / "profiles.toml"
    file.write_text(ONE)
    assert first_line(dbctl, *INIT) == "dbctl: profile pg: shop.db (the only one in profiles.toml)"
    assert first_line(dbctl, *INIT, DBCTL_PROFILE="pg") == "dbctl: profile pg: shop.db (DBCTL_PROFILE)"
    file.write_text(f'default = "pg"\n{ONE}')
    assert first_line(dbctl, *INIT) == "dbctl: profile pg: shop.db (default in profiles.toml)"


def test_what_was_said_needs_no_reason(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text(ONE)
    assert first_line(dbctl, *INIT, "-p", "pg") == "dbctl: profile pg: shop.db"
    assert first_line(dbctl, *INIT, "--url", "sqlite:///x.db") == "dbctl: --url: x.db"


def test_no_password_is_in_it(dbctl: Dbctl) -> None:
    line = first_line(dbctl, *INIT, "--url", "postgresql://app:s3cret@127.0.0.1:1/shop?sslpassword=s3cret")
    assert line == "dbctl: --url: app@127.0.0.1:1/shop"
    socket = first_line(dbctl, *INIT, "--url", "postgresql://app:s3cret@/shop?host=/nowhere&sslpassword=s3cret")
    assert "s3cret" not in socket
    assert "host=%2Fnowhere" in socket


@pytest.mark.parametrize("args", [("teams", "add", "A", "--dry-run"), ("drop-tables",), ("teams", "remove", "9")])
def test_every_command_that_writes_says_it_in_a_dry_run_and_before_an_error(
    on_database: Dbctl, args: tuple[str, ...], database: TestDatabase
) -> None:
    assert first_line(on_database, *args).startswith(f"dbctl: profile {database.profile}: ")


@pytest.mark.parametrize("args", [("ping",), ("teams", "list"), ("init-tables", "--check"), ("profiles", "path")])
def test_what_only_reads_does_not(dbctl: Dbctl, args: tuple[str, ...]) -> None:
    dbctl.ok("init-tables")
    assert "dev.db" not in dbctl(*args).err


def test_quiet_drops_it(dbctl: Dbctl) -> None:
    assert dbctl.ok(*INIT, "--quiet").err == ""


def test_beside_a_file_nothing_else_is_made(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text(ONE + '[profiles.my]\nurl = "sqlite:///my.db"\n')
    result = dbctl(*INIT)
    assert result.code == 3
    assert result.err == (
        "dbctl: error: profiles.toml has no default, and no profile is named: there are pg, my; name one with"
        " --profile, or set one as the default with: dbctl profiles default NAME\n"
    )
    assert [path.name for path in dbctl.cwd.iterdir()] == ["profiles.toml"]


def test_a_relative_database_is_beside_the_file_that_names_it(dbctl: Dbctl, tmp_path: Path) -> None:
    file = private(tmp_path / "elsewhere.toml")
    file.write_text(ONE)
    assert (
        first_line(dbctl, *INIT, "-c", str(file)) == f"dbctl: profile pg: {tmp_path}/shop.db (the only one in {file})"
    )
    assert (tmp_path / "shop.db").exists()
