"""The options that every command has count wherever a person types them, and the last one said counts."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dbctl.cli.options import _WITHOUT_VARIABLE, Globals
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
def test_two_profiles_are_refused_where_one_is_taken(args: list[str], configured: Dbctl) -> None:
    for command in (args, [word if word != "show" else "list" for word in args]):
        result = configured(*command)
        assert (result.code, result.out) == (2, "")
        assert result.err == "dbctl: error: --profile is given twice: a, b; this command takes one at a time\n"


@pytest.mark.parametrize("args", [["-p", "a", "-p", "b", "ping"], ["-p", "a", "ping", "-p", "b"]], ids=" ".join)
def test_two_profiles_are_taken_where_several_are(args: list[str], configured: Dbctl) -> None:
    assert [row["profile"] for row in configured(*args, "--json").json] == ["a", "b"]


def test_a_profile_said_twice_is_one(configured: Dbctl) -> None:
    assert settings(configured, ["-p", "b", "profiles", "show", "-p", "b"])["name"] == "b"
    assert "row" not in configured("-p", "b", "ping", "-p", "b").out


FLAGS = [field.name for field in fields(Globals) if field.default is False and field.name not in _WITHOUT_VARIABLE]
OF_SEVERAL = {"tagged", "all_profiles", "at_a_time", "canary_first", "stop_after", "done_file"}
"""What is about several profiles is said on the line alone."""


def test_every_global_option_has_a_variable(configured: Dbctl) -> None:
    """Named like it; --json is short for --output json."""
    assert {"ask_password", "debug", "echo", "no_color", "quiet"} <= set(FLAGS)
    with_values = {field.name for field in fields(Globals)} - {*FLAGS, "json"} - OF_SEVERAL
    assert with_values == {"profile", "url", "config", "output", "log", "metrics"}  # a file of metrics is one job's
    row = {"DBCTL_PROFILE": "b", "DBCTL_CONFIG": "profiles.toml", "DBCTL_OUTPUT": "json", "DBCTL_ECHO": "1"}
    found = settings(configured, ["profiles", "show"], **row)
    assert (found["name"], found["echo"]) == ("b", True)
    assert settings(configured, ["profiles", "show"], DBCTL_URL="sqlite:///u.db")["database"] == "u.db"
    assert configured.ok("profiles", "list", env={"DBCTL_QUIET": "yes"}).out == ""
    assert configured("profiles", "show", "nowhere", env={"DBCTL_LOG": "json"}).err.startswith('{"time": ')
    assert "Traceback" in configured("profiles", "show", "nowhere", env={"DBCTL_DEBUG": "true"}).err
    assert "no terminal" in configured("ping", env={"DBCTL_ASK_PASSWORD": "on"}).err
    assert "\x1b[3" not in configured.tty("--help", env={"DBCTL_NO_COLOR": "1"}).out


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("value", ["0", "no", "False", "OFF", ""])
def test_a_variable_can_say_no(value: str, flag: str, configured: Dbctl) -> None:
    assert configured.ok("profiles", "show", env={f"DBCTL_{flag.upper()}": value}).err == ""


@pytest.mark.parametrize("flag", FLAGS)
def test_a_variable_that_says_neither_is_named(flag: str, configured: Dbctl) -> None:
    variable = f"DBCTL_{flag.upper()}"
    result = configured("profiles", "show", env={variable: "maybe"})
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[0].startswith(f"dbctl: error: {variable}=maybe: allowed is 1, true, yes, on, or 0, ")


def test_a_profile_in_production_names_the_variable_that_it_refuses(configured: Dbctl) -> None:
    result = configured("ping", env={"DBCTL_ECHO": "1", "ENVIRONMENT": "production", "DATABASE_URL": "mysql://h/d"})
    assert result.code == 3
    assert result.err.startswith("dbctl: error: DBCTL_ECHO: echo is refused in production")


@pytest.mark.parametrize(
    ("args", "start"),
    [
        (["--output", "csv", "profiles", "show", "--output", "jsonl"], '{"key"'),
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
        (["init_tables"], "init-tables', 'tables", "dbctl"),
        (["poolstats"], "pool-stats", "dbctl"),
        (["heroes", "lst"], "list", "dbctl heroes"),
        (["teams", "ad"], "add", "dbctl teams"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_the_nearest_command_is_suggested(args: list[str], meant: str, place: str, dbctl: Dbctl) -> None:
    result = dbctl(*args)
    assert (result.code, result.out) == (2, "")
    assert f". Did you mean '{meant}'?; see: " in result.err
    assert ". ." not in result.err
    assert result.err.endswith(f"; see: {place} --help\n")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_a_group_without_a_command_is_a_usage_error_that_shows_the_help(words: Sequence[str], dbctl: Dbctl) -> None:
    result = dbctl(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err == dbctl.ok(*words, "--help").out
    assert "Usage: " in result.err
    assert "Commands" in result.err


def test_a_bare_dbctl_says_in_a_dozen_lines_what_it_is_and_where_help_is(dbctl: Dbctl) -> None:
    result = dbctl.ok()
    assert result.err == ""
    assert 10 <= len(result.lines) <= 13
    assert max(map(len, result.lines)) <= 80
    for named in ("dbctl --help", "dbctl help", "dbctl ping", "dbctl init-tables"):
        assert f"  {named} " in result.out


@pytest.mark.parametrize("args", [["-o", "csv"], ["-p", "a"], ["--quiet"]], ids=" ".join)
def test_options_without_a_command_are_a_usage_error(args: list[str], dbctl: Dbctl) -> None:
    # A script writes "$COMMAND", and COMMAND is not set: it must not take nothing for done.
    result = dbctl(*args)
    assert (result.code, result.out, result.err) == (2, "", "dbctl: error: no command is given; see: dbctl --help\n")


@pytest.mark.parametrize("words", [(), *GROUPS, *COMMANDS], ids=" ".join)
def test_the_short_option_shows_the_same_help(words: Sequence[str], dbctl: Dbctl) -> None:
    help = dbctl.ok(*words, "-h")
    assert help.out == dbctl.ok(*words, "--help").out
    assert " ".join(["Usage: dbctl", *words]) in help.out
    assert help.err == ""


def test_the_version_is_said(dbctl: Dbctl) -> None:
    for args in (
        ["--version"],
        ["-V"],
        ["--version", "heroes"],
        ["-p", "x", "--version"],
        ["--json", "--version", "ping"],
    ):
        assert dbctl.ok(*args).out == "dbctl 0.1.0\n"


@pytest.mark.parametrize(
    "args", [["--version"], ["--help"], ["profiles", "list", "--json"], ["nonsense"]], ids=" ".join
)
def test_the_installed_program_is_the_module(args: list[str], dbctl: Dbctl) -> None:
    program = Path(sys.executable).parent / "dbctl"
    done = subprocess.run([program, *args], cwd=dbctl.cwd, env=dbctl.environment(), capture_output=True, check=False)
    module = dbctl(*args)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (module.code, module.out, module.err)


def test_a_format_that_is_none_is_told_with_those_that_are(dbctl: Dbctl) -> None:
    result = dbctl("ping", "-o", "nonsense")
    assert result.code == 2
    assert "'--output' / '-o': 'nonsense' is not one of 'table', 'json', 'jsonl', 'csv', 'tsv'" in result.err


@pytest.mark.parametrize(
    "args",
    [
        ["--output", "csv", "profiles", "show", "--json"],
        ["--json", "profiles", "show", "--output", "csv"],
        ["profiles", "show", "--json", "--output", "csv"],
    ],
    ids=" ".join,
)
def test_two_formats_by_two_options_are_refused(args: list[str], configured: Dbctl) -> None:
    result = configured(*args)
    assert (result.code, result.out) == (2, "")
    assert result.err == "dbctl: error: --json and --output csv are both given; give one of them\n"


@pytest.mark.parametrize("level", ["read committed", "READ-COMMITTED", "Repeatable Read"])
def test_an_isolation_level_is_written_as_in_a_profile(level: str, configured: Dbctl) -> None:
    assert "Invalid value" not in configured("heroes", "list", "--isolation", level).err
