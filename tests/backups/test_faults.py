"""Whatever goes wrong, no file looks whole that is not, and what was there stays."""

import contextlib
import random
from pathlib import Path

import pytest

from tests.backups.conftest import Shop
from tests.backups.held import files_in
from tests.faults.small_disk import small_disk
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import of_tests


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


def test_a_full_disk_leaves_the_database_as_it_was(lite_shop: Shop) -> None:
    """There is room for one of the two, and for no more."""
    lite_shop.execute(f"CREATE TABLE noise AS SELECT randomblob({5_000_000})")
    backup = lite_shop.backup()
    with small_disk() as disk:
        lite_shop.dbctl.ok("restore", backup.name, "--into", str(disk / "there.db"))
        before = (disk / "there.db").read_bytes()
        for line in (["restore", backup.name, "--into", str(disk / "there.db")], ["backup", "verify", backup.name]):
            result = lite_shop.dbctl(*line, env={"TMPDIR": str(disk)})
            assert (result.code, result.out) == (1, ""), str(result)
            assert "No space left on device" in result.err
            assert files_in(disk) == {"there.db"}
        assert (disk / "there.db").read_bytes() == before


def test_a_full_disk_behind_a_redirection_is_told(lite_shop: Shop) -> None:
    lite_shop.execute(f"CREATE TABLE noise AS SELECT randomblob({10_000_000})")
    with small_disk() as disk, (disk / "redirected").open("wb") as file:
        process = lite_shop.dbctl.spawn("backup", "create", "-", "--manifest", "m.json", stdout=file)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, b"No space left on device" in err) == (1, True), err
    assert files_in(lite_shop.dbctl.cwd) == set()


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
