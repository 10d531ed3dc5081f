"""`dbctl doctor`."""

import pytest

from tests.commands.test_ping import SERVERS, rewrite
from tests.harness.cli import Dbctl
from tests.harness.sample import Sample

LEVELS = ["ok", "note", "warning", "error"]


def test_what_is_found_is_told_from_the_worst_to_the_best(sample: Sample) -> None:
    found = sample.dbctl.ok("doctor", "--json").json
    assert {"ok", "note"} == {finding["level"] for finding in found}
    ranks = [LEVELS.index(finding["level"]) for finding in found]
    assert ranks == sorted(ranks, reverse=True)


@SERVERS
def test_the_exit_code_tells_whether_there_is_a_finding_as_bad_as_the_level(sample: Sample) -> None:
    rewrite(sample, 'driver = "', 'pool.max_overflow = -1\ndriver = "')
    result = sample.dbctl("doctor", "--json")
    assert result.code == 6
    assert [finding["check"] for finding in result.json if finding["level"] == "warning"] == ["connections"]
    assert result.talk == f"dbctl: error: profile {sample.database.profile}: doctor found 1 warning\n"
    checks = [finding["check"] for finding in sample.dbctl.ok("doctor", "--level", "error", "--json").json]
    assert checks == [finding["check"] for finding in result.json]
    assert sample.dbctl("doctor", "--level", "note").code == 6


@pytest.mark.parametrize("level", ["ok", "bad"])
def test_another_level_is_a_usage_error(sample: Sample, level: str) -> None:
    assert sample.dbctl("doctor", "--level", level).code == 2


def test_a_script_gets_figures_and_a_person_words(sample: Sample) -> None:
    [found] = [each for each in sample.dbctl.ok("doctor", "--json").json if each["check"] == "statement_timeout"]
    assert (found["value"], found["unit"]) == (None, "s")
    for output in ("csv", "tsv"):
        header = sample.dbctl.ok("doctor", "--output", output).out.splitlines()[0]
        assert header.replace("\t", ",") == "level,check,measured,value,limit,used,unit,why,fix"
    for columns in ("20", "80"):  # as records, and as a table
        shown = sample.dbctl.ok("doctor", "--output", "table", env={"COLUMNS": columns}).out
        assert "unit" not in shown
        assert "used" not in shown


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_on_a_terminal_the_advice_stands_below_what_was_measured(sample: Sample, columns: int) -> None:
    real = Dbctl(cwd=sample.dbctl.cwd, home=sample.dbctl.home, env=sample.database.env)
    lines = real.tty("doctor", columns=columns).plain.splitlines()
    assert lines[0].split() == ["level", "check", "measured"]
    assert max(map(len, lines)) <= columns
    place = lines[0].index("measured")
    [fix] = [line for line in lines if "→ statement_timeout = 30" in line]
    assert fix.index("→") == place
    assert not fix[:place].strip()
