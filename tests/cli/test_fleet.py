"""One command on several profiles at once."""

import json
import re
import signal
import socket
import time
from typing import Any

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

NAMES = ("a", "b", "c")

_OWN = """
import time
from dataclasses import dataclass
from sqlalchemy import text
from sqlmodel import Session

@dataclass
class Count:
    heroes: int

def count(session: Session) -> Count:
    for _ in range(20):
        print("talk")
        time.sleep(0.005)
    session.execute(text("INSERT INTO hero (name, secret_name) VALUES ('Own', 'x')"))
    return Count(session.execute(text("SELECT count(*) FROM hero")).scalar_one())
"""


def profiles_of(dbctl: Dbctl, **more: str) -> None:
    tables = [f'[profiles.{name}]\nurl = "sqlite:///{name}.db"\ntags = ["tenant"]\n' for name in NAMES]
    others = [f"[profiles.{name}]\n{keys}\n" for name, keys in more.items()]
    (dbctl.cwd / "profiles.toml").write_text("\n".join([*tables, *others]), encoding="utf-8")


@pytest.fixture
def fleet(dbctl: Dbctl) -> Dbctl:
    """Three databases with the sample's tables, and a hero in the second."""
    profiles_of(dbctl)
    dbctl.ok("--all", "init-tables")
    dbctl.ok("-p", "b", "heroes", "add", "Deadpond", "--secret-name", "Dive Wilson")
    return dbctl


def last_line(result: Any) -> str:
    return str(result.err.splitlines()[-1])


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (["-p", "c", "-p", "a"], ["c", "a"]),
        (["-p", "[ab]", "-p", "a"], ["a", "b"]),
        (["--tag", "tenant"], ["a", "b", "c"]),
        (["--all"], ["a", "b", "c"]),
        (["-p", "b*"], ["b"]),
    ],
)
def test_several_are_named_by_names_patterns_and_tags(fleet: Dbctl, said: list[str], names: list[str]) -> None:
    found = fleet.ok(*said, "--jobs", "1", "query", "SELECT count(*) AS heroes FROM hero", "--json").json
    assert found == [{"profile": name, "heroes": int(name == "b")} for name in names]


@pytest.mark.parametrize("said", [["-p", "x*"], ["--tag", "nobody"], ["-p", "a", "-p", "nobody"]])
def test_what_names_none_is_refused_before_anything(fleet: Dbctl, said: list[str]) -> None:
    result = fleet(*said, "heroes", "add", "Other", "--secret-name", "x")
    assert (result.code, result.out) == (3, ""), str(result)
    assert fleet.ok("--all", "heroes", "list", "-o", "csv").out.count("Other") == 0


def test_each_format_has_the_profile_before_each_row(fleet: Dbctl) -> None:
    assert fleet.ok("--all", "heroes", "list", "-o", "csv").out.splitlines() == [
        "profile,id,name,age,team_id,team",
        "b,1,Deadpond,,,",
    ]
    assert [
        json.loads(line)["profile"] for line in fleet.ok("--all", "heroes", "list", "-o", "jsonl").out.split("\n")[:-1]
    ] == ["b"]
    described = fleet.ok("-p", "a", "-p", "b", "describe", "hero", "-o", "json").json
    assert sorted(one["profile"] for one in described) == ["a", "b"]
    assert {len(one["columns"]) for one in described} == {5}
    profiles_of(fleet, x='url = "sqlite:///x.db"', y='url = "sqlite:///y.db"')
    sql = fleet.ok("-p", "[xy]", "--jobs", "1", "init-tables", "--dry-run").out
    assert sql.index("-- x\n") < sql.index("CREATE TABLE") < sql.index("-- y\n")


def test_one_that_fails_leaves_the_others_and_the_worst_code_is_all_s(fleet: Dbctl) -> None:
    profiles_of(fleet, gone='url = "sqlite:///gone.db"', down='url = "postgresql://x@127.0.0.1:1/x"')
    fleet.ok("-p", "a", "query", "--write", "DROP TABLE hero")
    result = fleet("--all", "heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp", "-o", "csv")
    assert result.code == 1
    assert [line.split(",")[0] for line in sorted(result.out.splitlines())] == ["b", "c", "profile"]
    errors = [line for line in result.err.splitlines() if line.startswith("dbctl: error: ")]
    assert sorted(line.split()[3].rstrip(":") for line in errors) == ["a", "down", "gone"]
    assert last_line(result).startswith("dbctl: 5 profiles: ")
    assert "3 failed (a, gone, down)" in last_line(result)
    told = [json.loads(line) for line in fleet("--all", "heroes", "list", "--json").err.splitlines() if line[0] == "{"]
    assert sorted(one["profile"] for one in told if one["event"] == "error") == ["a", "down", "gone"]


def test_all_that_are_protected_are_confirmed_before_any_is_connected_to(fleet: Dbctl) -> None:
    profiles_of(
        fleet, prod='url = "sqlite:///p.db"\nprotected = true', other='url = "sqlite:///o.db"\nprotected = true'
    )
    line = ("-p", "a", "-p", "prod", "-p", "other", "init-tables")
    assert fleet(*line, "--confirm", "prod").code == 8
    assert "say --confirm=prod,other" in fleet(*line).err
    assert not (fleet.cwd / "p.db").exists()
    fleet.ok(*line, "--confirm", "prod,other")
    fleet.ok("-p", "p*", "init-tables", "--confirm", "p*")
    assert fleet.ok(*line, "--dry-run").code == 0


def test_a_canary_goes_first_and_so_many_failures_end_it(fleet: Dbctl) -> None:
    fleet.ok("-p", "b", "query", "--write", "DROP TABLE hero")
    add = ("heroes", "add", "Rusty-Man", "--secret-name", "x")
    result = fleet("--all", "--canary", "b", *add)
    assert (result.code, last_line(result)) == (1, "dbctl: 3 profiles: 2 not begun (a, c), 1 failed (b)")
    result = fleet("--all", "--canary", "2", *add)
    assert last_line(result) == "dbctl: 3 profiles: 1 done, 1 failed (b), 1 not begun (c)"
    result = fleet("--all", "--jobs", "1", "--max-failures", "1", *add)
    assert last_line(result) == "dbctl: 3 profiles: 1 done, 1 failed (b), 1 not begun (c)"
    assert fleet("--all", "--canary", "x", *add).code == 2
    assert fleet.ok("-p", "c", "heroes", "list", "-o", "csv").out.count("Rusty") == 0


def test_a_further_run_goes_on_where_one_has_ended(fleet: Dbctl) -> None:
    fleet.ok("-p", "b", "query", "--write", "ALTER TABLE hero RENAME TO elsewhere")
    add = ("heroes", "add", "Rusty-Man", "--secret-name", "x")
    line = ("--all", "--resume", "done.jsonl", *add)
    assert fleet(*line).code == 1
    fleet.ok("-p", "b", "query", "--write", "ALTER TABLE elsewhere RENAME TO hero")
    result = fleet.ok(*line)
    assert last_line(result) == "dbctl: 3 profiles: 2 left out, 1 done"
    assert [
        row["heroes"]
        for row in fleet.ok("--all", "--jobs", "1", "query", "SELECT count(*) AS heroes FROM hero", "--json").json
    ] == [1, 2, 1]
    assert fleet("--all", "--resume", "done.jsonl", "heroes", "add", "Other", "--secret-name", "x").code == 2
    with (fleet.cwd / "done.jsonl").open("a") as file:
        file.write('{"profile": "b", "comm')  # a run that was killed as it wrote
    assert last_line(fleet.ok(*line)) == "dbctl: 3 profiles: 3 left out"
    (fleet.cwd / "done.jsonl").write_text("what\n")
    assert fleet(*line).code == 2
    assert fleet("--all", "--resume", "nowhere/done.jsonl", *add).code == 3


def test_what_takes_one_profile_says_so(fleet: Dbctl) -> None:
    both = ("-p", "a", "-p", "b")
    for line in (
        (*both, "shell"),
        (*both, "profiles", "show"),
        (*both, "run", "-"),
        (*both, "backup", "create", "one.backup"),
        (*both, "backup", "create", "-"),
        (*both, "migrate", "history"),
        ("--all", "--url", "sqlite:///x.db", "doctor"),
        (*both, "query", "--write", "INSERT INTO team (name, headquarters) VALUES ('x', 'y') RETURNING id; SELECT 1"),
        ("-p", "a", "--canary", "a", "heroes", "list"),
        (*both, "ping", "--resume", "done.jsonl"),
        ("-p", "a", "-p", "b", "--resume", "/dev/null", "heroes", "list"),
        ("-p", "a", "-p", "b", "--canary", "0", "heroes", "list"),
    ):
        result = fleet(*line)
        assert (result.code, result.out) == (2, ""), str(result)
    assert fleet(*both, "query", "SELECT 1; SELECT 2").code == 2
    assert fleet.ok("--all", "teams", "list", "-o", "jsonl").out == ""
    profiles_of(fleet, odd='url = "sqlite:///o.db"\ntags = "tenant"')
    result = fleet("--tag", "tenant", "heroes", "list")
    assert (result.code, "allowed is a list of words" in result.err) == (3, True), str(result)


def test_no_part_is_taken_for_the_whole(fleet: Dbctl) -> None:
    """A header is there without a row; JSON is closed where all have their result, and not where one has failed."""
    assert fleet.ok("--all", "teams", "list", "-o", "csv").out == "profile,id,name,headquarters,heroes\n"
    assert fleet.ok("-p", "a", "-p", "c", "query", "SELECT name FROM hero", "-o", "tsv").out == "profile\tname\n"
    assert fleet.ok("--all", "teams", "list", "--json").json == []
    check = fleet("--all", "query", "SELECT name FROM hero", "--expect-none", "--json")
    assert (check.code, check.json) == (6, [{"profile": "b", "name": "Deadpond"}])
    profiles_of(fleet, gone='url = "sqlite:///gone.db"')
    result = fleet("--all", "heroes", "list", "--json")
    assert result.code == 4, str(result)
    assert result.out.startswith('[\n  {\n    "profile": "b"')
    assert result.out.endswith("  }\n")
    assert fleet("-p", "gone", "-p", "a", "teams", "list", "--json").out == ""
    assert json.loads(fleet("--all", "heroes", "list", "-o", "jsonl").out)["profile"] == "b"


def test_ping_takes_so_many_at_a_time(fleet: Dbctl) -> None:
    for line in (
        ("--all", "ping", "--jobs", "2"),
        ("ping", "--all", "--jobs", "1"),
        ("-p", "*", "--jobs", "9", "ping"),
    ):
        assert [row["profile"] for row in fleet.ok(*line, "--json").json] == list(NAMES)
    assert [row["profile"] for row in fleet.ok("-p", "b*", "ping", "--json").json] == ["b"]


def test_a_check_of_each_counts(fleet: Dbctl) -> None:
    for more in ("--expect-none", "--expect-rows=1"):
        result = fleet("--all", "query", "SELECT name FROM hero", more, "-o", "csv")
        assert result.code == 6, str(result)
        assert result.out == "profile,name\nb,Deadpond\n"
    assert "2 failed (a, c), 1 done" in result.err or "1 done, 2 failed (a, c)" in result.err, result.err


def test_output_that_is_lost_ends_no_work_that_is_begun(fleet: Dbctl) -> None:
    line = ("--all", "--resume", "done.jsonl", "heroes", "add", "Rusty-Man", "--secret-name", "x")
    with open("/dev/full", "wb") as full:
        process = fleet.spawn(*line, stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 10, err
    assert b"the work is done" in err
    assert b"3 done" in err
    assert last_line(fleet.ok(*line)) == "dbctl: 3 profiles: 3 left out"
    with open("/dev/full", "wb") as full:
        process = fleet.spawn("--all", "heroes", "list", stdout=full)
        process.communicate(timeout=30)
    assert process.returncode == 1


def test_a_function_that_ends_itself_has_failed(fleet: Dbctl) -> None:
    (fleet.cwd / "own.py").write_text(
        "def stop(session): raise KeyboardInterrupt\nfrom sqlmodel import Session\n"
        "stop.__annotations__ = {'session': Session}\n",
        encoding="utf-8",
    )
    result = fleet("--all", "run", "own:stop")
    assert (result.code, "3 failed" in result.err) == (130, True), str(result)


def test_of_one_file_name_each_has_a_backup_of_its_own(fleet: Dbctl) -> None:
    (fleet.cwd / "backups").mkdir()
    profiles_of(fleet, d='url = "sqlite:///a.db"', e='url = "sqlite:///a.db"')
    made = fleet.ok("-p", "[ade]", "backup", "create", "backups", "--keep", "2", "--json").json
    assert len({row["backup"] for row in made}) == 3


def test_columns_that_differ_are_for_json_alone(fleet: Dbctl) -> None:
    fleet.ok("-p", "b", "query", "--write", "CREATE TABLE more (one INT)")
    fleet.ok("-p", "a", "query", "--write", "CREATE TABLE more (one INT, two INT)")
    for name in ("a", "b"):
        fleet.ok("-p", name, "query", "--write", "INSERT INTO more (one) VALUES (1)")
    line = ("-p", "a", "-p", "b", "--jobs", "1", "query", "SELECT * FROM more")
    assert fleet.ok(*line, "--json").json == [{"profile": "a", "one": 1, "two": None}, {"profile": "b", "one": 1}]
    result = fleet(*line, "-o", "csv")
    assert (result.code, result.out) == (2, "profile,one,two\na,1,\n"), str(result)


def test_quiet_runs_all_of_it(fleet: Dbctl) -> None:
    result = fleet.ok("--all", "heroes", "add", "Rusty-Man", "--secret-name", "x", "--quiet")
    assert (result.out, result.err) == ("", "")
    assert fleet.ok("--all", "heroes", "list", "-o", "csv").out.count("Rusty") == 3


def test_many_rows_of_many_come_as_they_are_read(fleet: Dbctl) -> None:
    query = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) SELECT n FROM n"
    rows = fleet.ok("--all", "query", query, "-o", "csv").out.splitlines()
    assert len(rows) == 60_001
    assert len(set(rows)) == 60_001


def test_migrations_of_a_service_go_one_after_the_other(fleet: Dbctl) -> None:
    fleet.ok("-p", "a", "migrate", "init", "alembic")
    results = fleet("--all", "migrate", "current", "--json")
    assert results.code == 0, str(results)


def test_a_signal_ends_all_at_once_and_tells_of_each(fleet: Dbctl) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=99) as silent:  # nobody answers who is let in
        url = f'url = "postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x"'
        profiles_of(fleet, **{f"s{number}": url for number in range(9)})
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = fleet.popen("--all", "--jobs", "6", "query", "SELECT 1 AS n", "-o", "csv")
            with process:
                assert process.stdout
                rows = [process.stdout.readline() for _ in range(4)]
                process.send_signal(number)
                began = time.monotonic()
                _, err = process.communicate(timeout=20)
            assert (process.returncode, time.monotonic() - began < 3) == (code, True), err
            assert sorted(rows) == ["a,1\n", "b,1\n", "c,1\n", "profile,n\n"]
            counts = {state: int(number) for number, state in re.findall(r"(\d+) (done|interrupted|not begun)", err)}
            assert sum(counts.values()) == 12, err
            assert counts["interrupted"] >= 1, err  # a row may be seen before it is done
            assert counts["not begun"] >= 3, err


def test_a_service_s_own_function_talks_on_stderr_while_others_results_are_written(fleet: Dbctl) -> None:
    (fleet.cwd / "own.py").write_text(_OWN, encoding="utf-8")
    for _ in range(3):
        result = fleet.ok("--all", "run", "own:count", "-o", "csv")
        assert sorted(result.out.splitlines()) == ["a,1", "b,2", "c,1", "profile,heroes"]
        assert result.err.count("talk") == 3 * 20
        fleet.ok("--all", "query", "--write", "DELETE FROM hero WHERE name = 'Own'")


@pytest.mark.parametrize("server_database", ["postgresql"], indirect=True)
def test_the_lock_is_each_profile_s(server_database: TestDatabase, dbctl: Dbctl) -> None:
    """Two profiles of one database exclude each other; one of them leaves the work to the other."""
    toml = server_database.toml
    (dbctl.cwd / "profiles.toml").write_text(f"{toml}\n{toml.replace('[profiles.', '[profiles.x')}", encoding="utf-8")
    run = Forked(cwd=dbctl.cwd, home=dbctl.home, env={**server_database.env})
    result = run("--all", "query", "SELECT pg_sleep(1), 1 AS n", "--lock", "nightly", "--skip-locked", "--json")
    assert (result.code, len(result.json)) == (0, 1), str(result)
    assert "1 skipped (" in result.err
