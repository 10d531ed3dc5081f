"""What programs are told on stderr: with `--log json` all as objects, and under `--json` what is wrong."""

import json
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.monitor import SLOW, events
from tests.cli.test_output import FIELDS
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

ALWAYS = ["time", "event", "command", "profile"]
ERROR = [*ALWAYS, "code", "type", "message", "hint"]
END = [*ALWAYS, "outcome", "code", "seconds", "retries", "rows", "message"]


@pytest.mark.parametrize("line", FIELDS)
def test_every_command_says_nothing_but_objects(line: str, on_sample: Dbctl) -> None:
    result = on_sample(*line.split(), "--log", "json")
    said = events(result)
    assert [said[0]["event"], said[-1]["event"]] == ["start", "end"]
    assert list(said[-1]) == END
    assert (said[-1]["code"], said[-1]["outcome"]) == (result.code, "failed" if result.code else "done")
    for one in said:
        assert list(one)[:4] == ALWAYS
        assert line.startswith(one["command"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"])
    assert [list(one) for one in said if one["event"] == "error"] == ([ERROR] if result.code else [])


def test_stdout_is_as_it_was(on_sample: Dbctl) -> None:
    assert on_sample.ok("heroes", "list", "--log", "json").out == on_sample.ok("heroes", "list").out


def test_the_variable_says_it_too_and_text_goes_before_it(on_sample: Dbctl) -> None:
    in_json = on_sample.with_env(DBCTL_LOG="json")
    assert events(in_json("ping"))[0]["event"] == "start"
    assert in_json.ok("ping", "--log", "text").err == ""


@pytest.mark.parametrize("args", [["--log", "xml", "ping"], ["ping", "--log"]], ids=" ".join)
def test_another_form_is_a_usage_error(args: list[str], dbctl: Dbctl) -> None:
    assert dbctl(*args).code == 2


def test_a_variable_that_names_no_form_is_named(dbctl: Dbctl) -> None:
    result = dbctl("ping", env={"DBCTL_LOG": "xml"})
    assert (result.code, result.err) == (2, "dbctl: error: DBCTL_LOG=xml: allowed is text, json\n")


def test_quiet_leaves_only_what_is_wrong(on_sample: Dbctl) -> None:
    quiet = ("--log", "json", "--quiet")
    assert on_sample.ok("teams", "add", "X", *quiet).err == ""
    assert [one["event"] for one in events(on_sample("teams", "add", "X", *quiet))] == ["error"]


def test_what_is_written_says_where(on_sample: Dbctl) -> None:
    said = events(on_sample.ok("-p", "spare", "teams", "add", "X", "--log", "json"))
    (chosen,) = [one for one in said if one["event"] == "profile"]
    assert (chosen["profile"], chosen["place"], chosen["origin"]) == ("spare", "dev.db", None)
    assert (said[-1]["profile"], said[-1]["rows"]) == ("spare", 1)


def test_statements_are_events_without_secrets(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    on_server = dbctl.with_env(DBCTL_URL=postgres_database.url)
    sql = "CREATE ROLE x PASSWORD 's3cret'"
    said = events(on_server("query", sql, "--write", "--dry-run", "--echo", "--log", "json"))
    statements = [one["message"] for one in said if one["event"] == "statement"]
    assert any("CREATE ROLE" in one for one in statements)
    assert "s3cret" not in " ".join(statements)


def test_no_object_holds_the_password_of_a_url(dbctl: Dbctl) -> None:
    result = dbctl("--url", "mysql://u:s3cret@127.0.0.1:1/d", "ping", "--log", "json", "--debug")
    assert "s3cret" not in result.err
    (error,) = [one for one in events(result) if one["event"] == "error"]
    assert (error["code"], error["type"], error["profile"]) == (4, "ConnectError", "--url")
    assert error["traceback"].startswith("Traceback")


def test_a_lock_that_is_waited_for_is_told_with_its_holder(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    on_server = dbctl.with_env(DBCTL_URL=postgres_database.url)
    with on_server.popen("query", "SELECT pg_sleep(30)", "--lock", "nightly") as holder:
        while not postgres_database.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"):
            time.sleep(0.05)
        threading.Timer(1.0, holder.send_signal, [signal.SIGTERM]).start()
        said = events(on_server.ok("query", "SELECT 1", "--lock", "nightly", "--lock-wait", "20", "--log", "json"))
        holder.communicate()
    told = {one["event"]: one for one in said}
    assert (told["waiting"]["lock"], told["waiting"]["seconds"]) == ("nightly", 20)
    assert told["waiting"]["holder"] in told["waiting"]["message"]
    assert told["waited"]["seconds"] > 0.2


def test_what_is_run_again_is_told_and_counted(dbctl: Dbctl, own: Dbctl) -> None:
    (dbctl.cwd / "jobs.py").write_text(
        "import dbctl\nfrom dbctl.errors import Contention\ntimes = []\n\n"
        "@dbctl.writes(repeatable=True)\ndef again(session: 'dbctl.Database') -> None:\n"
        "    times.append(1)\n    if len(times) < 3:\n"
        "        error = Contention('a deadlock')\n        error.heals = True\n        raise error\n"
    )
    said = events(dbctl.ok("run", "jobs:again", "--retries", "5", "--log", "json"))
    assert [one["retry"] for one in said if one["event"] == "retry"] == [1, 2]
    assert (said[-1]["retries"], said[-1]["outcome"]) == (2, "done")
    assert dbctl.ok("run", "jobs:again", "--retries", "5", "--metrics", "job.prom", "--quiet").err == ""
    assert "dbctl_last_run_retries{" in (dbctl.cwd / "job.prom").read_text()
    assert (dbctl.cwd / "job.prom").read_text().rstrip().endswith(" 2")


def error_of(result: Any) -> dict[str, Any]:
    (line,) = result.err.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert list(found) == ERROR
    return found


@pytest.mark.parametrize("form", [["--json"], ["-o", "json"], ["--output=jsonl"]], ids=" ".join)
@pytest.mark.parametrize(
    ("args", "code", "kind", "hint"),
    [
        (["heroes", "show", "Nobody"], 1, "NotFound", "dbctl heroes list shows all"),
        (["heroes", "show"], 2, "UsageError", "see: dbctl heroes show --help"),
        (["heroes"], 2, "UsageError", "see: dbctl heroes --help"),
        (["heroes", "list", "--nonsense"], 2, "UsageError", "see: dbctl heroes list --help"),
        (["nonsense"], 2, "UsageError", "see: dbctl --help"),
        (["-p", "nowhere", "ping"], 3, "ConfigError", None),
        (["--url", "mysql://u@127.0.0.1:1/d", "ping"], 4, "ConnectError", None),
        (["query", SLOW, "--deadline", "0.2"], 5, "OutOfTime", None),
        (["query", "SELECT 1", "--expect-none"], 6, "CheckFailed", None),
        (["drop-database"], 8, "ConfirmationNeeded", "say --confirm=dev.db"),
        (["drop-tables", "--confirm", "x", "-p", "guarded"], 8, "ConfirmationNeeded", "say --confirm=guarded"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_one_object_where_results_are(
    args: list[str], code: int, kind: str, hint: str | None, form: list[str], on_sample: Dbctl
) -> None:
    with (on_sample.cwd / "profiles.toml").open("a") as file:
        file.write('[profiles.guarded]\nurl = "sqlite:///dev.db"\nprotected = true\n')
    args = args if "-p" in args or "--url" in args else ["--url", "sqlite:///dev.db", *args]
    result = on_sample(*args, *form)
    said = [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]
    assert [list(one) for one in said] == [ERROR], str(result)
    assert (result.code, said[0]["code"], said[0]["type"], said[0]["event"]) == (code, code, kind, "error")
    assert hint is None or hint.partition(" ")[2] in (said[0]["hint"] or "")


@pytest.mark.parametrize(("number", "code", "kind"), [(2, 130, "Interrupted"), (15, 143, "Terminated")])
def test_a_signal_is_an_object_too(number: int, code: int, kind: str, on_sample: Dbctl) -> None:
    with on_sample.popen("query", SLOW, "--json", "--log", "json") as process:
        assert process.stderr
        process.stderr.readline()
        time.sleep(0.3)
        process.send_signal(number)
        said = [json.loads(line) for line in process.stderr]
    assert [(one["event"], one["code"]) for one in said] == [("error", code), ("end", code)]
    assert said[0]["type"] == kind


def test_a_failure_in_csv_and_in_a_pipe_is_a_line_as_ever(on_sample: Dbctl) -> None:
    for form in ([], ["-o", "csv"], ["-o", "tsv"], ["-o", "table"]):
        assert on_sample("heroes", "show", "Nobody", *form).err.startswith("dbctl: error: there is no hero")


def test_what_a_value_holds_is_one_line_and_moves_no_terminal(on_sample: Dbctl) -> None:
    name = "a\x1b[2J\n\u202eb"
    result = on_sample("heroes", "show", name, "--json")
    assert result.err.isascii()
    assert name in error_of(result)["message"]


def test_several_findings_are_one_object(dbctl: Dbctl, tmp_path: Path) -> None:
    (dbctl.cwd / "profiles.toml").write_text('[profiles.a]\nurl = "sqlite:///a.db"\nports = 1\ncolour = 2\n')
    assert dbctl("ping").err.count("dbctl: error: ") >= 2
    assert len(error_of(dbctl("ping", "--json"))["message"].splitlines()) >= 2
