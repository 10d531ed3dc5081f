"""The options that every command has count wherever a person types them, and the last one said counts."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import COMMANDS, GROUPS
from tests.harness.cli import Dbctl

PLACES = ["before the group", "before the command", "after the command"]


def placed(options: Sequence[str], place: str, command: Sequence[str] = ("profiles", "show")) -> list[str]:
    index = PLACES.index(place)
    return [*command[:index], *options, *command[index:]]


@pytest.fixture
def configured(dbctl: Dbctl) -> Dbctl:
    """Two profiles in the file that is found, another in one that has to be named."""
    (dbctl.cwd / "profiles.toml").write_text(
        'default = "a"\n[profiles.a]\nurl = "sqlite:///a.db"\n[profiles.b]\nurl = "sqlite:///b.db"\n'
    )
    (dbctl.cwd / "other.toml").write_text('default = "c"\n[profiles.c]\nurl = "sqlite:///c.db"\n')
    return dbctl


def settings(dbctl: Dbctl, args: Sequence[str], **env: str) -> dict[str, Any]:
    """Return what `profiles show` shows, by key."""
    rows = dbctl.ok(*args, env={"DBCTL_OUTPUT": "json"} | env).json
    return {row["key"]: row["value"] for row in rows}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("options", "name", "database"),
    [
        (["--profile", "b"], "b", "b.db"),
        (["--profile=b"], "b", "b.db"),
        (["-p", "b"], "b", "b.db"),
        (["--url", "sqlite:///u.db"], "--url", "u.db"),
        (["--config", "other.toml"], "c", "c.db"),
        (["-c", "other.toml"], "c", "c.db"),
        (["-c", "other.toml", "-p", "c"], "c", "c.db"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_profile_is_chosen_anywhere(
    options: list[str], name: str, database: str, place: str, configured: Dbctl
) -> None:
    found = settings(configured, placed(options, place))
    assert (found["name"], found["database"]) == (name, database)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("options", "start"),
    [
        (["--output", "csv"], "key,value,origin\n"),
        (["-o", "table"], "key  "),
        (["--json"], "[\n"),
        (["--quiet"], ""),
        (["-q"], ""),
        (["--no-color", "-o", "jsonl"], '{"key":'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_output_is_chosen_anywhere(options: list[str], start: str, place: str, configured: Dbctl) -> None:
    out = configured.ok(*placed(options, place)).out
    assert out[: len(start) or None] == start


@pytest.mark.parametrize("place", PLACES)
def test_echo_is_asked_for_anywhere(place: str, configured: Dbctl) -> None:
    assert settings(configured, placed(["--echo"], place))["echo"] is True


@pytest.mark.parametrize("place", PLACES)
def test_tracebacks_are_asked_for_anywhere(place: str, configured: Dbctl) -> None:
    assert "Traceback" not in configured("profiles", "show", "nowhere").err
    assert "Traceback" in configured(*placed(["--debug"], place), "nowhere").err


@pytest.mark.parametrize("place", PLACES[1:])
def test_a_command_without_a_group_has_them_too(place: str, configured: Dbctl) -> None:
    args = ["-p", "b", "ping"] if place == "before the command" else ["ping", "-p", "b"]
    assert "b.db" in configured(*args).err


@pytest.mark.parametrize(
    "args",
    [
        ["-p", "a", "-p", "b", "profiles", "show"],
        ["-p", "a", "profiles", "-p", "b", "show"],
        ["-p", "a", "profiles", "show", "-p", "b"],
        ["profiles", "-p", "a", "show", "-p", "b"],
        ["profiles", "show", "-p", "a", "-p", "b"],
    ],
    ids=" ".join,
)
def test_the_profile_said_last_counts(args: list[str], configured: Dbctl) -> None:
    assert settings(configured, args)["name"] == "b"


@pytest.mark.parametrize(
    ("args", "start"),
    [
        (["--output", "csv", "profiles", "show", "--output", "jsonl"], '{"key"'),
        (["--output", "csv", "profiles", "show", "--json"], "[\n"),
        (["--json", "profiles", "show", "--output", "csv"], "key,"),
        (["profiles", "show", "--output", "csv", "--json"], "[\n"),
        (["profiles", "show", "--json", "--output", "csv"], "key,"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_output_said_last_counts(args: list[str], start: str, configured: Dbctl) -> None:
    assert configured.ok(*args).out.startswith(start)


@pytest.mark.parametrize(
    "args",
    [
        ["--url", "sqlite://", "--profile", "a", "profiles", "show"],
        ["--profile", "a", "profiles", "show", "--url", "sqlite://"],
        ["profiles", "--url", "sqlite://", "show", "-p", "a"],
    ],
    ids=" ".join,
)
def test_a_url_and_a_profile_contradict_each_other(args: list[str], configured: Dbctl) -> None:
    result = configured(*args)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("dbctl: error: --url and --profile are both given; give one of them")


def test_options_go_before_variables(configured: Dbctl) -> None:
    show = ["profiles", "show"]
    assert settings(configured, show, DBCTL_PROFILE="b")["name"] == "b"
    assert settings(configured, [*show, "-p", "a"], DBCTL_PROFILE="b")["name"] == "a"
    assert settings(configured, [*show, "--url", "sqlite:///u.db"], DBCTL_PROFILE="b")["database"] == "u.db"
    assert settings(configured, show, DBCTL_CONFIG="other.toml")["name"] == "c"
    assert settings(configured, [*show, "-c", "profiles.toml"], DBCTL_CONFIG="other.toml")["name"] == "a"
    assert settings(configured, show, DATABASE_URL="mysql://h/d")["url"] == "mysql://h/d"


@pytest.mark.parametrize("option", ["--url", "--profile", "--config"])
@pytest.mark.parametrize("place", PLACES)
def test_an_empty_value_is_not_taken_for_none(option: str, place: str, configured: Dbctl) -> None:
    # A script writes "$TARGET", and TARGET is not set: it must not land on another database.
    result = configured(*placed([option, ""], place))
    assert result.code in {2, 3}, str(result)


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (["--profil", "b", "profiles", "show"], "--profile"),
        (["heroes", "--jsn", "list"], "--json"),
        (["heroes", "list", "--tema", "1"], "--team"),
        (["heroes", "add", "A", "--secret_name", "B"], "--secret-name"),
        (["init-tables", "--model", "x"], "--models"),
        (["init-tables", "--dryrun"], "--dry-run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_the_nearest_option_is_suggested(args: list[str], meant: str, dbctl: Dbctl) -> None:
    result = dbctl(*args)
    assert (result.code, result.out) == (2, "")
    assert meant in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "meant", "place"),
    [
        (["hero"], "heroes", "dbctl"),
        (["init_tables"], "init-tables", "dbctl"),
        (["poolstats"], "pool-stats", "dbctl"),
        (["heroes", "lst"], "list", "dbctl heroes"),
        (["teams", "ad"], "add", "dbctl teams"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_the_nearest_command_is_suggested(args: list[str], meant: str, place: str, dbctl: Dbctl) -> None:
    result = dbctl(*args)
    assert (result.code, result.out) == (2, "")
    assert f"Did you mean '{meant}'?" in result.err
    assert result.err.endswith(f"; see: {place} --help\n")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("words", [(), *GROUPS], ids=" ".join)
def test_no_command_is_a_usage_error_that_shows_the_help(words: Sequence[str], dbctl: Dbctl) -> None:
    result = dbctl(*words)
    assert result.code == 2
    assert "Usage: " in result.out + result.err
    assert "Commands" in result.out + result.err


@pytest.mark.parametrize("words", [(), *GROUPS, *COMMANDS], ids=" ".join)
def test_the_short_option_shows_the_same_help(words: Sequence[str], dbctl: Dbctl) -> None:
    help = dbctl.ok(*words, "-h")
    assert help.out == dbctl.ok(*words, "--help").out
    assert " ".join(["Usage: dbctl", *words]) in help.out
    assert help.err == ""


def test_the_version_is_said(dbctl: Dbctl) -> None:
    for args in (["--version"], ["--version", "heroes"], ["-p", "x", "--version"], ["--json", "--version", "ping"]):
        assert dbctl.ok(*args).out == "dbctl 0.1.0\n"


@pytest.mark.parametrize(
    "args", [["--version"], ["--help"], ["profiles", "list", "--json"], ["nonsense"]], ids=" ".join
)
def test_the_installed_program_is_the_module(args: list[str], dbctl: Dbctl) -> None:
    program = Path(sys.executable).parent / "dbctl"
    done = subprocess.run([program, *args], cwd=dbctl.cwd, env=dbctl.environment(), capture_output=True, check=False)
    module = dbctl(*args)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (module.code, module.out, module.err)
