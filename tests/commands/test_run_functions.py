"""What of `dbctl run package.module:function` is the same on every database: options, streams, what is no function."""

import json
import shlex
import signal
import subprocess
import time

import pytest

from tests.harness.cli import Dbctl
from tests.services.running import SERVICES, Service, line_of, lite

__all__ = ["lite"]


def test_its_parameters_are_options_with_help(lite: Service) -> None:
    help = lite.dbctl.ok("run", "fleet.seed:add", "--help").out
    assert help.startswith("Usage: dbctl run fleet.seed:add [OPTIONS]\n\nAdd ships.\n")
    assert "  --name TEXT    What their names begin with. [required]\n" in help
    assert "  --count N      How many there will be. [default: 1]\n" in help
    assert "Transaction options:" in help
    assert "More: dbctl help run" in help


def test_options_may_stand_before_its_name(lite: Service) -> None:
    lite.dbctl.ok("run", "--dry-run", "--lock-wait", "1", "fleet.seed:first")
    assert lite.ships == set()


def test_its_values_are_read_by_their_types(lite: Service) -> None:
    (lite.dbctl.cwd / "text").write_text("from a file")
    line = shlex.split("--when 2026-02-28 --price 2.75 --rig brig --tags a --tags b --path text --arg-url u --lazy")
    found = lite.dbctl.ok("run", "fleet.seed:kinds", *line, "--more", '{"a": 1}', "--json").json
    assert found == {
        "when": "2026-02-28",
        "price": "2.75",
        "rig": "brig",
        "tags": ["a", "b"],
        "more": {"a": 1},
        "text": "from a file",
        "url": "u",
        "lazy": True,
    }
    piped = lite.dbctl.ok("run", "fleet.seed:kinds", "--path", "-", "--json", stdin="piped")
    assert piped.json["text"] == "piped"
    assert piped.json["when"] == "2026-01-01"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--when soon", "'soon' is not a date, such as 2026-01-31"),
        ("--price much", "'much' is not a number"),
        ("--rig raft", "'raft' is not one of 'sloop', 'brig'"),
        ("--more {", "'{' is not JSON"),
        ("--nothing", "No such option: --nothing; see: "),
    ],
)
def test_a_value_that_does_not_fit_is_a_usage_error(lite: Service, option: str, reason: str) -> None:
    result = lite.dbctl("run", "fleet.seed:kinds", *option.split())
    assert (result.code, result.out) == (2, ""), str(result)
    assert reason in result.err.replace("option '--nothing'", "option: --nothing")  # as an older Typer quotes it
    assert result.err.endswith("; see: dbctl run fleet.seed:kinds --help\n")


def test_a_required_option_is_asked_for(lite: Service) -> None:
    result = lite.dbctl("run", "fleet.seed:add")
    assert result.code == 2
    assert "Missing option '--name'" in result.err


@pytest.mark.parametrize(
    ("target", "code", "reason"),
    [
        ("fleet.seed:frist", 2, 'fleet.seed:frist: there is no frist in fleet.seed; did you mean "first"?'),
        ("fleet.seed:NUMBER", 2, "fleet.seed:NUMBER: it is no function, but of the type int"),
        ("fleet.nowhere:add", 3, "fleet.nowhere:add: there is no module fleet.nowhere in "),
        ("fleet.seed:late", 3, "fleet.seed:late: its parameter session is no option: it is a Session"),
        ("fleet.seed:with_set", 3, "fleet.seed:with_set: its parameter numbers is annotated with a set"),
        ("fleet.seed:with_more", 3, "fleet.seed:with_more: its parameter *names can't be an option"),
        ("fleet.seed:bare", 3, "fleet.seed:bare: its first parameter session has no annotation"),
        ("fleet.seed:odd", 3, "fleet.seed:odd: its parameter what is annotated with "),
    ],
)
def test_what_is_no_function_to_be_run_is_told(lite: Service, target: str, code: int, reason: str) -> None:
    for more in ((), ("--help",)):
        result = lite.dbctl("run", target, *more)
        assert (result.code, result.out) == (code, ""), str(result)
        assert result.err.startswith(f"dbctl: error: {reason}")
        assert result.err.count("\n") == 1


def test_a_module_that_can_not_be_imported_is_told_with_its_line(lite: Service) -> None:
    (lite.dbctl.cwd / "broken.py").write_text("\nraise RuntimeError('not now')\n")
    result = lite.dbctl("run", "broken:main", "--app-dir", ".")
    assert result.code == 3
    assert result.err == (
        "dbctl: error: broken:main: broken can't be imported: RuntimeError: not now (broken.py, line 2)\n"
    )


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("mixed", "the result's rows have different columns, which only JSON can show"),
        ("unspeakable", "what it returned can't be shown: LookupError: no words ("),
    ],
)
def test_a_result_that_can_not_be_shown_says_that_the_work_is_done(lite: Service, function: str, reason: str) -> None:
    result = lite.dbctl("run", f"fleet.seed:{function}")
    assert result.code == 10, str(result)
    assert f"dbctl: error: {reason}" in result.err
    assert "the work is done: do not run it again" in result.err
    assert result.talk.count("\n") == 1
    assert lite.ships == {function.capitalize()}


def test_a_result_that_can_not_be_shown_of_what_is_rolled_back_is_no_such_thing(lite: Service) -> None:
    result = lite.dbctl("run", "fleet.seed:unspeakable", "--dry-run")
    assert result.code == 1, str(result)
    assert "what it returned can't be shown: LookupError: no words (" in result.err
    assert "the work is done" not in result.err
    assert lite.ships == set()


def test_callable_objects_and_partial_functions_are_run(lite: Service) -> None:
    lite.dbctl.ok("run", "fleet.seed:counting", "--name", "Object")
    lite.dbctl.ok("run", "fleet.seed:partly", "--tons", "3")
    assert lite.ships == {"Object", "Part0", "Part1"}
    help = lite.dbctl.ok("run", "fleet.seed:counting", "--help").out
    assert "Add a ship by an object." in help
    assert "Add ships." in lite.dbctl.ok("run", "fleet.seed:partly", "--help").out


def test_its_logging_and_what_it_prints_is_talk(lite: Service) -> None:
    program = Dbctl(cwd=lite.dbctl.cwd, home=lite.dbctl.home)  # the tests' own process has set up its logging
    result = program.ok("run", "fleet.seed:add", "--name", "Argo", "--json")
    assert [row["name"] for row in result.json] == ["Argo0"]
    assert "INFO:fleet.seed:adding 1\nto stdout\n" in result.err


def test_what_it_does_to_the_process_is_undone(lite: Service) -> None:
    result = lite.dbctl.ok("run", "fleet.seed:changes_the_process", "--json")
    assert result.json == {"value": "done"}
    assert "from a program\n" in result.err


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        ("mapping", {"ships": 3, "of": {"tons": [1, 2]}}),
        ("words", [{"value": "one"}, {"value": "two"}]),
        ("by_database", {"value": "lite"}),
        ("by_profile", {"value": "lite"}),
        ("by_nothing", {"value": 21}),
        ("drip", [{"number": 0}, {"number": 1}, {"number": 2}]),
        ("all_ships", []),
    ],
)
def test_what_it_returns_is_shown(lite: Service, function: str, shown: object) -> None:
    assert lite.dbctl.ok("run", f"fleet.seed:{function}", "--json").json == shown


def test_a_dry_run_says_that_it_is_one_in_its_result(lite: Service) -> None:
    result = lite.dbctl.ok("run", "fleet.seed:add", "--name", "Argo", "--dry-run", "--json")
    assert [row["committed"] for row in result.json] == [False]
    assert "dbctl: dry run: all of it is rolled back" in result.err
    assert lite.ships == set()


def test_what_it_yields_is_shown_as_it_comes_where_it_only_reads(lite: Service) -> None:
    line = ("run", "fleet.seed:drip", "--pause", "0.7", "--read-only", "--output", "jsonl")
    with lite.dbctl.spawn(*line) as process:
        assert process.stdout
        assert process.stderr
        began = time.monotonic()
        assert json.loads(process.stdout.readline()) == {"number": 0}
        assert time.monotonic() - began < 5
        assert process.poll() is None
        assert [json.loads(row) for row in process.stdout] == [{"number": 1}, {"number": 2}]
        assert process.stderr.read().decode().splitlines()[-3:] == ["at 0", "at 1", "at 2"]
    assert process.returncode == 0


def test_what_it_has_yielded_before_it_fails_is_shown(lite: Service) -> None:
    result = lite.dbctl("run", "fleet.seed:drip_and_fail", "--read-only", "--output", "jsonl")
    assert (result.code, result.out) == (1, '{"number": 0}\n'), str(result)
    assert "dbctl: error: LookupError: ran dry (" in result.talk


def test_a_word_at_its_exit_is_an_error(lite: Service) -> None:
    result = lite.dbctl("run", "fleet.seed:leave_saying")
    assert result.code == 1
    assert "dbctl: error: SystemExit: no wind (" in result.err


def test_the_place_is_that_of_the_service(lite: Service) -> None:
    result = lite.dbctl("run", "fleet.seed:fail", "--name", "Ghost")
    assert f"{SERVICES.name}/{line_of('seed', 'no harbour')})" in result.err


@pytest.mark.parametrize("function", ["fleet.seed:sleeps", "fleet.aio:sleeps"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_within_a_second(lite: Service, function: str, number: int, code: int) -> None:
    process = lite.dbctl.spawn("run", function, stdin=subprocess.DEVNULL)
    assert process.stderr
    while b"sleeping" not in process.stderr.readline():
        assert process.poll() is None
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert process.returncode == code
    assert b"dbctl: interrupted: what was not committed is rolled back" in err
    assert (b"woken" in err) == (function == "fleet.aio:sleeps")
    assert lite.ships == set()


def test_a_protected_profile_asks_first(lite: Service) -> None:
    file = lite.dbctl.cwd / "profiles.toml"
    file.write_text(file.read_text() + "protected = true\n")
    for function in ("fleet.seed:first", "fleet.seed:by_nothing"):
        assert lite.dbctl("run", function).code == 8
        lite.dbctl.ok("run", function, "--confirm", "lite")
    lite.dbctl.ok("run", "fleet.seed:all_ships", "--read-only")
    assert lite.ships == {"Argo"}
