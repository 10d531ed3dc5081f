"""A revision's script that is wrong: it is named with what is wrong, whatever was asked for."""

import pytest

from tests.harness.cli import Dbctl
from tests.migrations.conftest import MakeService

FILE = "migrations/versions/a2_runs.py"


@pytest.mark.parametrize("command", ["upgrade", "check", "history"])
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('down_revision = "a1"', "down_revision = = 1", f"{FILE}: SyntaxError: invalid syntax (a2_runs.py, line 7)"),
        ('down_revision = "a1"', "", f"{FILE}: AttributeError: module 'a2_runs_py' has no attribute 'down_revision'"),
        (
            'down_revision = "a1"',
            'down_revision = "zz"',
            f"{FILE}: its down_revision zz has no script; bring that script back, or name the revision that it follows",
        ),
        (
            'revision = "a2"\ndown_revision = "a1"',
            'revision = "a3"\ndown_revision = "a1"',
            "are both revision a3; give one of them another id, or take it away",
        ),
        ('down_revision = "a1"', 'down_revision = "a1"\nNAMES["x"]', f"{FILE}: NameError: name 'NAMES' is not defined"),
    ],
)
def test_it_is_named(command: str, old: str, new: str, told: str, dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit(FILE, old, new)
    dbctl.ok("init-tables")
    result = dbctl("migrate", command)
    assert result.code == 3, str(result)
    (line,) = result.talk.splitlines()
    assert line.startswith("dbctl: error: ")
    assert told in line


def test_one_that_lacks_what_is_asked_for_is_named(dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit(FILE, "def upgrade", "def upgrad")
    result = dbctl("migrate", "upgrade")
    assert result.code == 3
    assert f"{FILE}: AttributeError: module 'a2_runs_py' has no attribute 'upgrade'" in result.err


@pytest.mark.parametrize("words", [["upgrade", ""], ["downgrade", ""], ["stamp", ""], ["stamp", "a1", ""]])
def test_an_empty_revision_is_a_mistake_on_the_line(words: list[str], dbctl: Dbctl, service: MakeService) -> None:
    service()
    dbctl.ok("init-tables")
    result = dbctl("migrate", *words)
    assert result.code == 2
    assert "a revision is empty; name one, such as head or base" in result.talk
    assert "env.py" not in result.err


def test_what_a_library_warns_of_is_a_line(dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit(
        FILE,
        "def upgrade() -> None:",
        "def upgrade() -> None:\n    import warnings; warnings.warn('old', stacklevel=2)",
    )
    assert "dbctl: UserWarning: old\n" in dbctl.ok("migrate", "upgrade").err
