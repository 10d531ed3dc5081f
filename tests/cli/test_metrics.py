"""`--metrics`: whichever way a command ends, the monitor is told, in a file that is whole at any time."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.monitor import SLOW, metrics
from tests.cli.own import define
from tests.cli.test_output import FIELDS
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

QUERY = ("query", "SELECT 1 AS one UNION SELECT 2")


@pytest.mark.parametrize("line", FIELDS)
def test_every_command_tells_how_it_ended(line: str, on_sample: Dbctl) -> None:
    began = time.time()
    result = on_sample(*line.split(), "--metrics", "nightly.prom")
    values, labels = metrics(on_sample.cwd / "nightly.prom")
    assert values["run_exit_code"] == result.code
    assert began <= values["run_timestamp_seconds"] + 0.001 <= time.time() + 0.001
    assert values["success_timestamp_seconds"] == (values["run_timestamp_seconds"] if result.code == 0 else 0)
    assert 0 < values["run_duration_seconds"] < time.time() - began + 0.001
    assert line.startswith(labels["command"])
    assert (labels["task"], "run_rows" in values) == ("nightly", result.code in {0, 6})


@pytest.mark.parametrize(
    ("args", "rows"),
    [
        (["query", "SELECT 1 AS one UNION SELECT 2"], 2),
        (["query", "SELECT 1 AS one UNION SELECT 2", "--quiet"], 2),
        (["query", "SELECT 1 WHERE 1 = 0"], 0),
        (["query", "UPDATE hero SET age = 1", "--write"], 2),
        (["query", "UPDATE hero SET age = 1; DELETE FROM transfer_log", "--write", "--json"], 3),
        (["query", "SELECT 1; SELECT 2 UNION SELECT 3", "--json"], 3),
        (["query", "SELECT 7", "--single"], 1),
        (["run", "ages.sql"], 3),
        (["heroes", "list"], 2),
        (["heroes", "list", "--json"], 2),
        (["heroes", "show", "Deadpond"], 1),
        (["teams", "add", "X"], 1),
        (["teams", "add", "X", "--quiet"], 1),
        (["exec", "--", "true"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_rows_are_those_that_were_returned_or_changed(args: list[str], rows: int | None, on_sample: Dbctl) -> None:
    (on_sample.cwd / "ages.sql").write_text("UPDATE hero SET age = 1; DELETE FROM transfer_log;")
    at = args.index("--") if "--" in args else len(args)
    on_sample.ok(*args[:at], "--metrics", "job.prom", *args[at:])
    assert metrics(on_sample.cwd / "job.prom")[0].get("run_rows") == rows


@pytest.mark.parametrize(
    ("args", "code", "command", "profile"),
    [
        (["query", "SELECT 1", "--nonsense"], 2, "query", "default"),
        (["query"], 2, "query", "default"),
        (["quer", "SELECT 1"], 2, "query", "default"),
        (["--log", "xml", "query", "SELECT 1"], 2, "query", "default"),
        (["-c", "nowhere.toml", "query", "SELECT 1"], 3, "query", ""),
        (["-p", "nowhere", "query", "SELECT 1"], 3, "query", "nowhere"),
        (["query", "SELECT x"], 1, "query", "default"),
        (["query", "SELECT 1", "--expect-none"], 6, "query", "default"),
        (["query", SLOW, "--deadline", "0.2"], 5, "query", "default"),
        (["--url", "mysql://u:s3cret@127.0.0.1:1/d", "query", "SELECT 1"], 4, "query", "--url"),
        (["query", "CREATE TABLE t(a)", "--write", "--dry-run"], 0, "query", "default"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_did_not_do_its_work_is_told_and_leaves_the_last_success(
    args: list[str], code: int, command: str, profile: str, dbctl: Dbctl
) -> None:
    (dbctl.cwd / "profiles.toml").write_text('[profiles.default]\nurl = "sqlite:///job.db"\n')
    dbctl.ok("init-tables", "--quiet")
    dbctl.ok(*QUERY, "--metrics", "job.prom")
    before, _ = metrics(dbctl.cwd / "job.prom")
    result = dbctl(*args, "--metrics", "job.prom")
    values, labels = metrics(dbctl.cwd / "job.prom")
    assert (result.code, values["run_exit_code"]) == (code, code), str(result)
    assert values["run_timestamp_seconds"] > before["run_timestamp_seconds"]
    kept = profile in {"default", ""}  # of another profile it is another job's
    assert values["success_timestamp_seconds"] == (before["success_timestamp_seconds"] if kept else 0)
    assert ("it was that of query on default" in result.err) == (not kept)
    assert labels == {"task": "job", "command": command, "profile": profile}
    assert "s3cret" not in (dbctl.cwd / "job.prom").read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_ends_it_is_told(number: signal.Signals, code: int, on_sample: Dbctl) -> None:
    with on_sample.popen("query", SLOW, "--metrics", "job.prom", "--log", "json") as process:
        assert process.stderr
        assert '"event": "start"' in process.stderr.readline()
        time.sleep(0.3)
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(10) == code
    assert metrics(on_sample.cwd / "job.prom")[0]["run_exit_code"] == code
    assert '"outcome": "interrupted"' in said


@pytest.mark.parametrize("args", [["ping"], ["query", "SELECT 1"]], ids=" ".join)
def test_a_signal_while_a_server_is_silent_is_told(args: list[str], dbctl: Dbctl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://app@127.0.0.1:{silent.getsockname()[1]}/d"
        line = ("--url", url, "--log", "json", *args, "--metrics", "job.prom")
        with dbctl.popen(*line) as process:
            silent.accept()
            process.send_signal(signal.SIGINT)
            process.communicate()
    assert process.returncode == 130
    values, labels = metrics(dbctl.cwd / "job.prom")
    assert (values["run_exit_code"], labels["profile"]) == (130, "--url")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_service_that_ends_in_good_order_is_told(number: signal.Signals, on_sample: Dbctl) -> None:
    with on_sample.popen("serve", "--port", "0", "--metrics", "job.prom", "--log", "json") as process:
        assert process.stderr
        assert any("is served on" in line for line in process.stderr)
        process.send_signal(number)
        process.communicate()
    values, labels = metrics(on_sample.cwd / "job.prom")
    assert (process.returncode, values["run_exit_code"], labels["command"]) == (0, 0, "serve")


def test_several_profiles_are_one_label(on_sample: Dbctl) -> None:
    with (on_sample.cwd / "profiles.toml").open("a") as file:
        file.write('[profiles.another]\nurl = "sqlite:///dev.db"\n')
    for args in (["-p", "spare", "-p", "another"], ["--all"], ["another", "spare"]):
        on_sample.ok("ping", *args, "--metrics", "job.prom")
        values, labels = metrics(on_sample.cwd / "job.prom")
        assert (labels["profile"], values["run_rows"]) == ("another,spare", 2)
    on_sample("ping", "-p", "spare", "-p", "nowhere", "--metrics", "missing.prom")
    assert metrics(on_sample.cwd / "missing.prom")[1]["profile"] == "nowhere,spare"


def test_a_run_that_leaves_the_work_to_another_is_no_success(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    on_server = dbctl.with_env(DBCTL_URL=postgres_database.url)
    nightly = ("query", "SELECT 1", "--lock", "nightly", "--metrics", "job.prom")
    on_server.ok(*nightly)
    before, _ = metrics(dbctl.cwd / "job.prom")
    with on_server.popen("query", "SELECT pg_sleep(30)", "--lock", "nightly", "--log", "json") as holder:
        assert _taken(postgres_database)
        assert on_server.ok(*nightly, "--skip-locked").out == ""
        skipped, _ = metrics(dbctl.cwd / "job.prom")
        assert on_server(*nightly).code == 7
        refused, _ = metrics(dbctl.cwd / "job.prom")
        holder.send_signal(signal.SIGTERM)
        holder.communicate()
    assert [skipped["run_exit_code"], refused["run_exit_code"]] == [0, 7]
    for after in (skipped, refused):
        assert after["success_timestamp_seconds"] == before["success_timestamp_seconds"]
        assert after["run_timestamp_seconds"] > before["run_timestamp_seconds"]


def _taken(database: TestDatabase) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if database.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"):
            return True
        time.sleep(0.05)
    return False


def test_a_reader_that_leaves_is_a_success(on_sample: Dbctl) -> None:
    endless = SLOW.replace("count(*)", "i")
    with on_sample.popen("query", endless, "--limit", "0", "--metrics", "job.prom") as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "i\n"
        process.stdout.close()
        assert (process.wait(10), process.stderr.read()) == (0, "")
    values, _ = metrics(on_sample.cwd / "job.prom")
    assert values["run_exit_code"] == 0
    assert values["success_timestamp_seconds"] == values["run_timestamp_seconds"]


def test_the_exit_code_of_a_program_is_told(on_sample: Dbctl) -> None:
    assert on_sample("exec", "--metrics", "job.prom", "--", "sh", "-c", "exit 42").code == 42
    values, labels = metrics(on_sample.cwd / "job.prom")
    assert (values["run_exit_code"], labels["command"]) == (42, "exec")


def test_a_services_own_function_and_command_are_told_by_their_names(own: Dbctl) -> None:
    define(own, "count_up", "def count_up(profile: Profile) -> Iterator[Found]:\n    yield from map(Found, range(5))\n")
    own.ok("count-up", "--metrics", "own.prom")
    values, labels = metrics(own.cwd / "own.prom")
    assert (labels["command"], values["run_rows"]) == ("count-up", 5)
    (own.cwd / "jobs.py").write_text("def nightly():\n    raise SystemExit(9)\n")
    assert own("run", "jobs:nightly", "--metrics", "own.prom").code == 9
    values, labels = metrics(own.cwd / "own.prom")
    assert (labels["command"], values["run_exit_code"]) == ("run jobs:nightly", 9)


def test_a_services_own_option_of_that_name_is_its_own(own: Dbctl) -> None:
    option = 'Annotated[str, typer.Option("{0}")]'
    log, file = option.format("--log"), option.format("--metrics")
    define(
        own,
        "mine",
        f"def mine(profile: Profile, to: {log}, of: {file}) -> list[Any]:\n    print(to, of)\n    return []\n",
    )
    assert own.ok("mine", "--log", "a", "--metrics", "b").err == "a b\n"
    assert not (own.cwd / "b").exists()


def test_labels_are_escaped(dbctl: Dbctl) -> None:
    name = 'p"\\n'
    (dbctl.cwd / "profiles.toml").write_text('[profiles.\'p"\\n\']\nurl = "sqlite:///job.db"\n')
    dbctl("-p", name, *QUERY, "--metrics", 'a"\\b.prom')
    _, labels = metrics(dbctl.cwd / 'a"\\b.prom')
    assert labels == {"task": 'a"\\b', "command": "query", "profile": name}


def test_a_name_that_is_no_text_is_escaped_as_the_format_has_it(dbctl: Dbctl) -> None:
    file = os.fsdecode(b"a\xff.prom")
    assert dbctl("ping", "--metrics", file).code == 2
    _, labels = metrics(dbctl.cwd / file)
    assert labels == {"task": "a\\udcff", "command": "", "profile": ""}
    assert 'task="a\\\\udcff"' in (dbctl.cwd / file).read_text()


def test_a_copy_of_a_file_has_its_own_name_also_where_nothing_was_run(on_sample: Dbctl) -> None:
    on_sample.ok(*QUERY, "--metrics", "job.prom")
    shutil.copy(on_sample.cwd / "job.prom", on_sample.cwd / "copy.prom")
    assert on_sample(*QUERY, "--nonsense", "--metrics", "copy.prom").code == 2
    assert metrics(on_sample.cwd / "copy.prom")[1] == {"task": "copy", "command": "query", "profile": "spare"}


@pytest.mark.parametrize(
    "line", [["run", "nowhere:nightly"], ["run", "jobs:missing"], ["run", "jobs:nightly", "--nonsense"]], ids=" ".join
)
def test_a_function_that_can_not_be_called_is_told_by_its_name(line: list[str], own: Dbctl) -> None:
    (own.cwd / "jobs.py").write_text("def nightly():\n    pass\n")
    result = own(*line, "--metrics", "own.prom", "--json")
    assert json.loads(result.err)["command"] == " ".join(line[:2])
    assert metrics(own.cwd / "own.prom")[1]["command"] == " ".join(line[:2])


def test_another_job_with_the_same_file_is_warned_of(on_sample: Dbctl) -> None:
    on_sample.ok("heroes", "list", "--metrics", "job.prom")
    result = on_sample("query", "SELECT x", "--metrics", "job.prom", "--quiet")
    assert result.err.splitlines()[1] == (
        "dbctl: --metrics job.prom: it was that of heroes list on spare; give each job a file of its own"
    )
    values, labels = metrics(on_sample.cwd / "job.prom")
    assert (values["success_timestamp_seconds"], labels["command"]) == (0, "query")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_collector_can_read_it_whatever_the_umask_is(umask: int, on_sample: Dbctl) -> None:
    path = on_sample.cwd / "job.prom"
    before = os.umask(umask)
    try:
        on_sample.ok(*QUERY, "--metrics", "job.prom")
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        path.chmod(0o640)
        on_sample.ok(*QUERY, "--metrics", "job.prom")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_it_is_replaced_as_a_whole_also_behind_a_link(on_sample: Dbctl) -> None:
    (on_sample.cwd / "there").mkdir()
    link = on_sample.cwd / "job.prom"
    link.symlink_to("there/real.prom")
    on_sample.ok(*QUERY, "--metrics", "job.prom")
    with (on_sample.cwd / "there" / "real.prom").open() as open_before:
        on_sample("query", "SELECT x", "--metrics", "job.prom")
        assert "dbctl_last_run_exit_code" in open_before.read()
    assert link.is_symlink()
    assert metrics(link)[0]["run_exit_code"] == 1
    assert os.listdir(on_sample.cwd / "there") == ["real.prom"]


@pytest.mark.parametrize(
    ("file", "code", "why"),
    [
        ("-", 2, "the collector reads only files *.prom"),
        ("", 2, "the collector reads only files *.prom"),
        ("/dev/full", 2, "the collector reads only files *.prom"),
        ("job.txt", 2, "the collector reads only files *.prom"),
        ("nowhere/job.prom", 3, "there is no directory"),
        ("dev.db/job.prom", 3, "there is no directory"),
        ("folder.prom", 3, "it is no file"),
        ("full.prom", 3, "it is no file"),
        ("other.prom", 3, "it holds something else than the metrics of a job of dbctl's"),
    ],
)
def test_a_file_that_will_not_do_is_refused_before_anything_is_done(
    file: str, code: int, why: str, on_sample: Dbctl
) -> None:
    (on_sample.cwd / "folder.prom").mkdir()
    (on_sample.cwd / "full.prom").symlink_to("/dev/full")
    (on_sample.cwd / "other.prom").write_text("node_load1 1\n")
    result = on_sample("teams", "add", "X", "--metrics", file)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(f"dbctl: error: --metrics {file}: {why}")
    assert result.err.count("\n") == 1
    assert "X" not in on_sample.ok("teams", "list").out
    assert (on_sample.cwd / "other.prom").read_text() == "node_load1 1\n"


def test_an_empty_file_is_taken(on_sample: Dbctl) -> None:
    (on_sample.cwd / "job.prom").touch(0o644)
    on_sample.ok(*QUERY, "--metrics", "job.prom")
    assert metrics(on_sample.cwd / "job.prom")[0]["run_rows"] == 2


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two pages."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    point = tmp_path / "disk"
    point.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", point], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode()}")
    yield point
    subprocess.run(["umount", point], check=True)


def test_a_disk_that_is_full_is_told_and_the_work_is_done(disk: Path, on_sample: Dbctl) -> None:
    file = disk / "job.prom"
    on_sample.ok(*QUERY, "--metrics", str(file))
    before = file.read_text()
    (disk / "rest").write_bytes(b"x" * 4096)
    result = on_sample.ok("teams", "add", "X", "--quiet", "--metrics", str(file))
    assert result.err == (
        f"dbctl: --metrics {file}: it can't be written: No space left on device; "
        "the exit code, 0, is the command's own\n"
    )
    assert "X" in on_sample.ok("teams", "list").out
    assert (file.read_text(), sorted(os.listdir(disk))) == (before, ["job.prom", "rest"])


def test_a_directory_that_can_not_be_written_is_refused(disk: Path, on_sample: Dbctl) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    result = on_sample("teams", "add", "X", "--metrics", str(disk / "job.prom"))
    assert (result.code, result.out) == (3, "")
    assert result.err == (
        f"dbctl: error: --metrics {disk}/job.prom: {disk} can't be written, where a new file takes the old one's "
        "place; nothing was run\n"
    )


def test_help_and_the_version_are_no_runs(on_sample: Dbctl) -> None:
    for args in (["--help"], ["--version"], ["ping", "--help"], []):
        on_sample.ok("--metrics", "job.prom", *args) if args else on_sample("--metrics", "job.prom")
        assert (on_sample.cwd / "job.prom").exists() == (not args)
