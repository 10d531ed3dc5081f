"""A mark's table names files that are there."""

import os
import subprocess
import sys

import pytest

from tests.harness.database import KINDS
from tests.harness.kinds import without
from tests.marks import EACH, OWN, SLOW, TESTS, TIMING, marks_of


@pytest.mark.parametrize("pattern", [*SLOW, *TIMING, *EACH, *OWN])
def test_what_a_table_names_is_there(pattern: str) -> None:
    assert list(TESTS.glob(pattern)), pattern


def test_what_a_dependency_can_break_is_whatever_is_not_dbctls_own() -> None:
    assert "dependency" in marks_of(TESTS / "any" / "test_new.py")
    assert "dependency" in marks_of(TESTS / "faults" / "test_cuts.py")
    assert "dependency" not in marks_of(TESTS / "faults" / "test_kill9.py")
    assert set(marks_of(TESTS / "faults" / "test_signals.py")) == {"slow", "timing", "each"}


def collected(*where: str, **env: str) -> set[str]:
    line = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:xdist", *where]
    said = subprocess.check_output(line, text=True, env=os.environ | env)
    return {line for line in said.splitlines() if line.startswith("tests/")}


def alike(names: set[str]) -> set[str]:
    for kind in KINDS:
        names = {without(kind, name) for name in names}
    return names


def kinds_of(names: set[str]) -> set[str]:
    return {kind for kind in KINDS for name in names if f"[{kind}" in name}


def test_each_test_can_be_run_on_one_database_alone() -> None:
    every, one = (collected("tests/sample/commands", DBCTL_TEST_KINDS=kinds) for kinds in ("all", "one"))
    assert alike(one) == alike(every)
    assert len(one) == len(alike(every)) < len(every)
    assert kinds_of(one) == {"sqlite", "postgresql", "mariadb"}


def test_each_test_can_be_run_on_mysql_or_mariadb_where_those_are_not_on_trial() -> None:
    every, pair = (collected("tests/sample", "tests/work", DBCTL_TEST_KINDS=kinds) for kinds in ("all", "pair"))
    left_out = every - pair
    assert alike(pair) == alike(every)
    assert kinds_of(left_out) == {"mysql", "mariadb"}
    assert not any(name.startswith("tests/work/") for name in left_out)
