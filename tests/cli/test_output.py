"""One result, five ways to write it: each says the same, and each field keeps its name."""

import csv
import io
import json
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.cli.commands import WITH_RESULT
from tests.harness.cli import Dbctl
from tests.migrations.service import Service

HERO = ["id", "name", "age", "team_id", "team"]
TEAM = ["id", "name", "headquarters", "heroes"]
TRANSFER = ["id", "hero_id", "hero", "from_team_id", "from_team", "to_team_id", "to_team", "at"]
SPREAD = ["count", "min_ms", "median_ms", "p95_ms", "p99_ms", "max_ms"]
PING = ["profile", "server", "version", "user", "database", "host", "port", "role", "encrypted", "tls", "connect_ms",
        "round_trip_ms"]  # fmt: skip
PING_ROW = [*PING, "round_trips", "stages", "failed_stage", "error"]
LIMITS = ["pool", "size", "max_overflow", "timeout_s", "recycle_s", "pre_ping", "workers", "connections"]
LOAD = ["concurrency", "duration_s", "checkouts", "checkout", "connections_opened", "connect", "most_in_use",
        "overflow_used", "timeouts", "work", "rate", "per_second", "usage", "connections_closed", "recycled",
        "unserved", "cut"]  # fmt: skip
TAILED = [*SPREAD[:-1], "p999_ms", "max_ms"]
USAGE = ["in_use", "in_use_by_user", "limit", "headroom", "narrowest"]

SETTING_UP = ["step", "state", "seconds"]
ACTIVITY = ["at", "session", "state", "seconds", "transaction_seconds", "waits_for", "blocked_by", "suspects", "root",
            "user", "database", "application", "client", "statement"]  # fmt: skip
KILLED = ["session", "action", "gone", "blocks", "state", "seconds", "user", "database", "application", "client",
          "statement"]  # fmt: skip

# Scripts read these names: whoever changes one breaks them.
FIELDS = {
    "activity": ACTIVITY,
    "backup create x.backup": [
        *("backup", "database", "server", "snapshot", "bytes", "tables", "rows", "seconds", "sha256", "removed"),
    ],
    "backup list .": [
        *("backup", "database", "server", "age", "size", "rows", "verified", "profile", "contents", "snapshot"),
        *("age_s", "bytes"),
    ],
    "create-database": ["database", "state"],
    "drop-database --confirm dev.db": ["database", "state"],
    "reset --confirm dev.db": SETTING_UP,
    "setup": SETTING_UP,
    "describe hero": [
        *("schema", "table", "kind", "rows", "estimated", "data", "size_of_indexes", "comment", "data_bytes"),
        *("index_bytes", "columns", "indexes", "constraints", "referenced_by", "triggers", "partitions", "drift"),
    ],
    "doctor": ["level", "check", "measured", "value", "limit", "used", "unit", "why", "fix"],
    "drift": ["table", "part", "drift", "models", "database"],
    "drop-tables": ["table", "state"],
    "export hero x.csv": ["table", "file", "rows", "bytes", "seconds", "sha256"],
    "fleet drift -p development": [
        *("profile", "alike", "table", "part", "drift", "reference", "found", "code", "profiles", "error"),
    ],
    "heroes add X --secret-name Y": HERO,
    "heroes list": HERO,
    "help": ["topic", "about"],
    "help heroes show": ["command", "text"],
    "help locks": ["topic", "about", "text"],
    "heroes remove Deadpond": HERO,
    "heroes show Deadpond": [*HERO, "secret_name"],
    "heroes update Deadpond --age 3": HERO,
    "init-tables": ["table", "state"],
    "ping": [*PING, "round_trips", "stages"],
    "ping development": PING_ROW,
    "pool-stats --duration 0.1": ["profile", "limits", "run", "server", "peak", "after", "verdict"],
    "pool-stats --duration 0.1 --sweep 1,2": [
        *("size", "per_second", "wait_median_ms", "wait_p99_ms", "usage_ms", "in_use", "most_in_use", "timeouts"),
        *("unserved", "knee"),
    ],
    "profiles add X sqlite://": ["name", "default", "file"],
    "profiles check": ["profile", "url", "server", "error"],
    "profiles default": ["default", "file"],
    "profiles edit": ["file", "changed"],
    "profiles import url sqlite:// --as X": ["name", "source", "file"],
    "profiles list": ["name", "default", "url", "origin", "error"],
    "profiles path": ["path", "exists"],
    "profiles remove spare": ["name", "file"],
    "profiles set spare workers=2": ["profile", "key", "value", "file"],
    "profiles show": ["key", "value", "origin"],
    "query SELECT/**/name/**/FROM/**/hero": ["name"],
    "tables": [
        *("schema", "table", "kind", "rows", "estimated", "data", "indexes", "data_bytes", "index_bytes", "comment"),
    ],
    "teams add X": TEAM,
    "teams list": TEAM,
    "teams remove Empty": TEAM,
    "transfer Spider-Boy --from Z-Force --to Preventers": TRANSFER,
    "transfers list": TRANSFER,
}
SEVERAL = (
    "activity",
    "doctor",
    "drift",
    "drop-tables",
    "export",
    "fleet drift",
    "help",
    "init-tables",
    "ping development",
    "pool-stats --duration 0.1 --sweep",
    "profiles show",
    "profiles set",
    "profiles check",
    "profiles path",
    "profiles import",
    "query",
    "reset",
    "setup",
    "tables",
)
# These need a service: one with an alembic, and what a function of it returns is its own.
APPLIED = ["revision", "description", "seconds"]
MIGRATING = {
    "migrate check": ["pending", "description"],
    "migrate upgrade": APPLIED,
    "migrate current": ["revision", "description", "state"],
    "migrate downgrade base": APPLIED,
    "migrate stamp head": APPLIED,
    "migrate alembic history": ["text"],
}
A_SERVICES_OWN = {("run",)}
# These need a backup.
OF_A_BACKUP = {
    "backup verify x.backup": ["backup", "database", "on", "tables", "rows", "seconds", "findings"],
    "restore x.backup --into other.db": ["database", "backup", "snapshot", "tables", "rows", "seconds", "before"],
}
# These need a file.
IMPORTED = ["table", "rows", "skipped", "rejected"]
OF_A_FILE = {"import new.csv hero": IMPORTED, "heroes import new.csv": IMPORTED}
# This needs another database.
COPIED = {"copy hero team --from development --to other --create": ["table", "rows", "seconds", "verified"]}
# SQLite, on which the others are asked for, has neither; their own tests say what they return.
ON_SERVERS = {("create-role",), ("kill",), ("topology",)}
LISTS = [line for line in FIELDS if "list" in line or line.startswith(SEVERAL)]
# What a row is written as when there is none.
EMPTY = {"heroes list": HERO, "teams list": TEAM, "transfers list": TRANSFER}


@pytest.mark.parametrize("line", FIELDS)
def test_json_has_the_fields_that_scripts_were_promised(line: str, on_sample: Dbctl) -> None:
    if line == "drift":
        pytest.importorskip("alembic.runtime.plugins")  # which the oldest alembic lacks
    found = on_sample.ok(*line.split(), "--json").json
    assert isinstance(found, list) == (line in LISTS)
    for row in found if isinstance(found, list) else [found]:
        assert list(row) == FIELDS[line]


def test_every_result_has_its_fields_promised() -> None:
    lines = [tuple(line.split()) for line in [*FIELDS, *MIGRATING, *OF_A_BACKUP, *OF_A_FILE, *COPIED]]
    lacking = {words for words in WITH_RESULT if not any(line[: len(words)] == words for line in lines)}
    assert lacking == A_SERVICES_OWN | ON_SERVERS


def test_migrations_have_the_fields_that_scripts_were_promised(on_sample: Dbctl) -> None:
    Service.make(on_sample.cwd, "generic", "shop")
    for line, fields in MIGRATING.items():
        rows = on_sample("--json", *line.split()).json
        assert {tuple(row) for row in rows} == {tuple(fields)}, line


def test_what_is_done_with_a_backup_has_the_fields_that_scripts_were_promised(on_sample: Dbctl) -> None:
    on_sample.ok("backup", "create", "x.backup")
    assert len(on_sample.ok("backup", "list", ".", "--json").json) == 1
    for line, fields in OF_A_BACKUP.items():
        assert list(on_sample.ok(*line.split(), "--json").json) == fields, line


def test_what_is_read_from_a_file_has_the_fields_that_scripts_were_promised(on_sample: Dbctl) -> None:
    (on_sample.cwd / "new.csv").write_text("name,secret_name\nNew,N\n")
    for line, fields in OF_A_FILE.items():
        assert list(on_sample.ok(*line.split(), "--json").json) == fields, line
    (on_sample.cwd / "moves.csv").write_text("hero,from,to\nSpider-Boy,Z-Force,Preventers\n")
    assert on_sample.ok("transfer", "--file", "moves.csv", "--json").json == {"moves": 1, "heroes": 1}


def test_a_copy_has_the_fields_that_scripts_were_promised(on_sample: Dbctl) -> None:
    with closing(sqlite3.connect(on_sample.cwd / "other.db")) as other:
        other.execute("CREATE TABLE there (id INTEGER)")
    with (on_sample.cwd / "profiles.toml").open("a") as file:
        file.write('[profiles.other]\nurl = "sqlite:///other.db"\n')
    for line, fields in COPIED.items():
        assert [list(row) for row in on_sample.ok(*line.split(), "--json").json] == [fields] * 2


@pytest.mark.parametrize("line", ["heroes add X --secret-name Y", "teams add X", "heroes remove Deadpond"])
def test_a_dry_run_says_that_nothing_is_committed(line: str, on_sample: Dbctl) -> None:
    found = on_sample.ok(*line.split(), "--json", "--dry-run").json
    assert list(found) == [*FIELDS[line], "committed"]
    assert found["committed"] is False


def test_a_dry_run_of_init_tables_has_the_statements(dbctl: Dbctl) -> None:
    rows = dbctl.ok("init-tables", "--dry-run", "--json").json
    assert [list(row) for row in rows if "CREATE TABLE" in row["sql"]] == [["sql", "committed"]] * 3


def test_nested_fields_have_the_names_that_scripts_were_promised(on_sample: Dbctl) -> None:
    assert list(on_sample.ok("ping", "--count", "3", "--json").json["round_trips"]) == SPREAD
    stats = on_sample.ok("pool-stats", "--duration", "0.1", "--json").json
    assert (list(stats["limits"]), list(stats["run"])) == (LIMITS, LOAD)
    assert [list(stats["run"][name]) for name in ("checkout", "connect", "usage")] == [TAILED] * 3


def test_a_servers_fields_have_the_names_that_scripts_were_promised(
    on_database: Dbctl, request: pytest.FixtureRequest
) -> None:
    stats = on_database("pool-stats", "--duration", "0.1", "--json")
    if "sqlite" in request.node.name:
        assert stats.code == 4  # there is no file yet
    else:
        assert list(stats.json["server"]) == USAGE


@pytest.fixture
def awkward(on_sample: Dbctl) -> Dbctl:
    """Values that tempt each format to break."""
    names = ['a,b;"c"', "two\nlines", "tab\there", "back\\slash \\n", "cr\r\nlf", " spaces ", "", "'", "=1+1", "null"]
    with sqlite3.connect(on_sample.cwd / "dev.db") as connection:
        rows = [(name, "s", 2**31 if name == "null" else None) for name in names]
        connection.executemany("INSERT INTO hero (name, secret_name, age) VALUES (?, ?, ?)", rows)
    connection.close()
    return on_sample


COMPARED = ["heroes list", "heroes show Spider-Boy", "teams list", "transfers list", "profiles list", "init-tables"]


def as_text(value: Any) -> str:
    """Return a value as the flat formats write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def unescaped(cell: str) -> str:
    escapes = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
    return re.sub(r"\\([tnr\\])", lambda match: escapes[match[1]], cell)


@pytest.mark.parametrize("line", COMPARED)
def test_each_format_says_what_json_says(line: str, awkward: Dbctl) -> None:
    found = awkward.ok(*line.split(), "--json").json
    rows = found if isinstance(found, list) else [found]
    texts = [{key: as_text(value) for key, value in row.items()} for row in rows]

    lines = awkward.ok(*line.split(), "--output", "jsonl").lines
    assert [json.loads(text) for text in lines] == rows

    written = awkward.ok(*line.split(), "--output", "csv").out
    assert list(csv.DictReader(io.StringIO(written, newline=""))) == texts

    separated = awkward.ok(*line.split(), "--output", "tsv")
    if isinstance(found, list):
        assert [{key: unescaped(cell) for key, cell in row.items()} for row in separated.rows] == texts
    else:
        pairs = [text.split("\t") for text in separated.lines]
        assert [{key: unescaped(cell) for key, cell in pairs}] == texts


@pytest.mark.parametrize("line", ["ping --count 3", "pool-stats --duration 0.1"])
def test_nested_fields_have_dotted_names_in_flat_formats(line: str, on_sample: Dbctl) -> None:
    def dotted(value: dict[str, Any], prefix: str = "") -> list[str]:
        parts = [
            dotted(item, f"{prefix}{key}.") if isinstance(item, dict) else [prefix + key] for key, item in value.items()
        ]
        return [key for part in parts for key in part]

    names = dotted(on_sample.ok(*line.split(), "--json").json)
    assert [text.partition("\t")[0] for text in on_sample.ok(*line.split(), "-o", "tsv").lines] == names
    header, *values = csv.reader(io.StringIO(on_sample.ok(*line.split(), "-o", "csv").out))
    assert (header, [len(row) for row in values]) == (names, [len(names)])


@pytest.mark.parametrize("line", EMPTY)
def test_an_empty_list_has_a_header(line: str, dbctl: Dbctl) -> None:
    dbctl.ok("init-tables")
    names = EMPTY[line]
    assert dbctl.ok(*line.split(), "-o", "tsv").out == "\t".join(names) + "\n"
    assert dbctl.ok(*line.split(), "-o", "csv").out == ",".join(names) + "\n"
    assert dbctl.ok(*line.split(), "-o", "json").json == []
    assert dbctl.ok(*line.split(), "-o", "jsonl").out == ""
    header = dbctl.ok(*line.split(), "-o", "table").lines[0]
    assert re.split(r" {2,}", header) == [name.replace("_", " ") for name in names]


def test_no_statement_is_no_line(on_sample: Dbctl) -> None:
    # As in `dbctl init-tables --dry-run | psql`: there is nothing to create.
    assert on_sample.ok("init-tables", "--dry-run").out == ""


@pytest.mark.parametrize("output", ["table", "json", "jsonl", "csv", "tsv"])
def test_the_format_can_be_asked_for_by_option_and_by_variable(output: str, dbctl: Dbctl) -> None:
    asked = dbctl.ok("profiles", "list", "--output", output)
    assert dbctl.ok("profiles", "list", "-o", output).out == asked.out
    assert dbctl.ok("profiles", "list", env={"DBCTL_OUTPUT": output}).out == asked.out
    other = "csv" if output == "json" else "json"
    assert dbctl.ok("profiles", "list", "-o", output, env={"DBCTL_OUTPUT": other}).out == asked.out


def test_json_has_an_option_of_its_own(dbctl: Dbctl) -> None:
    assert dbctl.ok("profiles", "list", "--json").out == dbctl.ok("profiles", "list", "-o", "json").out
    assert dbctl.ok("profiles", "list", "--json", env={"DBCTL_OUTPUT": "csv"}).json


@pytest.mark.parametrize("named", ["xml", "JSON", " json"])
def test_an_unknown_format_is_refused_before_anything_is_done(named: str, on_sample: Dbctl) -> None:
    by_variable = on_sample("teams", "add", "New", env={"DBCTL_OUTPUT": named})
    assert (by_variable.code, by_variable.out) == (2, "")
    expected = f"dbctl: error: DBCTL_OUTPUT={named}: allowed is table, json, jsonl, csv, tsv\n"
    assert by_variable.err == expected
    by_option = on_sample("teams", "add", "New", "-o", named)
    assert (by_option.code, by_option.out) == (2, "")
    assert "'table', 'json', 'jsonl', 'csv', 'tsv'" in by_option.err
    assert [team["name"] for team in on_sample.ok("teams", "list", "--json").json] == ["Preventers", "Z-Force", "Empty"]


def test_an_empty_variable_is_as_good_as_none(dbctl: Dbctl) -> None:
    assert dbctl.ok("profiles", "list", env={"DBCTL_OUTPUT": ""}).out == dbctl.ok("profiles", "list").out


def test_a_pipe_gets_tab_separated_text_and_a_terminal_a_table(on_sample: Dbctl) -> None:
    assert on_sample.ok("teams", "list").out == on_sample.ok("teams", "list", "-o", "tsv").out
    shown, asked = on_sample.tty("teams", "list"), on_sample.ok("teams", "list", "-o", "table")
    assert shown.plain == asked.out
    assert "─────" in shown.plain
    assert on_sample.tty("teams", "list", "-o", "json").json == on_sample.ok("teams", "list", "--json").json


def test_times_are_utc_and_say_so(on_sample: Dbctl) -> None:
    [row] = on_sample.ok("transfers", "list", "--json").json
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", row["at"])
