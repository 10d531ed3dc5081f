"""`dbctl backup create` and `dbctl backup list`."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.faults.small_disk import small_disk


def manifest_of(backup: Path) -> Any:
    return json.loads(backup.with_name(f"{backup.name}.manifest.json").read_text())


def files_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {"profiles.toml"}


def test_a_backup_is_a_file_of_its_owners_with_a_manifest(shop: Shop) -> None:
    made = shop.dbctl.ok("backup", "create", "a.backup", "--json").json
    backup = shop.dbctl.cwd / "a.backup"
    found = manifest_of(backup)
    assert made["sha256"] == found["sha256"]
    assert made["bytes"] == found["bytes"] == backup.stat().st_size
    assert {stat.S_IMODE(path.stat().st_mode) for path in shop.dbctl.cwd.glob("a.backup*")} == {0o600}
    assert [table["rows"] for table in found["tables"] if table["table"] == "item"] == [300]
    for name in set(shop.tables) - {"part"}:  # PostgreSQL's is in its partitions alone
        plain = re.sub(r'["`]', "", name.rpartition(".")[2])
        rows = [one["rows"] for one in found["tables"] if re.sub(r'["`]', "", one["table"]) == plain]
        assert rows == [shop.rows[name]], name
    assert "users" in str(found["lacks"]) or "roles" in str(found["lacks"]) or shop.database.server is None
    assert not any(value in json.dumps(found) for value in shop.database.env.values())


def test_it_replaces_no_file(lite_shop: Shop) -> None:
    taken = lite_shop.dbctl.cwd / "taken"
    taken.write_text("mine")
    result = lite_shop.dbctl("backup", "create", "taken")
    assert (result.code, result.out) == (2, "")
    assert taken.read_text() == "mine"
    assert files_in(lite_shop.dbctl.cwd) == {"taken"}


def test_of_those_in_a_directory_the_rules_keep_some_and_nothing_else_is_touched(lite_shop: Shop) -> None:
    """Times are the manifests' own: files that were copied have others."""
    directory = lite_shop.dbctl.cwd / "kept"
    directory.mkdir()
    stranger = directory / "database-19990101T000000Z.db.gz"
    stranger.write_text("no manifest")
    for day in ("2020-01-05", "2020-01-06", "2020-02-20", "2020-03-10", "2020-03-11"):
        lite_shop.dbctl.ok("backup", "create", f"kept/{day}")
        manifest = directory / f"{day}.manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"snapshot": f"{day}T00:00:00+00:00"}))
    other = directory / "2020-01-05.manifest.json"
    other.write_text(json.dumps(json.loads(other.read_text()) | {"profile": "other"}))
    made = lite_shop.dbctl.ok("backup", "create", "kept", "--keep", "2", "--keep-monthly", "3", "--json").json
    assert made["removed"] == ["2020-01-06", "2020-03-10"]
    left = {name for name in files_in(directory) if not name.endswith(".json")}
    assert left - {made["backup"]} == {stranger.name, "2020-01-05", "2020-02-20", "2020-03-11"}
    listed = lite_shop.dbctl.ok("backup", "list", "kept", "--json").json
    assert [row["backup"] for row in listed] == [made["backup"], "2020-03-11", "2020-02-20", "2020-01-05"]


def test_a_job_that_has_stopped_is_an_alarm(lite_shop: Shop) -> None:
    assert lite_shop.dbctl("backup", "list", ".", "--max-age", "26h").code == 6
    lite_shop.backup()
    lite_shop.dbctl.ok("backup", "list", ".", "--max-age", "26h")
    manifest = lite_shop.dbctl.cwd / "shop.backup.manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"snapshot": "2020-01-05T00:00:00+00:00"}))
    assert lite_shop.dbctl("backup", "list", ".", "--max-age", "7d").code == 6
    assert lite_shop.dbctl("backup", "list", ".", "--max-age", "soon").code == 2


def test_what_a_killed_run_has_left_is_removed_by_the_next(lite_shop: Shop) -> None:
    left = lite_shop.dbctl.cwd / ".dbctl-backup-1-aa.unfinished"
    left.mkdir()
    (left / "backup").write_text("half")
    lite_shop.backup()
    assert files_in(lite_shop.dbctl.cwd) == {"shop.backup", "shop.backup.manifest.json"}


def test_a_pipe_gets_the_same_and_a_manifest(shop: Shop) -> None:
    plain = shop.dbctl.cwd / "piped"
    with plain.open("wb") as file:
        process = shop.dbctl.spawn("backup", "create", "-", "--manifest", "m.json", stdout=file)
        assert process.wait(60) == 0
    found = json.loads((shop.dbctl.cwd / "m.json").read_text())
    assert found["bytes"] == plain.stat().st_size
    assert sum(table["rows"] or 0 for table in found["tables"]) >= 600


def test_who_reads_a_pipe_and_leaves_has_no_whole_backup(lite_shop: Shop) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as file:
        process = lite_shop.dbctl.spawn("backup", "create", "-", "--manifest", "m.json", stdout=file)
        assert process.wait(60) == 1
    assert files_in(lite_shop.dbctl.cwd) == set()


def test_roles_are_beside_it_where_they_are_wanted(pg_shop: Shop) -> None:
    pg_shop.dbctl.ok("-p", "admin", "backup", "create", "whole", "--globals")
    assert "CREATE ROLE app" in (pg_shop.dbctl.cwd / "whole.globals.sql").read_text()
    assert manifest_of(pg_shop.dbctl.cwd / "whole")["lacks"] == ["other databases"]
    assert pg_shop.dbctl("backup", "create", "other", "--globals").code == 1
    assert {name for name in files_in(pg_shop.dbctl.cwd) if not name.startswith("whole")} == set()


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_it_is_compressed_as_is_said(lite_shop: Shop, compression: str) -> None:
    if compression == "zstd":
        pytest.importorskip("zstandard")
    backup = lite_shop.backup("packed", "--compress", compression)
    assert backup.read_bytes()[:4] == {"zstd": b"\x28\xb5\x2f\xfd", "none": b"SQLi"}[compression]
    lite_shop.dbctl.ok("backup", "verify", "packed")


def test_the_tool_compresses_as_is_said(pg_shop: Shop) -> None:
    plain, packed = (pg_shop.backup(how, "--compress", how).stat().st_size for how in ("none", "gzip"))
    assert plain > 2 * packed
    result = pg_shop.dbctl("backup", "create", "zstd", "--compress", "zstd")
    if result.code:
        assert (result.code, "does not know zstd" in result.err) == (2, True), str(result)
    else:
        assert (pg_shop.dbctl.cwd / "zstd").stat().st_size < plain / 2
        pg_shop.dbctl.ok("backup", "verify", "zstd", "--on", "admin")


@pytest.mark.parametrize("what", ["--schema-only", "--data-only"])
def test_a_part_is_a_part(pg_shop: Shop, what: str) -> None:
    found = manifest_of(pg_shop.backup("part", what, "--exclude-data", "item"))
    assert found["contents"] == what.removeprefix("--").removesuffix("-only")
    assert [table["rows"] for table in found["tables"] if table["table"] == "item"] == [None]


def test_of_a_large_database_no_copy_is_made_elsewhere(lite_shop: Shop, tmp_path: Path) -> None:
    """The system's directory for temporary files may have no room for it."""
    lite_shop.execute("CREATE TABLE noise (data)")
    lite_shop.execute(f"INSERT INTO noise VALUES (zeroblob({40_000_000}))")
    with small_disk() as disk:
        lite_shop.dbctl.ok("backup", "create", "large", env={"TMPDIR": str(disk)})
        assert list(disk.iterdir()) == []
