"""Which of a directory's backups are kept, listed and taken: those of one kind that nothing speaks against."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.faults.small_disk import small_disk


def manifest_of(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}.manifest.json")


def change(backup: Path, **values: Any) -> None:
    manifest = manifest_of(backup)
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | values))


def backups_in(directory: Path) -> set[str]:
    return {path.name.removesuffix(".manifest.json") for path in directory.glob("*.manifest.json")}


@pytest.fixture
def kept(lite_shop: Shop) -> Path:
    """A directory for backups."""
    directory = lite_shop.dbctl.cwd / "kept"
    directory.mkdir()
    return directory


def test_the_new_one_stays_whatever_the_clock_says(lite_shop: Shop, kept: Path) -> None:
    """Two of one second are told apart; one of a time that has not come is neither kept by a rule nor taken."""
    old, future = kept / "old", kept / "future"
    for name in ("old", "future"):
        lite_shop.dbctl.ok("backup", "create", f"kept/{name}")
    change(future, snapshot="2035-01-01T00:00:00+00:00")
    new = [lite_shop.dbctl.ok("backup", "create", "kept", "--keep", "1", "--json") for _ in range(3)]
    (last,) = backups_in(kept) - {"future"}
    assert last == new[-1].json["backup"]
    assert not old.exists()
    assert "a clock was wrong" in new[-1].talk
    listed = {row["backup"]: row["doubt"] for row in lite_shop.dbctl.ok("backup", "list", "kept", "--json").json}
    assert (listed[last], "has not come" in listed["future"]) == (None, True)
    found = lite_shop.dbctl.ok("restore", "kept", "--into", "from_newest.db", "--json").json
    assert found["backup"].endswith(last)
    change(kept / last, snapshot="2020-01-01T00:00:00+00:00")
    assert lite_shop.dbctl("backup", "list", "kept", "--max-age", "1d").code == 6


def test_what_is_in_doubt_is_no_backup_to_any_rule(lite_shop: Shop, kept: Path) -> None:
    for name in ("good", "cut", "refuted"):
        lite_shop.dbctl.ok("backup", "create", f"kept/{name}")
    (kept / "cut").write_bytes((kept / "cut").read_bytes()[:10])
    broken = (kept / "refuted").read_bytes()
    (kept / "refuted").write_bytes(broken[:-1] + bytes([broken[-1] ^ 1]))
    assert lite_shop.dbctl("backup", "verify", "kept/refuted").code == 6
    change(kept / "good", snapshot="2020-01-01T00:00:00+00:00")
    result = lite_shop.dbctl("backup", "list", "kept", "--max-age", "1h", "--json")
    doubts = {row["backup"]: row["doubt"] or "" for row in result.json}
    assert result.code == 6, str(result)
    assert ("it has 10 bytes" in doubts["cut"], "no backup" in doubts["refuted"], doubts["good"]) == (True, True, "")
    lite_shop.dbctl.ok("backup", "create", "kept", "--keep", "2")
    assert {"good", "cut", "refuted"} <= backups_in(kept)
    lite_shop.dbctl.ok("restore", "kept", "--into", "other.db")


def test_a_part_is_kept_listed_and_taken_apart_from_the_whole(pg_shop: Shop) -> None:
    kept = pg_shop.dbctl.cwd / "kept"
    kept.mkdir()
    for name, *more in (("whole",), ("part", "--exclude-data", "part"), ("data", "--data-only")):
        pg_shop.dbctl.ok("backup", "create", f"kept/{name}", *more)
    change(kept / "whole", snapshot="2024-01-01T00:00:00+00:00")
    made = pg_shop.dbctl.ok("backup", "create", "kept", "--exclude-data", "part", "--keep", "1", "--json").json
    assert made["removed"] == ["part"]
    assert pg_shop.dbctl("backup", "list", "kept", "--max-age", "1d").code == 6
    found = pg_shop.dbctl.ok("-p", "admin", "restore", "kept", "--into", f"{pg_shop.database.name}_x", "--json").json
    assert found["backup"].endswith("whole")
    line = ("-p", "admin", "restore", f"kept/{made['backup']}", "--into", f"{pg_shop.database.name}_y")
    assert "lacks the rows of part" in pg_shop.dbctl.ok(*line).err
    (kept / "whole").unlink()
    assert pg_shop.dbctl("backup", "verify", "kept").code == 1


def test_whose_is_taken_is_said_where_a_directory_has_several(lite_shop: Shop, kept: Path) -> None:
    profiles = lite_shop.dbctl.cwd / "profiles.toml"
    profiles.write_text(f'{profiles.read_text()}\n[profiles.other]\nurl = "sqlite:///other.db"\n')
    lite_shop.dbctl.ok("backup", "create", "kept/mine")
    lite_shop.dbctl.ok("-p", "other", "init-tables")
    lite_shop.dbctl.ok("-p", "other", "backup", "create", "kept/others")
    found = lite_shop.dbctl.ok("backup", "verify", "kept", "--on", "other", "--json").json
    assert found["backup"].endswith("mine")
    assert lite_shop.dbctl("-p", "admin", "backup", "verify", "kept").code == 2


def test_a_directory_that_is_a_backup_is_not_replaced(pg_shop: Shop) -> None:
    backup = pg_shop.backup("several", "--jobs", "2")
    before = sorted(backup.iterdir())
    for more in (["--jobs", "2"], []):
        result = pg_shop.dbctl("backup", "create", "several", *more)
        assert (result.code, result.out) == (2, ""), str(result)
    assert sorted(backup.iterdir()) == before
    for rule in ("--keep", "--keep-weekly", "--keep-monthly"):
        assert pg_shop.dbctl("backup", "create", ".", rule, "0").code == 2


def test_a_link_leads_to_a_backup(lite_shop: Shop) -> None:
    backup = lite_shop.backup()
    (lite_shop.dbctl.cwd / "latest").symlink_to(backup)
    lite_shop.dbctl.ok("backup", "verify", "latest")
    lite_shop.dbctl.ok("restore", "latest", "--into", "new.db")


def test_a_proof_is_one_where_it_can_t_be_noted(lite_shop: Shop) -> None:
    with small_disk() as disk:
        lite_shop.dbctl.ok("backup", "create", str(disk / "here"))
        with (disk / "full").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                continue
        result = lite_shop.dbctl.ok("backup", "verify", str(disk / "here"))
        assert "can't be noted" in result.err
