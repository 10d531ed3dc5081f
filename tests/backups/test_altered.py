"""A file or a manifest that was cut off, altered or mixed up is no backup, and nothing is changed by it."""

import hashlib
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.backups.held import said
from tests.backups.stalled import COMMANDS, line_for

Content = dict[str, Any]


def manifest_of(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}.manifest.json")


def refused(shop: Shop, backup: Path, command: str, codes: Collection[int] = (6,)) -> str:
    """Return the one line by which a backup is refused as none, with nothing changed."""
    before = shop.contents()
    result = shop.dbctl(*line_for(shop, command, backup))
    assert (result.code in codes, result.out) == (True, ""), str(result)
    lines = [line for line in said(result.err.encode()) if "error:" in line]
    assert len(lines) == 1, str(result)
    assert shop.contents() == before
    if server := shop.database.server:
        query = {"postgresql": "SELECT datname FROM pg_database"}.get(shop.database.kind, "SHOW DATABASES")
        assert not [name for (name,) in server.execute(query) if name.startswith("dbctl_")]
    return lines[0]


def rewrite(backup: Path, content: bytes) -> None:
    """Give a backup another content, and its manifest the sum of that."""
    backup.write_bytes(content)
    manifest = manifest_of(backup)
    found = json.loads(manifest.read_text()) | {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest.write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("database", "compression"),
    [("postgresql", "none")]  # pg_dump compresses by itself
    + [(kind, how) for kind in ("sqlite", "mariadb", "mysql") for how in ("gzip", "zstd", "none")],
    indirect=["database"],
)
def test_a_file_that_was_cut_off_before_its_sum_was_made(shop: Shop, compression: str) -> None:
    """As where a full disk was taken for the end: the manifest says what there is, and that is no whole backup."""
    if compression == "zstd":
        pytest.importorskip("zstandard")
    backup = shop.backup("cut", "--compress", compression)
    rewrite(backup, backup.read_bytes()[: backup.stat().st_size * 2 // 3])
    refused(shop, backup, "verify")
    # What the tool or the database refuses is no matter of a check.
    refused(shop, backup, "restore", (1, 6) if compression == "none" else (6,))


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_a_statement_that_fails_is_told_without_its_values(shop: Shop) -> None:
    """MariaDB's client quotes it, however many lines it has."""
    backup = shop.backup("bad", "--compress", "none")
    more = b"INSERT INTO child (no_column) VALUES\n" + b",\n".join([b"('secret')"] * 100) + b";\n"
    rewrite(backup, backup.read_bytes() + more)
    for command, codes in (("verify", (6,)), ("restore", (1,))):
        told = refused(shop, backup, command, codes)
        assert ("secret" in told, "no_column" in told) == (False, True)


def other_sum(found: Content) -> str:
    return json.dumps(found | {"sha256": "0" * 64})


MANIFESTS: dict[str, Callable[[Content], str]] = {
    "cut off": lambda found: json.dumps(found)[:-20],
    "empty": lambda _: "",
    "no JSON": lambda _: "\ufffd\x00 nothing",
    "a list": lambda found: json.dumps([found]),
    "a later version": lambda found: json.dumps(found | {"dbctl_backup": 2}),
    "without a field": lambda found: json.dumps({key: value for key, value in found.items() if key != "sha256"}),
    "a number for a time": lambda found: json.dumps(found | {"snapshot": 5}),
    "no time": lambda found: json.dumps(found | {"snapshot": "yesterday"}),
    "a time without a zone": lambda found: json.dumps(found | {"snapshot": "2020-01-05T00:00:00"}),
    "a text for tables": lambda found: json.dumps(found | {"tables": "item"}),
    "a text for rows": lambda found: json.dumps(
        found | {"tables": [{"schema": None, "table": "item", "rows": "many"}]}
    ),
    "a text for the version": lambda found: json.dumps(found | {"numbers": ["x"]}),
    "a text for the size": lambda found: json.dumps(found | {"bytes": "1"}),
    "another file's sum": other_sum,
}


@pytest.mark.parametrize("how", MANIFESTS)
def test_a_manifest_that_is_none(lite_shop: Shop, how: str) -> None:
    backup = lite_shop.backup()
    manifest = manifest_of(backup)
    manifest.write_text(MANIFESTS[how](json.loads(manifest.read_text())))
    for command in COMMANDS:
        refused(lite_shop, backup, command)
    listed = lite_shop.dbctl("backup", "list", ".", "--max-age", "26h")
    if "sum" not in how:
        assert (listed.code, "left alone" in listed.err) == (6, True), str(listed)


def test_what_has_no_manifest_is_removed_by_nobody(lite_shop: Shop) -> None:
    """Nor is it counted as one of those that are kept."""
    backup = lite_shop.backup()
    manifest_of(backup).write_text("{")
    found = lite_shop.dbctl.ok("backup", "create", ".", "--keep", "1", "--json")
    assert found.json["removed"] == []
    assert backup.exists()
