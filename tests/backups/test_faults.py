"""Whatever goes wrong, no file looks whole that is not, and what was there stays."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.faults.small_disk import small_disk
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import of_tests
from tests.harness.processes import descendants_of

_PATIENCE = 20.0


def wait_for(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.02)
    raise AssertionError("it has not come to that")


def files_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {"profiles.toml"}


@contextlib.contextmanager
def waiting(shop: Shop, *line: str) -> Iterator[tuple["subprocess.Popen[Any]", int]]:
    """Have a run at work for the block, whose pg_dump waits for a table; yield it, and the tool's session."""
    server = shop.database.server
    assert server
    query = (
        f"SELECT pid FROM pg_stat_activity WHERE datname = '{shop.database.name}' AND query LIKE 'LOCK TABLE%'"
        " AND wait_event_type = 'Lock'"
    )
    with contextlib.closing(shop.database.connect(autocommit=False)) as connection:
        connection.cursor().execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        process = shop.dbctl.spawn(*line)
        try:
            yield process, wait_for(lambda: server.execute(query))[0][0]
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def test_a_signal_ends_it_and_the_tool_says_nothing_of_its_own_end(pg_shop: Shop) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with waiting(pg_shop, "backup", "create", "x.dump") as (process, _):
            process.send_signal(number)
            began = time.monotonic()
            _, err = process.communicate(timeout=_PATIENCE)
            assert time.monotonic() - began < 3
            assert process.returncode == code
            assert err.decode() == "dbctl: interrupted\n"
        assert files_in(pg_shop.dbctl.cwd) == set()


def test_a_deadline_ends_it(pg_shop: Shop) -> None:
    with waiting(pg_shop, "backup", "create", "x.dump", "--deadline", "8") as (process, _):
        assert process.wait(_PATIENCE) == 5
    assert files_in(pg_shop.dbctl.cwd) == set()


def test_a_tool_that_is_killed_or_loses_its_server_leaves_nothing(pg_shop: Shop) -> None:
    server = pg_shop.database.server
    assert server
    with waiting(pg_shop, "backup", "create", "x.dump") as (_, session):
        pass  # killed with all that it has started, as by kill -9
    wait_for(lambda: not server.execute(f"SELECT 1 FROM pg_stat_activity WHERE pid = {session}"))
    assert all(name.startswith(".dbctl-backup-") for name in files_in(pg_shop.dbctl.cwd))
    with waiting(pg_shop, "backup", "create", "x.dump") as (process, session):
        server.execute(f"SELECT pg_terminate_backend({session})")
        assert process.wait(_PATIENCE) == 4
    assert files_in(pg_shop.dbctl.cwd) == set()
    with waiting(pg_shop, "backup", "create", "x.dump") as (process, _):
        for child in list(descendants_of(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        assert process.wait(_PATIENCE) == 1
    assert files_in(pg_shop.dbctl.cwd) == set()


def test_no_secret_is_seen_while_it_is_at_work(pg_shop: Shop) -> None:
    (secret,) = pg_shop.database.env.values()
    with waiting(pg_shop, "backup", "create", "x.dump") as (process, _):
        below = list(descendants_of(process.pid))
        assert below
        for child in below:
            assert secret.encode() not in Path(f"/proc/{child}/cmdline").read_bytes()
            assert secret.encode() not in Path(f"/proc/{child}/environ").read_bytes()
    for path in pg_shop.dbctl.cwd.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()


def test_a_full_disk_leaves_the_old_ones_alone(shop: Shop) -> None:
    noise = random.randbytes(4_000_000).hex()
    if shop.database.server:
        type_ = "bytea" if shop.database.kind == "postgresql" else "longblob"
        value = f"decode('{noise}', 'hex')" if shop.database.kind == "postgresql" else f"0x{noise}"
    else:
        type_, value = "BLOB", f"x'{noise}'"
    shop.execute(f"CREATE TABLE noise (data {type_})")
    with small_disk() as disk:
        old = disk / "old.backup"
        shop.dbctl.ok("backup", "create", str(old))
        for _ in range(3):
            shop.execute(f"INSERT INTO noise VALUES ({value})")
        kept = old.read_bytes()
        result = shop.dbctl("backup", "create", str(disk / "new.backup"))
        assert (result.code, result.out) == (1, ""), str(result)
        assert files_in(disk) == {"old.backup", "old.backup.manifest.json"}
        assert old.read_bytes() == kept


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_wrong_password_is_told(shop: Shop) -> None:
    (variable,) = shop.database.env
    result = shop.dbctl("backup", "create", "x.dump", env={variable: "wrong"})
    assert (result.code, result.out) == (4, ""), str(result)
    assert files_in(shop.dbctl.cwd) == set()


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_tool_that_is_missing_or_too_old_is_told(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbctl.backends.postgresql.backups._PLACES", ())  # where one of the system's may be
    path = tmp_path / "bin"
    path.mkdir()
    run = of_tests(shop.dbctl)
    result = run("backup", "create", "x.dump", env={"PATH": str(path)})
    assert (result.code, result.out, "client" in result.err) == (3, "", True), str(result)
    if shop.database.kind == "postgresql":
        (path / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
        (path / "pg_dump").chmod(0o755)
        result = run("backup", "create", "x.dump", env={"PATH": str(path)})
        assert (result.code, result.out, "pg_dump 9 is older" in result.err) == (3, "", True), str(result)
    assert files_in(shop.dbctl.cwd) == set()


def test_a_writer_is_in_it_whole_or_not_at_all(shop: Shop) -> None:
    """Money is moved all the while, and its sum in a backup is what it always is."""
    shop.execute("CREATE TABLE account (id int PRIMARY KEY, money int)")
    shop.execute("INSERT INTO account VALUES " + ", ".join(f"({number}, 100)" for number in range(50)))
    with contextlib.closing(shop.database.connect(autocommit=False)) as connection:
        cursor = connection.cursor()
        process = shop.dbctl.spawn("backup", "create", "bank")
        moved = 0
        while process.poll() is None:
            giver, taker = random.sample(range(50), 2)
            cursor.execute(f"UPDATE account SET money = money - 1 WHERE id = {giver}")
            cursor.execute(f"UPDATE account SET money = money + 1 WHERE id = {taker}")
            connection.commit()
            moved += 1
        assert process.returncode == 0
        assert moved
    question = ("--query", "SELECT CAST(sum(money) AS char(9)) FROM account", "--expect")
    if shop.database.kind in {"sqlite", "postgresql"}:
        question = ("--query", "SELECT sum(money) FROM account", "--expect")
    shop.dbctl.ok("backup", "verify", "bank", "--on", "admin", *question, "5000")
