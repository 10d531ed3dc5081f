"""A shell can complete commands, options and the names of profiles."""

import shlex
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl

# Typer looks which shell its parent process is, unless it is told not to: then the shell can be named.
NAMED_SHELL = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
BUILT_IN = ["production", "testing", "development"]


def completed(dbctl: Dbctl, line: str, **env: str) -> list[str]:
    """Return what bash would offer at the end of the line."""
    words = shlex.split(line)
    index = len(words) if line.endswith(" ") else len(words) - 1
    protocol = {"_DBCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(index)}
    result = dbctl.ok(env=protocol | env)
    assert result.err == ""
    return [word for word in result.lines if word]


@pytest.fixture
def configured(dbctl: Dbctl) -> Dbctl:
    """Profiles in the file that is found, and another in one that has to be named."""
    (dbctl.cwd / "profiles.toml").write_text(
        '[profiles.alpha]\nurl = "sqlite://"\n[profiles.beta]\nurl = "${MISSING}"\n[profiles.broken]\nworkers = 0\n'
    )
    (dbctl.cwd / "other.toml").write_text('[profiles.gamma]\nurl = "sqlite://"\n')
    return dbctl


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dbctl her", ["heroes"]),
        ("dbctl transfer", ["transfer", "transfers"]),
        ("dbctl heroes ", ["add", "import", "list", "remove", "show", "update"]),
        ("dbctl heroes s", ["show"]),
        ("dbctl --json heroes s", ["show"]),
        ("dbctl -p beta heroes s", ["show"]),
        ("dbctl heroes list --te", ["--team"]),
        ("dbctl heroes list --p", ["--profile"]),
        ("dbctl init-tables --d", ["--dry-run", "--deadline", "--debug"]),
        ("dbctl heroes list -o ", ["table", "json", "jsonl", "csv", "tsv"]),
        ("dbctl heroes list --output js", ["json", "jsonl"]),
        ("dbctl heroes nons", []),
    ],
)
def test_commands_and_options_are_completed(line: str, offered: list[str], dbctl: Dbctl) -> None:
    assert sorted(completed(dbctl, line)) == sorted(offered)


def test_every_command_is_offered(dbctl: Dbctl) -> None:
    offered = completed(dbctl, "dbctl ")
    assert {"heroes", "init-tables", "ping", "pool-stats", "profiles", "teams", "transfer", "transfers"} <= set(offered)


@pytest.mark.parametrize("place", ["dbctl", "dbctl heroes", "dbctl heroes list", "dbctl ping --json"])
@pytest.mark.parametrize("option", ["-p", "--profile"])
def test_profile_names_are_completed(option: str, place: str, configured: Dbctl) -> None:
    assert completed(configured, f"{place} {option} ") == ["alpha", "beta", "broken", *BUILT_IN]
    assert completed(configured, f"{place} {option} b") == ["beta", "broken"]


@pytest.mark.parametrize(
    "line",
    [
        "dbctl -c other.toml -p ",
        "dbctl --config other.toml ping --profile ",
        "dbctl heroes -c other.toml list -p ",
        "dbctl -c other.toml heroes list -p ",
        "dbctl heroes list --config other.toml -p ",
    ],
)
def test_profile_names_are_those_of_the_file_that_is_named(line: str, configured: Dbctl) -> None:
    assert completed(configured, line) == ["gamma", *BUILT_IN]


def test_profile_names_are_those_of_the_file_that_a_variable_names(configured: Dbctl) -> None:
    assert completed(configured, "dbctl ping -p ", DBCTL_CONFIG="other.toml") == ["gamma", *BUILT_IN]


def test_the_profile_to_show_is_completed(configured: Dbctl) -> None:
    assert completed(configured, "dbctl profiles show a") == ["alpha"]


@pytest.mark.parametrize(
    "content", ["[", "profiles = 5", "default = 'nowhere'", "[profiles]\np = 1", "\xff", "a = \x00"]
)
def test_a_broken_file_completes_nothing(content: str, dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_bytes(content.encode("latin-1"))
    assert completed(dbctl, "dbctl ping -p ") == []
    assert completed(dbctl, "dbctl ping --p") == ["--profile"]


@pytest.mark.parametrize("named", ["nowhere.toml", "'~nosuchuser/x'", "."])
def test_a_missing_file_completes_nothing(named: str, dbctl: Dbctl) -> None:
    assert completed(dbctl, f"dbctl -c {named} -p ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_script_is_shown(shell: str, dbctl: Dbctl) -> None:
    script = dbctl.ok("--show-completion", shell, env=NAMED_SHELL).out
    assert f"_DBCTL_COMPLETE=complete_{shell}" in script


def test_bash_takes_the_script(configured: Dbctl) -> None:
    script = configured.ok("--show-completion", "bash", env=NAMED_SHELL).out
    (configured.cwd / "bin").mkdir()
    program = Path(configured.cwd / "bin" / "dbctl")
    program.write_text(f'#!/bin/sh\nexec {shlex.join(configured.program)} "$@"\n')
    program.chmod(0o755)
    line = f'{script}\nCOMP_WORDS=(dbctl ping -p a); COMP_CWORD=3\n_dbctl_completion dbctl\necho "${{COMPREPLY[@]}}"\n'
    bash = type(configured)(cwd=configured.cwd, home=configured.home, program=("bash", "-c"))
    environment = configured.environment()
    result = bash.ok(line, env={"PATH": f"{configured.cwd}/bin:{environment['PATH']}"})
    assert result.out == "alpha\n"
