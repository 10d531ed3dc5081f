"""What the page on developing writes from nothing works when it is put where the page says."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl
from tests.manual.examples import ROOT, blocks, comparable, text_of

COMMAND, BACKEND = (text for _, text in blocks("developing", "py"))
SHOWN = [text.removeprefix("$ ").partition("\n") for _, text in blocks("developing", "text")]

# Adds a folder with the page's command as a mount, and one with its database as a backend.
SCRIPT = """
import sys
import dbctl.backends, dbctl.mounts
dbctl.mounts.MOUNTS = (*dbctl.mounts.MOUNTS, dbctl.mounts.Mount("more_commands"))
dbctl.backends.__path__.append("more_backends")
from dbctl.cli.main import main
main()
"""


@pytest.fixture
def extended(dbctl: Dbctl) -> Dbctl:
    """Dbctl with the page's command and its database."""
    for path, text in {
        "more_commands/__init__.py": '"""More commands."""\n',
        "more_commands/count.py": COMMAND,
        "more_backends/mini/__init__.py": '"""Mini."""\n',
        "more_backends/mini/engine.py": BACKEND,
    }.items():
        file = dbctl.cwd / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return replace(dbctl, program=(sys.executable, "-c", SCRIPT))


def test_the_command_shows_what_the_page_shows(extended: Dbctl) -> None:
    extended.ok("init-tables")
    extended.ok("teams", "add", "Preventers")
    extended.ok("heroes", "add", "Deadpond", "--secret-name", "Dive Wilson")
    typed, _, shown = SHOWN[0]
    assert comparable(extended.tty(*typed.split()[1:]).plain) == comparable(shown)
    assert extended.ok("count", "--least", "1", "--json").json == [
        {"table": "hero", "rows": 1},
        {"table": "team", "rows": 1},
    ]
    assert "$ dbctl -p prod count --least 1000 --json" in extended.ok("count", "--help").out


def test_the_database_is_worked_on_by_every_command(extended: Dbctl) -> None:
    for line in ("init-tables", "teams add Preventers", "heroes add Deadpond --secret-name Dive --team Preventers"):
        extended.ok(*line.split(), "--url", "mini:///mini.db")
    assert [row["name"] for row in extended.ok("heroes", "list", "--url", "mini:///mini.db", "--json").json] == [
        "Deadpond"
    ]
    _, _, shown = SHOWN[1]
    answer = extended.ok("--url", "mini:///mini.db", "ping", "--json").out
    assert comparable(answer).replace("0.0", "0").startswith(comparable(shown).replace("0.0", "0"))


@pytest.mark.parametrize("text", [COMMAND, BACKEND], ids=["command", "database"])
def test_they_are_written_as_the_house_is(text: str, tmp_path: Path) -> None:
    file = tmp_path / "written.py"
    file.write_text(text, encoding="utf-8")
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--config", ROOT / "pyproject.toml", file],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode()


def _first_parameters() -> Iterator[str]:
    from dbctl.cli.openers import OPENERS

    for name in OPENERS:
        yield name.rpartition(".")[2]


def test_every_first_parameter_is_in_the_table() -> None:
    table = text_of("developing").partition("| first parameter")[2].partition("\n\n")[0]
    assert [name for name in _first_parameters() if f"`{name}`" not in table] == []


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in (ROOT / "dbctl").iterdir() if path.suffix in {"", ".py"}}
    table = text_of("developing").partition("| room")[2].partition("\n\n")[0]
    assert [room for room in sorted(rooms) if room[0] != "_" and room not in table] == []
