"""What ends `restore` and `backup verify` midway leaves all as it was, and the next run drops what is left."""

import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dbctl.backups import scratch
from tests.backups.conftest import Shop
from tests.backups.held import PATIENCE, running, said, wait_for
from tests.backups.stalled import COMMANDS, left_by, line_for, stalled
from tests.faults.watching import within
from tests.harness.database import SERVER_KINDS
from tests.harness.processes import descendants_of, still_running


def secrets_of(shop: Shop) -> list[bytes]:
    return [shop.database.server.password.encode()] if shop.database.server else []


def told_of(process: int) -> bytes:
    """Return what all on the machine, or its owner, can read of a process."""
    return b"".join(Path(f"/proc/{process}/{name}").read_bytes() for name in ("cmdline", "environ"))


@pytest.mark.parametrize(
    ("command", "number", "code"), [("restore", signal.SIGTERM, 143), ("verify", signal.SIGINT, 130)]
)
def test_a_signal_ends_it(shop: Shop, command: str, number: int, code: int) -> None:
    with stalled(shop) as held:
        before = shop.contents()
        with running(held.dbctl, *line_for(shop, command, held.backup)) as process:
            wait_for(held.reached)
            below = list(descendants_of(process.pid))
            assert not any(secret in told for secret in secrets_of(shop) for told in map(told_of, below))
            began = time.monotonic()
            process.send_signal(number)
            _, err = process.communicate(timeout=PATIENCE)
            assert time.monotonic() - began < 3
        rest = ": what was not committed is rolled back" if command == "restore" else ""
        assert (process.returncode, said(err)) == (code, [f"dbctl: interrupted{rest}"])
        assert shop.contents() == before
        assert within(PATIENCE, lambda: not still_running(below)), still_running(below)
        assert left_by(shop, held.temporary) == []


@pytest.mark.parametrize(("seconds", "stays"), [(1.0, False), (20.0, True)])
@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_slow_drop_is_waited_for_a_moment(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, seconds: float, stays: bool
) -> None:
    """And what stays for want of time is told."""

    def slow(*arguments: Any) -> None:
        time.sleep(seconds)
        drop_by(*arguments)

    drop_by = scratch._drop_by
    with stalled(shop) as held:
        monkeypatch.setattr(scratch, "_drop_by", slow)
        with running(held.dbctl, *line_for(shop, "verify", held.backup)) as process:
            wait_for(held.reached)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        *told, last = said(err)
        assert last == "dbctl: interrupted"
        left = [name for name in left_by(shop, held.temporary) if "verify" in name]
        why = "stays, which the next run tries to drop: there was no time to drop it"
        assert (bool(left), told) == (stays, [f"dbctl: the database {name} {why}" for name in left])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_deadline_ends_it(shop: Shop, command: str) -> None:
    with stalled(shop) as held:
        before = shop.contents()
        result = held.dbctl(*line_for(shop, command, held.backup), "--deadline", "2", timeout=PATIENCE)
        assert (result.code, result.out) == (5, ""), str(result)
        assert shop.contents() == before
        assert left_by(shop, held.temporary) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_killed_run_has_left_is_dropped_by_the_next(shop: Shop, command: str) -> None:
    good, before = shop.backup(), shop.contents()
    with stalled(shop) as held:
        with running(held.dbctl, *line_for(shop, command, held.backup)) as process:
            wait_for(held.reached)
            below = list(descendants_of(process.pid))
            process.kill()
            process.wait()
        assert within(PATIENCE, lambda: not still_running(below)), still_running(below)
        assert shop.contents() == before if shop.database.server else shop.contents()
        assert left_by(shop, held.temporary)
        shop.dbctl.ok(*line_for(shop, command, good), env={"TMPDIR": str(held.temporary)})
        assert left_by(shop, held.temporary) == []
    assert shop.execute("SELECT count(*) FROM item") == [(300,)]


def test_several_jobs_are_ended_too(pg_shop: Shop) -> None:
    with stalled(pg_shop) as held:
        with running(held.dbctl, *line_for(pg_shop, "restore", held.backup), "--jobs", "2") as process:
            wait_for(held.reached)
            below = list(descendants_of(process.pid))
            assert len(below) > 1
            process.terminate()
            assert process.wait(PATIENCE) == 143
        assert within(PATIENCE, lambda: not still_running(below)), still_running(below)
        assert left_by(pg_shop, held.temporary) == []


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_signal_ends_it_though_the_server_is_silent(shop: Shop) -> None:
    """What is left of it the next run drops, once the server knows of the end."""
    server, good, before = shop.database.server, shop.backup(), shop.contents()
    assert server
    with stalled(shop) as held:
        with running(held.dbctl, *line_for(shop, "restore", held.backup)) as process:
            wait_for(held.reached)
            with server.frozen():
                began = time.monotonic()
                process.terminate()
                assert process.wait(PATIENCE) == 143
                assert time.monotonic() - began < 5
        assert shop.contents() == before
        next_ = partial(shop.dbctl.ok, *line_for(shop, "restore", good), env={"TMPDIR": str(held.temporary)})
        wait_for(lambda: next_() and left_by(shop, held.temporary) == [])
