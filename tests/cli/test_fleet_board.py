"""The table of what each of several profiles is at: on a terminal alone, and gone before anything else is written."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl

SLOW = """
import time
from sqlmodel import Session
from dbctl import report_progress

def slow(session: Session) -> None:
    session.connection()
    for step in range(5):
        time.sleep(0.2)
        report_progress(step, 5, "steps", "thinking")
"""
COUNT = 24
ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def fleet(dbctl: Dbctl) -> Dbctl:
    """Many databases, of which the last is not there, and a function that takes its time."""
    tables = [f'[profiles.p{number}]\nurl = "sqlite:///p{number}.db"\n' for number in range(COUNT)]
    (dbctl.cwd / "profiles.toml").write_text("".join(tables), encoding="utf-8")
    for number in range(COUNT - 1):
        (dbctl.cwd / f"p{number}.db").touch()
    (dbctl.cwd / "own.py").write_text(SLOW, encoding="utf-8")
    return dbctl


def screen_of(sent: str) -> list[str]:
    """Return the lines that are left of what a terminal was sent: it knows lines, the way up, and taking away."""
    lines, row = [""], 0
    for up, clear, end, text in re.findall(r"\x1b\[(\d+)A|(\x1b\[J)|(\r?\n)|((?:(?!\x1b\[\d*[AJ])[^\n])+)", sent):
        if up:
            row -= int(up)
        elif clear:
            del lines[row + 1 :]
            lines[row] = ""
        elif end:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] += text.replace("\r", "")
    return [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in lines if line.strip()]


def test_it_shows_what_fits_and_leaves_nothing(fleet: Dbctl) -> None:
    result = fleet.tty("--all", "--jobs", "12", "run", "--read-only", "own:slow", columns=70, rows=24)
    frames = [frame for frame in result.out.split("\x1b[J") if "seconds" in frame]
    assert len(frames) > 2, result.out
    drawn = [line for line in screen_of(frames[len(frames) // 2]) if not line.startswith("dbctl:")]
    assert max(map(len, drawn)) <= 70
    assert drawn[0].split() == ["profile", "state", "seconds", "last", "message"], drawn
    assert len(drawn) <= 13, drawn
    assert any("thinking: " in frame for frame in frames), result.out
    assert re.match(r"24 profiles: ", drawn[-1]), drawn
    left = screen_of(result.out)
    assert left[-1] == "dbctl: 24 profiles: 23 done, 1 failed (p23)", left
    assert len(left) == 2, left  # and the error of the one
    assert "\x1b[?" not in result.out


def test_results_are_written_where_it_was(fleet: Dbctl) -> None:
    (fleet.cwd / "own.py").write_text(SLOW.replace("-> None", "-> int") + "    return 7\n", encoding="utf-8")
    result = fleet.tty("--all", "--jobs", "12", "run", "--read-only", "own:slow", "-o", "csv", rows=60)
    left = screen_of(result.out)
    assert sorted(left) == sorted([
        "profile,value", *(f"p{number},7" for number in range(COUNT - 1)), *left[-1:],
        *(line for line in left if line.startswith("dbctl: error: profile p23")),
    ]), left  # fmt: skip
    piped = fleet("--all", "--jobs", "12", "run", "--read-only", "own:slow", "-o", "csv")
    assert (piped.err.count("\n"), "\x1b" in piped.err + piped.out) == (2, False), piped.err


def test_ctrl_c_leaves_the_screen_clean(fleet: Dbctl) -> None:
    result = fleet.tty("--all", "--jobs", "5", "run", "--read-only", "own:slow", keys=[("last message", "\x03")])
    left = screen_of(result.out)
    assert result.code == 130
    assert [line for line in left if not line.startswith(("dbctl:", "^C"))] == [], left
    assert "not begun" in left[-1]


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"DBCTL_LOG": "json"}, {"DBCTL_QUIET": "1"}])
def test_it_is_drawn_only_where_it_can_be(fleet: Dbctl, env: dict[str, str]) -> None:
    assert "last message" not in fleet.tty("-p", "p1*", "--jobs", "12", "run", "--read-only", "own:slow", env=env).out


@pytest.mark.parametrize(("end", "drawn"), [("| cat", False), ("> found", True)])
def test_it_is_not_drawn_over_what_another_program_writes(fleet: Dbctl, end: str, drawn: bool) -> None:
    words = shlex.join([*fleet.program, "-p", "p1*", "run", "--read-only", "own:slow", "-o", "jsonl"])
    result = replace(fleet, program=("/bin/sh", "-c", f"{words} {end}")).tty(env={"PYTHONPATH": ROOT})
    assert (result.code, "last message" in result.out) == (0, drawn), result.out
