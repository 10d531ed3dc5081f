"""A mark's table names files that are there."""

import os
import subprocess
import sys

import pytest

from tests.harness.database import KINDS
from tests.harness.kinds import without
from tests.marks import OWN, SLOW, TESTS, TIMING, marks_of


@pytest.mark.parametrize("pattern", [*SLOW, *TIMING, *OWN])
def test_what_a_table_names_is_there(pattern: str) -> None:
    assert list(TESTS.glob(pattern)), pattern


def test_what_a_dependency_can_break_is_whatever_is_not_dbctls_own() -> None:
    assert "dependency" in marks_of(TESTS / "any" / "test_new.py")
    assert "dependency" in marks_of(TESTS / "faults" / "test_cuts.py")
    assert "dependency" not in marks_of(TESTS / "faults" / "test_kill9.py")
    assert set(marks_of(TESTS / "faults" / "test_signals.py")) == {"slow", "timing"}


def test_each_test_can_be_run_on_one_database_alone() -> None:
    def collected(**env: str) -> set[str]:
        line = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:xdist", "tests/sample/commands"]
        said = subprocess.check_output(line, text=True, env=os.environ | env)
        return {line for line in said.splitlines() if line.startswith("tests/")}

    def alike(names: set[str]) -> set[str]:
        for kind in KINDS:
            names = {without(kind, name) for name in names}
        return names

    every, one = collected(), collected(DBCTL_TEST_KINDS="one")
    assert alike(one) == alike(every)
    assert len(one) == len(alike(every)) < len(every)
    assert {kind for kind in KINDS for name in one if f"[{kind}" in name} == {"sqlite", "postgresql", "mariadb"}
