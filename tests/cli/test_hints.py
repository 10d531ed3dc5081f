"""What an error advises can be pasted: it does its work where the line that failed did."""

import shlex
from pathlib import Path

import pytest

from dbctl.cli.hints import told
from dbctl.cli.options import Globals
from dbctl.errors import CheckFailed, ConfigError, MissingTable, Remedy
from dbctl.profiles.urls import without_secrets
from tests.harness.cli import Dbctl

MISSING = MissingTable("no such table: hero", Remedy.CREATE_TABLES)


@pytest.mark.parametrize(
    ("said", "options"),
    [
        (Globals(), ""),
        (Globals(profile=["my sql"], config="a b.toml"), "-c 'a b.toml' -p 'my sql' "),
        (Globals(url="sqlite:///x.db"), "--url sqlite:///x.db "),
        (Globals(url="mysql://u:s3cret@h/d?charset=x"), "--url 'mysql://u@h/d?charset=x' --ask-password "),
        (Globals(profile=["pg"], ask_password=True), "-p pg --ask-password "),
    ],
)
def test_a_command_has_what_was_said_before(said: Globals, options: str) -> None:
    assert told(MISSING, said) == f"no such table: hero; create the tables with: dbctl {options}init-tables"


def test_a_command_about_the_file_has_the_file_alone() -> None:
    error = ConfigError("p is there", "change it with: dbctl profiles set p")
    said = Globals(profile=["pg"], config="x.toml")
    assert told(error, said) == "p is there; change it with: dbctl -c x.toml profiles set p"
    assert told(ConfigError("none", "dbctl help lists the pages"), said) == "none; dbctl help lists the pages"


def test_the_models_that_were_named_are_those_to_create() -> None:
    error = CheckFailed("missing tables: a", [], Remedy.CREATE_MISSING)
    arguments = {"models": ["app.one", "app.two"], "exclude": ["*.old"], "app_dir": "my src"}
    assert told(error, Globals(), arguments).endswith(
        "create them with: dbctl init-tables --models app.one --models app.two --exclude '*.old' --app-dir 'my src'"
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@ss/w:rd@h:1/d", "postgresql://u@h:1/d"),
        ("postgresql://u:u@h/d?sslpassword=x&sslmode=require", "postgresql://u@h/d?sslmode=require"),
        ("mysql://u@h/d?password=x", "mysql://u@h/d"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("s3cret", ""),
    ],
)
def test_a_url_loses_its_secrets_and_nothing_else(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_a_hint_can_be_pasted(dbctl: Dbctl, tmp_path: Path) -> None:
    config = tmp_path / "my profiles.toml"
    config.write_text('default = "a"\n[profiles.a]\nurl = "sqlite:///a.db"\n[profiles.b]\nurl = "sqlite:///b.db"\n')
    line = ("-c", str(config), "-p", "b", "heroes", "list")
    hint = dbctl(*line).err.strip().partition("with: ")[2]
    dbctl.ok(*shlex.split(hint)[1:])
    dbctl.ok(*line)


def test_where_there_is_an_alembic_migrations_make_the_tables_of_the_profile_that_lacks_them(dbctl: Dbctl) -> None:
    profiles = "[profiles.a]\nurl = 'sqlite:///a.db'\n[profiles.b]\nurl = 'sqlite:///b.db'\n"
    (dbctl.cwd / "profiles.toml").write_text(profiles)
    dbctl.ok("-p", "a", "init-tables")
    copy = ("copy", "--from", "a", "--to", "b", "team")
    assert dbctl(*copy).err.endswith("; create it with: dbctl -p b init-tables\n")
    (dbctl.cwd / "alembic.ini").write_text("")
    assert dbctl(*copy).err.endswith("; create it with: dbctl -p b migrate upgrade\n")
    missing = dbctl("-p", "a", "query", "SELECT * FROM nosuch")
    assert missing.err.endswith(
        "; see which tables there are with: dbctl -p a tables; or create those of the models with:"
        " dbctl -p a migrate upgrade\n"
    )


@pytest.mark.parametrize("args", [("heroes", "list"), ("init-tables", "--check")])
def test_in_memory_none_is_given_that_can_not_help(dbctl: Dbctl, args: tuple[str, ...]) -> None:
    result = dbctl(*args, "--url", "sqlite://")
    assert result.code in {1, 6}
    assert "init-tables" not in result.err
