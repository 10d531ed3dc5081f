"""What ends `backup create` midway leaves no file that looks whole, and nothing at work."""

import contextlib
import os
import signal
import stat
import tempfile
import time
from pathlib import Path

import pytest

from tests.backups.conftest import Shop
from tests.backups.held import PATIENCE, files_in, held, in_the_way, said
from tests.faults.watching import within
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import of_tests
from tests.harness.processes import descendants_of, still_running

CREATE = ("backup", "create", "x.backup")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_the_tool_says_nothing_of_its_own_end(shop: Shop, number: int, code: int) -> None:
    with held(shop, *CREATE) as run:
        began = time.monotonic()
        run.process.send_signal(number)
        _, err = run.process.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < 3
        assert (run.process.returncode, said(err)) == (code, ["dbctl: interrupted"])
    assert files_in(shop.dbctl.cwd) == set()


def test_a_deadline_ends_it(shop: Shop) -> None:
    with in_the_way(shop) as (dbctl, _):
        result = dbctl(*CREATE, "--deadline", "2", timeout=PATIENCE)
        assert (result.code, result.out) == (5, ""), str(result)
    assert files_in(shop.dbctl.cwd) == set()


def test_what_a_killed_run_leaves_looks_like_nothing_and_the_next_removes_it(shop: Shop) -> None:
    with held(shop, *CREATE) as run:
        below = list(descendants_of(run.process.pid))
        run.process.kill()
        run.process.wait()
        assert within(PATIENCE, lambda: not still_running(below)), still_running(below)
        left = files_in(shop.dbctl.cwd)
        assert left
        assert all(name.startswith(".dbctl-backup-") for name in left)
    assert shop.dbctl("backup", "list", ".", "--max-age", "26h").code == 6
    shop.backup("next")
    assert files_in(shop.dbctl.cwd) == {"next", "next.manifest.json"}


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_tool_that_is_killed_leaves_nothing(shop: Shop) -> None:
    with held(shop, *CREATE) as run:
        for child in list(descendants_of(run.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        _, err = run.process.communicate(timeout=PATIENCE)
        assert run.process.returncode == 1
        assert "was ended by signal 9" in err.decode()
    assert files_in(shop.dbctl.cwd) == set()


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_tool_whose_session_is_ended_has_lost_its_connection(shop: Shop) -> None:
    server = shop.database.server
    assert server
    with held(shop, *CREATE) as run:
        end = {"postgresql": "SELECT pg_terminate_backend({})"}.get(shop.database.kind, "KILL {}")
        server.execute(end.format(run.session))
        _, err = run.process.communicate(timeout=PATIENCE)
        assert run.process.returncode == 4, err
        assert len(said(err)) == 1, err
    assert files_in(shop.dbctl.cwd) == set()


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_no_secret_is_seen_while_it_is_at_work(shop: Shop) -> None:
    (secret,) = shop.database.env.values()
    with held(shop, *CREATE) as run:
        below = list(descendants_of(run.process.pid))
        assert below
        for child in below:
            assert secret.encode() not in Path(f"/proc/{child}/cmdline").read_bytes()
            assert secret.encode() not in Path(f"/proc/{child}/environ").read_bytes()
        for directory in Path(tempfile.gettempdir()).glob("dbctl-private-*"):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in shop.dbctl.cwd.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()


def test_several_jobs_are_ended_too(pg_shop: Shop) -> None:
    with held(pg_shop, *CREATE, "--jobs", "2") as run:
        below = list(descendants_of(run.process.pid))
        run.process.terminate()
        assert run.process.wait(PATIENCE) == 143
        assert within(PATIENCE, lambda: not still_running(below)), still_running(below)
    assert files_in(pg_shop.dbctl.cwd) == set()


def test_an_old_directory_is_gone_as_a_whole_where_its_removal_is_killed(
    pg_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(_: Path, **_how: bool) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    pg_shop.backup("old", "--jobs", "2")
    monkeypatch.setattr("dbctl.backups.keeping.rmtree", kill)
    line = ("backup", "create", ".", "--jobs", "2", "--keep", "1")
    assert of_tests(pg_shop.dbctl)(*line).code == -signal.SIGKILL
    names = [one["backup"] for one in pg_shop.dbctl.ok("backup", "list", ".", "--json").json]
    assert len(names) == 1
    assert "old" not in names
    pg_shop.backup("next")
    assert not [name for name in files_in(pg_shop.dbctl.cwd) if name.startswith(".")]
