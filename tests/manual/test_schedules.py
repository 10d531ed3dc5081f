"""The schedules of the page on automation, and what the one on monitoring names: parsed, verified, and run."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import dbctl
from dbctl import errors
from dbctl.cli.metrics import _MEANINGS
from tests.cli.monitor import events, metrics
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.manual.examples import ROOT, blocks, text_of

CRONTAB = [line for _, text in blocks("automation", "cron") for line in text.splitlines() if " cd " in line]
UNITS = {text.splitlines()[0].removeprefix("# "): text for _, text in blocks("automation", "ini")}
DOCUMENTS: Mapping[str, Any] = {
    document.get("kind") or ("Workflow" if "jobs" in document else "Compose"): document
    for document in (yaml.safe_load(text) for _, text in blocks("automation", "yaml"))
}
COLLECTED = "/var/lib/prometheus/node-exporter"
JOBS = "def nightly():\n    return None\n"


def commands(document: Any) -> Iterator[Sequence[str]]:
    """Yield the lines of dbctl's that a document runs, wherever they stand in it, as words."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key == "command":
                yield value
            elif key == "run" and str(value).startswith("dbctl "):
                yield shlex.split(value)
            else:
                yield from commands(value)
    elif isinstance(document, list):
        for one in document:
            yield from commands(one)


@pytest.fixture
def production(dbctl: Dbctl, postgres_database: TestDatabase) -> Dbctl:
    """Dbctl beside a profile production, which is protected, on a server, and a service's own function."""
    table = postgres_database.toml.partition("]\n")[2]
    (dbctl.cwd / "profiles.toml").write_text(f"[profiles.production]\nprotected = true\n{table}")
    (dbctl.cwd / "app").mkdir()
    (dbctl.cwd / "app" / "__init__.py").touch()
    (dbctl.cwd / "app" / "jobs.py").write_text(JOBS)
    (dbctl.cwd / "collected").mkdir()
    return dbctl.with_env(**postgres_database.env)


@pytest.mark.parametrize("line", CRONTAB)
def test_a_line_of_cron_runs_in_crons_own_environment(line: str, production: Dbctl) -> None:
    """It is what crontab(5) says: HOME, LOGNAME, a short PATH, and /bin/sh; a percent sign would end the line."""
    schedule, command = re.match(r"((?:\S+ +){5})(.*)", line).groups()  # type: ignore[union-attr]
    assert len(schedule.split()) == 5
    assert "%" not in command
    bin = production.cwd / ".venv" / "bin"
    bin.mkdir(parents=True)
    program = bin / "dbctl"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
                       "from dbctl.cli.main import main\nmain()\n")  # fmt: skip
    program.chmod(0o755)
    collected = production.cwd / "collected"
    here = command.replace("/srv/shop", str(production.cwd)).replace(COLLECTED, str(collected))
    secrets = [f"{name}={value}" for name, value in production.env.items()]  # where the page has a file
    words = [
        "env",
        "-i",
        f"HOME={production.home}",
        "LOGNAME=shop",
        "PATH=/usr/bin:/bin",
        *secrets,
        "/bin/sh",
        "-c",
        here,
    ]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "dbctl" not in done.stderr
    (file,) = collected.iterdir()
    assert metrics(file)[0]["run_exit_code"] == 0


def test_systemd_takes_the_units(production: Dbctl, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    assert set(UNITS) == {"shop-nightly.service", "shop-nightly.timer"}
    for name, text in UNITS.items():
        (tmp_path / name).write_text(
            text.replace("/srv/shop/.venv/bin/dbctl", "/bin/true").replace("/srv/shop", "/srv")
        )
    files = [str(tmp_path / name) for name in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "shop-nightly" in line]
    assert (done.returncode, said) == (0, [])


def test_the_line_of_the_unit_runs(production: Dbctl) -> None:
    service = UNITS["shop-nightly.service"]
    line = re.search(r"^ExecStart=(.*)$", service, re.MULTILINE)[1]  # type: ignore[index]
    words = shlex.split(line.replace(COLLECTED, str(production.cwd / "collected")))[1:]
    said = events(production.ok(*words, env={"DBCTL_LOG": "json"}))
    assert (said[-1]["outcome"], said[-1]["profile"]) == ("done", "production")
    seconds = float(re.search(r"^TimeoutStartSec=(.*)$", service, re.MULTILINE)[1])  # type: ignore[index]
    assert seconds > float(words[words.index("--deadline") + 1])
    assert metrics(production.cwd / "collected" / "shop-nightly.prom")[1]["command"] == "run app.jobs:nightly"


@pytest.mark.parametrize("kind", ["CronJob", "Deployment", "Workflow", "Compose"])
def test_the_lines_of_a_document_run(kind: str, production: Dbctl, postgres_database: TestDatabase) -> None:
    found = list(commands(DOCUMENTS[kind]))
    assert found
    for program, *words in found:
        assert program == "dbctl"
        env = {"DBCTL_LOG": "json"}
        if "-p" not in words:
            env["DATABASE_URL"] = postgres_database.url
            (production.cwd / "profiles.toml").unlink(missing_ok=True)
        assert events(production.ok(*words, env=env))[-1]["outcome"] == "done"


def test_kubernetes_is_told_of_the_right_container_and_of_codes_that_do_not_heal() -> None:
    job = DOCUMENTS["CronJob"]["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    (rule,) = job["podFailurePolicy"]["rules"]
    codes = rule["onExitCodes"]
    assert (codes["containerName"], job["template"]["spec"]["restartPolicy"]) == (container["name"], "Never")
    from dbctl.cli.exits import ExitCode

    assert set(codes["values"]) == {code.value for code in ExitCode} - {0, 4, 5, 7, 130, 143}
    command = container["command"]
    assert job["activeDeadlineSeconds"] > float(command[command.index("--deadline") + 1])


def test_alerts_ask_for_metrics_that_there_are() -> None:
    ((_, text),) = blocks("monitoring", "yaml")
    (group,) = yaml.safe_load(text)["groups"]
    asked = {name for rule in group["rules"] for name in re.findall(r"dbctl_\w+", rule["expr"])}
    assert len(asked) == 3
    assert asked <= {f"dbctl_{name}" for name in _MEANINGS}


def test_every_metric_event_and_type_is_on_the_page() -> None:
    page = text_of("monitoring")
    named = {f"| `dbctl_{name}` |" for name in _MEANINGS}
    code = "".join(path.read_text() for path in Path(dbctl.__file__).parent.rglob("*.py"))
    said = {*re.findall(r'"event": "(\w+)"', code), *re.findall(r'(?:_tell|events\.line)\("(\w+)"', code)}
    assert {"start", "end", "error", "retry", "waiting"} <= said
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert [one for one in named if one not in page] == []
    assert [one for one in said if f"`{one}`" not in page.partition("## Events")[2]] == []
    assert [one for one in kinds - {"DbctlError"} if f"`{one}`" not in page.partition("## Errors")[2]] == []
