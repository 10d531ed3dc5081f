"""What is SQLite's alone: a database is a file, with others beside it, and an application may know more than dbctl."""

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.backups.conftest import Shop

_CRASHES = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode = wal")
connection.execute("DELETE FROM child")
connection.commit()
os._exit(0)
"""


def place_of(shop: Shop) -> Path:
    return Path(shop.database.name)


def refused(shop: Shop, code: int, *line: str) -> str:
    result = shop.dbctl(*line)
    assert (result.code, result.out) == (code, ""), str(result)
    return result.err


def test_what_is_left_of_another_one_is_not_read_into_the_new(lite_shop: Shop) -> None:
    """As after an incident: the file is moved away, and its log is not."""
    before, backup, file = lite_shop.contents(), lite_shop.backup(), place_of(lite_shop)
    subprocess.run([sys.executable, "-c", _CRASHES, str(file)], check=True)
    log = file.with_name(f"{file.name}-wal")
    assert log.exists()
    file.rename(file.with_name("moved"))
    for more in ([], ["--table", "item"]):
        said = refused(lite_shop, 1, "restore", backup.name, "--into", file.name, *more)
        assert f"{log} is there without its database" in said
    log.unlink()
    file.with_name(f"{file.name}-shm").unlink(missing_ok=True)
    lite_shop.dbctl.ok("restore", backup.name, "--into", file.name)
    assert lite_shop.contents() == before


def test_one_that_is_broken_is_replaced(lite_shop: Shop) -> None:
    before, backup, file = lite_shop.contents(), lite_shop.backup(), place_of(lite_shop)
    for broken in (b"no database at all " * 100, file.read_bytes()[:100] + b"\xff" * 8000):
        file.write_bytes(broken)
        found = lite_shop.dbctl.ok("restore", backup.name, "--into", file.name, "--json").json
        assert file.with_name(found["before"]).read_bytes() == broken
        assert lite_shop.contents() == before


def test_its_journal_its_mode_and_its_link_stay(lite_shop: Shop) -> None:
    file = place_of(lite_shop)
    file.chmod(0o640)
    backup = lite_shop.backup()
    lite_shop.dbctl.ok("restore", backup.name, "--into", "new.db")
    new = file.with_name("new.db")
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    link = file.with_name("link.db")
    link.symlink_to(new)
    lite_shop.execute("DELETE FROM child", "new.db")
    lite_shop.dbctl.ok("restore", backup.name, "--into", "link.db")
    assert link.is_symlink()
    with closing(sqlite3.connect(new)) as connection:
        assert connection.execute("SELECT count(*) FROM child").fetchone() == (300,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_no_file_can_be_is_refused(lite_shop: Shop) -> None:
    backup = lite_shop.backup()
    (place_of(lite_shop).parent / "directory").mkdir()
    refused(lite_shop, 2, "restore", backup.name, "--into", "directory")
    refused(lite_shop, 2, "backup", "create", "")
    refused(lite_shop, 2, "backup", "create", "-", "--manifest", "-")
    refused(lite_shop, 2, "backup", "create", "-", "--manifest", "nowhere/m.json")
    refused(lite_shop, 2, "restore", backup.name, "--into", "nowhere/x.db", "--dry-run")


def test_what_only_the_application_knows_is_restored_unchecked(lite_shop: Shop) -> None:
    with closing(sqlite3.connect(place_of(lite_shop))) as connection:
        connection.create_collation("de", lambda one, other: (one > other) - (one < other))
        connection.execute("CREATE TABLE word (text TEXT COLLATE de UNIQUE)")
        connection.execute("INSERT INTO word VALUES ('a')")
        connection.commit()
    backup = lite_shop.backup()
    assert "no such collation" in lite_shop.dbctl.ok("backup", "verify", backup.name).err
    assert "no such collation" in lite_shop.dbctl.ok("restore", backup.name, "--into", "new.db").err


def test_a_profile_with_options_of_its_file_proves_a_backup_of_it(lite_shop: Shop) -> None:
    profiles = lite_shop.dbctl.cwd / "profiles.toml"
    url = f"sqlite:///file:{place_of(lite_shop)}?mode=ro&uri=true"
    profiles.write_text(f'{profiles.read_text()}\n[profiles.read]\nurl = "{url}"\n')
    lite_shop.dbctl.ok("-p", "read", "backup", "create", "read")
    lite_shop.dbctl.ok("-p", "read", "backup", "verify", "read")
