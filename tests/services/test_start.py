"""A service that waits, migrates and puts in its first data by three scripts: three lines of dbctl do it instead.

The service is as it is, with a profile file beside it, and dbctl is a program of its own.
"""

import shutil
import subprocess
import sys

import pytest

from tests.harness.cli import Dbctl, Result
from tests.harness.database import TestDatabase
from tests.services.running import SERVICES

LIBRARY = SERVICES / "library"
START = (["ping", "--wait", "300", "--json"], ["migrate", "upgrade", "--json"], ["run", "app.initial_data:init_db"])
DEFAULTS = '[defaults]\nlock = "start"\nlock_wait = 60\n'
PODS = 3
THERE = ([("librarian@example.com", None)], [("9c2b",)])


@pytest.fixture
def pod(installed: Dbctl, database: TestDatabase) -> Dbctl:
    """The service's container: the service as it is, its settings in the environment, and a profile file."""
    shutil.copytree(LIBRARY, installed.cwd, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (installed.cwd / "profiles.toml").write_text(f"{DEFAULTS}\n{database.toml}", encoding="utf-8")
    return installed.with_env(**database.env, DATABASE_URL=database.url, DBCTL_PROFILE=database.profile)


def commits() -> str:
    """Return how dbctl names the line at which the service commits."""
    lines = (LIBRARY / "app" / "db.py").read_text(encoding="utf-8").splitlines()
    return f"app/db.py, line {lines.index('    session.commit()') + 1} commits by itself"


def start(pod: Dbctl) -> list[Result]:
    return [pod.ok(*words) for words in START]


def content(database: TestDatabase) -> tuple[list[object], list[object]]:
    readers = database.execute("SELECT email, full_name FROM reader")
    return list(readers), list(database.execute("SELECT version_num FROM alembic_version"))


def test_three_lines_start_it_and_start_it_again(pod: Dbctl, database: TestDatabase) -> None:
    _, upgraded, seeded = start(pod)
    assert [row["revision"] for row in upgraded.json] == ["4f1a", "9c2b"]
    assert commits() in seeded.err
    assert content(database) == THERE
    _, upgraded, seeded = start(pod)
    assert upgraded.json == []
    assert upgraded.err.endswith("nothing to do: the database is at 9c2b\n")
    assert commits() not in seeded.err
    assert content(database) == THERE
    assert pod.ok("migrate", "check", "--models", "--json").json == []


def test_a_dry_run_refuses_what_the_service_would_commit(dbctl: Dbctl, pod: Dbctl, database: TestDatabase) -> None:
    fork = dbctl.with_env(**pod.env)
    fork.ok("migrate", "upgrade")
    result = fork("run", "app.initial_data:init_db", "--dry-run")
    assert result.code == 1
    assert commits() in result.err
    assert content(database) == ([], THERE[1])


def test_pods_that_start_at_once_do_each_thing_once(pod: Dbctl, database: TestDatabase) -> None:
    lines = [[*pod.program, *words] for words in START]
    chain = f"import subprocess\nfor line in {lines!r}: subprocess.run(line, check=True)"
    each = Dbctl(cwd=pod.cwd, home=pod.home, env=pod.env, program=(sys.executable, "-c", chain))
    runs = [each.spawn(stdin=subprocess.DEVNULL) for _ in range(PODS)]
    told = [run.communicate(timeout=100) for run in runs]
    assert [run.returncode for run in runs] == [0] * PODS, told
    talk = b"".join(err for _, err in told).decode()
    assert talk.count("dbctl: upgrade 4f1a ") == talk.count("dbctl: upgrade 9c2b ") == 1, talk
    assert talk.count(commits()) == 1, talk
    assert content(database) == THERE


def test_they_do_what_the_services_own_scripts_do(pod: Dbctl, database: TestDatabase) -> None:
    for words in (["-m", "alembic", "upgrade", "head"], ["-m", "app.initial_data"]):
        Dbctl(cwd=pod.cwd, home=pod.home, env=pod.env, program=(sys.executable, *words)).ok()
    _, upgraded, seeded = start(pod)
    assert upgraded.json == []
    assert commits() not in seeded.err
    assert content(database) == THERE
