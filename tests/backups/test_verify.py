"""`dbctl backup verify`."""

import contextlib
import json

import pytest

from tests.backups.conftest import Shop


def scratches(shop: Shop) -> list[str]:
    server = shop.database.server
    if server is None:
        return []
    query = {"postgresql": "SELECT datname FROM pg_database"}.get(shop.database.kind, "SHOW DATABASES")
    return [name for (name,) in server.execute(query) if name.startswith("dbctl_verify_")]


def test_a_backup_is_proved_and_one_that_is_none_is_not(shop: Shop) -> None:
    backup = shop.backup()
    question = ("--query", "SELECT count(*) FROM item", "--expect")
    found = shop.dbctl.ok("backup", "verify", backup.name, "--on", "admin", *question, "300", "--json").json
    assert found["findings"] == []
    assert shop.dbctl.ok("backup", "list", ".", "--json").json[0]["verified"]
    assert shop.dbctl("backup", "verify", ".", "--on", "admin", *question, "301").code == 6

    manifest = backup.with_name(f"{backup.name}.manifest.json")
    content = json.loads(manifest.read_text())
    content["tables"] = [{**table, "rows": 301} if table["table"] == "item" else table for table in content["tables"]]
    manifest.write_text(json.dumps(content))
    result = shop.dbctl("backup", "verify", backup.name, "--on", "admin")
    assert result.code == 6
    assert "item: 300 rows, and 301 were backed up" in result.err

    whole = backup.read_bytes()
    for altered in (whole[:-10], whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]):
        backup.write_bytes(altered)
        assert shop.dbctl("backup", "verify", backup.name, "--on", "admin").code == 6
    assert scratches(shop) == []


def test_what_a_killed_run_has_left_is_dropped_by_the_next(pg_shop: Shop) -> None:
    server = pg_shop.database.server
    assert server
    server.create_database("dbctl_verify_left")
    backup = pg_shop.backup()
    pg_shop.dbctl.ok("backup", "verify", backup.name, "--on", "admin")
    assert scratches(pg_shop) == []


@pytest.mark.parametrize("protected", [True, False])
def test_it_is_refused_where_it_could_do_harm_or_is_of_another_kind(lite_shop: Shop, protected: bool) -> None:
    backup = lite_shop.backup()
    profiles = lite_shop.dbctl.cwd / "profiles.toml"
    more = f'[profiles.other]\nurl = "postgresql://a@127.0.0.1:1/b"\nprotected = {str(protected).lower()}\n'
    profiles.write_text(profiles.read_text() + more)
    result = lite_shop.dbctl("backup", "verify", backup.name, "--on", "other")
    assert result.code == (8 if protected else 2), str(result)


@pytest.mark.parametrize("database", ["sqlite", "mariadb", "mysql"], indirect=True)
def test_references_that_were_broken_already_are_no_proof_and_come_back_as_they_are(shop: Shop) -> None:
    """PostgreSQL itself makes no foreign key that does not hold."""
    if server := shop.database.server:
        with contextlib.closing(server.connect(database=shop.database.name, autocommit=True)) as connection:
            cursor = connection.cursor()
            cursor.execute("SET foreign_key_checks = 0")
            cursor.execute("DELETE FROM item WHERE id = 7")
    else:
        shop.execute("DELETE FROM item WHERE id = 7")
    backup, before = shop.backup(), shop.contents()
    assert shop.dbctl("backup", "verify", backup.name, "--on", "admin").code == 6
    assert shop.dbctl.ok("backup", "list", ".", "--json").json[0]["doubt"] is None
    other = f"{shop.database.name}_other"
    assert "as it is in the backup: child" in shop.dbctl.ok("-p", "admin", "restore", backup.name, "--into", other).err
    assert shop.contents(other) == before


def test_what_is_asked_can_only_read_and_has_one_answer(shop: Shop) -> None:
    """A server has other databases, which the question could name."""
    backup, before = shop.backup(), shop.contents()
    of_another = shop.database.server is not None and shop.database.server.dialect == "mysql"
    item = f"{shop.database.name}.item" if of_another else "item"
    line = ("backup", "verify", backup.name, "--on", "admin")
    for query, code in (
        (f"DELETE FROM {item}", 1),
        (f"DROP TABLE {item}", 1),
        ("SELECT 1; SELECT 1", 2),
        ("SELECT 1, 2", 2),
        ("SELECT 1 FROM item WHERE id < 0", 2),
        ("SELECT nothing FROM item", 1),
    ):
        result = shop.dbctl(*line, "--query", query, "--expect", "1")
        assert (result.code, result.out) == (code, ""), str(result)
    assert shop.contents() == before
    assert shop.dbctl.ok("backup", "list", ".", "--json").json[0]["doubt"] is None
    shop.dbctl.ok(*line, "--query", "SELECT NULL", "--expect", "")
