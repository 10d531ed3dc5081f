"""What takes long to import is imported by who needs it: not for help, not for completion, not to look at profiles."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from dbctl.mounts import MOUNTS
from tests.cli.commands import COMMANDS, GROUPS
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

HEAVY = {"sqlalchemy", "sqlmodel", "psycopg2", "pymysql", "asyncpg", "asyncmy", "aiosqlite", "asyncio"}

# Runs dbctl as its entry point does, and at the end writes down what was imported.
SCRIPT = """
import atexit, json, pathlib, sys
atexit.register(lambda: pathlib.Path("imported.json").write_text(json.dumps(sorted(sys.modules))))
from dbctl.cli.main import main
main()
"""


def imported(dbctl: Dbctl, *args: str, code: int = 0, env: Mapping[str, str] | None = None) -> set[str]:
    """Return the modules that a run has imported."""
    result = replace(dbctl, program=(sys.executable, "-c", SCRIPT))(*args, env=env)
    assert result.code == code, str(result)
    return set(json.loads((dbctl.cwd / "imported.json").read_text()))


@pytest.mark.parametrize("words", [(), *GROUPS, *COMMANDS], ids=" ".join)
def test_help_imports_nothing_heavy(words: Sequence[str], dbctl: Dbctl) -> None:
    modules = imported(dbctl, *words, "--help")
    assert "typer" in modules
    assert modules & HEAVY == set()


def test_help_of_one_command_imports_no_other(dbctl: Dbctl) -> None:
    mounted = tuple(f"{mount.package}." for mount in MOUNTS)
    commands = {name for name in imported(dbctl, "heroes", "add", "--help") if name.startswith(mounted)}
    assert commands == {"dbctl.sample.commands.heroes", "dbctl.sample.commands.heroes.add"}
    assert not any(name.startswith(mounted) for name in imported(dbctl, "--help"))


PROFILES = [
    "list",
    "show",
    "show testing --json",
    "add p sqlite://",
    "default testing",
    "path",
    "check",
    "edit",
    "import url sqlite:// --as p",
]


@pytest.mark.parametrize("command", [f"profiles {words}" for words in PROFILES])
def test_profiles_import_nothing_heavy(command: str, dbctl: Dbctl) -> None:
    modules = imported(dbctl, *command.split(), env={"EDITOR": "true"})
    assert "dbctl.profiles" in modules
    assert modules & (HEAVY | {"rich"}) == set()


@pytest.mark.parametrize("words", ["help", "help locks", "help heroes add", "help locks --json"])
def test_the_manual_imports_nothing_heavy(words: str, dbctl: Dbctl) -> None:
    modules = imported(dbctl, *words.split())
    assert "dbctl.manual" in modules
    assert modules & (HEAVY | {"rich", "dbctl.profiles.model"}) == set()


@pytest.mark.parametrize("command", ["nonsense", "heroes nonsense", "heroes list --nonsense", "heroes"])
def test_a_usage_error_imports_nothing_heavy(command: str, dbctl: Dbctl) -> None:
    assert imported(dbctl, *command.split(), code=2) & HEAVY == set()


@pytest.mark.parametrize(
    ("words", "index"),
    [("dbctl ", 1), ("dbctl heroes ", 2), ("dbctl ping --", 2), ("dbctl heroes list -p ", 4), ("dbctl -o ", 2)],
)
def test_completion_imports_nothing_heavy(words: str, index: int, dbctl: Dbctl) -> None:
    protocol = {"_DBCTL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(index)}
    modules = imported(dbctl, env=protocol)
    assert ("typer" in modules) == ("-p" not in words)
    assert modules & HEAVY == set()


@pytest.mark.parametrize("words", ["dbctl -p ", "dbctl heroes list --profile ", "dbctl ping --profile=d"])
def test_completing_a_profile_reads_the_file_and_imports_no_command(words: str, dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text('[profiles.dev]\nurl = "sqlite://"\n')
    modules = imported(dbctl, env={"_DBCTL_COMPLETE": "complete_zsh", "_DBCTL_WORDS": words})
    assert {"tomllib", "dbctl.profiles.document"} <= modules
    assert modules & (HEAVY | {"typer", "click", "rich", "pydantic", "dbctl.commands", "dbctl.cli.tree"}) == set()


def test_the_version_imports_next_to_nothing(dbctl: Dbctl) -> None:
    modules = imported(dbctl, "--version")
    assert "dbctl.cli.main" in modules
    assert modules & (HEAVY | {"typer", "click", "rich", "pydantic", "inspect", "dbctl.cli.app"}) == set()


def test_the_package_imports_nothing_else(dbctl: Dbctl) -> None:
    script = (
        "import json, sys; before = set(sys.modules); import dbctl; print(json.dumps(list(set(sys.modules) - before)))"
    )
    modules = set(replace(dbctl, program=(sys.executable, "-c", script)).ok().json)
    own = {name for name in modules if name.partition(".")[0] == "dbctl"}
    assert own == {"dbctl"}
    assert {name.partition(".")[0] for name in modules - own} <= sys.stdlib_module_names


def test_ping_in_a_pipe_imports_what_it_needs(dbctl: Dbctl) -> None:
    modules = imported(dbctl, "--url", "sqlite://", "ping")
    assert {"sqlalchemy", "sqlite3"} <= modules
    assert modules & {"sqlmodel", "rich", "psycopg2", "pymysql", "asyncpg", "asyncmy", "aiosqlite"} == set()


def test_ping_imports_the_driver_of_its_database_alone(on_database: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (x INTEGER)")  # so that SQLite has a file
    drivers: dict[str, set[str]] = {"sqlite": set(), "postgresql": {"psycopg2"}, "mysql": {"pymysql"}}
    modules = imported(on_database, "ping")
    assert modules & {"psycopg2", "pymysql", "asyncpg", "asyncmy", "aiosqlite"} == drivers[database.dialect]
    assert modules & {"sqlmodel", "rich"} == set()


def test_a_command_in_a_pipe_imports_no_rich(dbctl: Dbctl) -> None:
    modules = imported(dbctl, "init-tables")
    assert "sqlmodel" in modules
    assert "rich" not in modules


# What an extra brings; and the modules that are for one of them.
EXTRAS = ["IPython", "aiosqlite", "alembic", "asyncmy", "asyncpg", "fastapi", "greenlet", "keyring", "starlette"]
FOR_AN_EXTRA = (
    "dbctl.backends.mysql.async_cursors",
    "dbctl.console.ipython",
    "dbctl.drift.plugin",
    "dbctl.fastapi",
    "dbctl.migrations.",
    "dbctl.request_errors",
    "dbctl.request_overrides",
    "dbctl.sample.api",
)

WITHOUT_EXTRAS = """
import sys
from importlib import import_module
from pkgutil import walk_packages

sys.modules.update(dict.fromkeys(sys.argv[1:]))
import dbctl

for module in walk_packages(dbctl.__path__, "dbctl.", onerror=lambda _: None):
    if module.name == "dbctl.__main__":
        continue
    try:
        import_module(module.name)
    except ImportError:
        print(module.name)
"""


def test_what_is_for_no_extra_is_imported_without_one() -> None:
    lacking = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, *EXTRAS], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "dbctl.fastapi" in lacking
    assert [name for name in lacking if not name.startswith(FOR_AN_EXTRA)] == []


def test_no_plugin_of_pydantic_s_is_loaded_for_a_profile(dbctl: Dbctl) -> None:
    """It would be shown the password; a service's own models have theirs."""
    site = dbctl.cwd / "site"
    metadata = site / "spy-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pydantic]\nspy = spy:Spy\n")
    (site / "spy.py").write_text(
        "class Spy:\n    @staticmethod\n    def new_schema_validator(*args, **how):\n        return None, None, None\n"
    )
    path = {"PYTHONPATH": str(site)}
    assert "spy" not in imported(dbctl, "ping", "--url", "sqlite://", env=path)
    assert "spy" in imported(dbctl, "init-tables", "--url", "sqlite://", env=path)
