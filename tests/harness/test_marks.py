"""A mark's table names files that are there."""

import pytest

from tests.marks import OWN, SLOW, TESTS, TIMING, marks_of


@pytest.mark.parametrize("pattern", [*SLOW, *TIMING, *OWN])
def test_what_a_table_names_is_there(pattern: str) -> None:
    assert list(TESTS.glob(pattern)), pattern


def test_what_a_dependency_can_break_is_whatever_is_not_dbctls_own() -> None:
    assert "dependency" in marks_of(TESTS / "any" / "test_new.py")
    assert "dependency" in marks_of(TESTS / "faults" / "test_cuts.py")
    assert "dependency" not in marks_of(TESTS / "faults" / "test_kill9.py")
    assert set(marks_of(TESTS / "faults" / "test_signals.py")) == {"slow", "timing"}
