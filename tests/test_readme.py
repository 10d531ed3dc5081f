"""The README is in step with the program: its lines are typed as they stand, and must show what it says they show."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dbctl.cli.exits import ExitCode
from tests.cli.commands import COMMANDS
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_described() -> None:
    for words in COMMANDS:
        assert re.search(rf"\$ .*dbctl .*\b{' '.join(words)}\b", README), f"no example of {' '.join(words)}"


def test_every_exit_code_is_listed_with_its_meaning() -> None:
    for code in ExitCode:
        assert f"| {code.value} | {code.meaning} |" in README


def test_every_profile_key_is_in_the_table() -> None:
    from dbctl.profiles import Pool, Profile, Ssl

    inner = {"name", "password", "query", "pool", "ssl"}
    keys = [key for key in Profile.model_fields if key not in inner]
    keys += [f"pool.{key}" for key in Pool.model_fields] + [f"ssl.{key}" for key in Ssl.model_fields]
    table = README.partition("| key | meaning")[2].partition("\n\n")[0]
    assert [key for key in keys if f"`{key}`" not in table] == []


def test_the_main_job_runs_as_one_line(dbctl: Dbctl) -> None:
    """Without its installation, which is what the tests themselves run on."""
    line = next(line for line in README.splitlines() if line.startswith("python3 -m venv"))
    job = line.partition("pip install -q . && ")[2]
    assert "Spider-Boy" in _shell(dbctl).ok(job).out


@pytest.mark.parametrize("kind", ["", "pg", "my"])
def test_examples_show_what_the_program_shows(kind: str, dbctl: Dbctl, request: pytest.FixtureRequest) -> None:
    shell = _shell(dbctl)
    name = "shop"
    if kind:
        database: TestDatabase = request.getfixturevalue({"pg": "postgres_database", "my": "mariadb_database"}[kind])
        (dbctl.cwd / "profiles.toml").write_text(database.toml, encoding="utf-8")
        shell = shell.with_env(**database.env)
        name = database.name
    code = 0
    for line, expected in _examples(kind):
        shown = shell.tty(f"(exit {code}); {line}", columns=100, rows=50)
        plain = shown.plain.replace(name, "shop")
        assert _comparable(plain) == _comparable(expected), f"$ {line}\n{plain}"
        code = 0 if line.startswith("echo") else shown.code


def test_the_library_example_runs(dbctl: Dbctl) -> None:
    _shell(dbctl).ok("dbctl init-tables && dbctl teams add Preventers")
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (dbctl.cwd / "example.py").write_text(example, encoding="utf-8")
    python = replace(dbctl, program=(sys.executable,))
    assert python.ok("example.py").out == "1 Deadpond\n"
    assert [row["name"] for row in dbctl.ok("heroes", "list", "--json").json] == ["Deadpond"]


def test_the_benchmarks_it_names_are_there() -> None:
    for path in re.findall(r"python (tests/benchmarks/\S+)", README):
        subprocess.run([sys.executable, ROOT / path, "--help"], check=True, capture_output=True)


def _shell(dbctl: Dbctl) -> Dbctl:
    """Return a shell that finds dbctl on its PATH, as after `. .venv/bin/activate`."""
    path = f"{Path(sys.executable).parent}:{dbctl.environment()['PATH']}"
    return replace(dbctl, program=("/bin/bash", "-c")).with_env(PATH=path)


def _examples(kind: str) -> Iterator[tuple[str, str]]:
    """Yield each line that is typed in the console blocks of a kind, and what the README shows below it."""
    for block in re.findall(rf"```console{' ' + kind if kind else ''}\n(.*?)```", README, re.DOTALL):
        for part in block.removeprefix("$ ").split("\n$ "):
            line, _, shown = part.partition("\n")
            yield line, shown


def _comparable(text: str) -> str:
    """Leave out what differs from run to run: numbers, spaces, and lines as long as the numbers in them."""
    without_numbers = re.sub(r"\d+(\.\d+)?", "0", text)
    return " ".join(re.sub("─+", "─", without_numbers).split())
