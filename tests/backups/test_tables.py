"""`dbctl restore --table`, and what a backup leaves out of a table."""

import contextlib
import json
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.harness.database import SERVER_KINDS

_OF_ITEM = {
    "postgresql": [
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'item' ORDER BY 1",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'item'::regclass ORDER BY 1",
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = 'item'::regclass",
        "SELECT obj_description('item'::regclass), last_value FROM item_id_seq",
        "SELECT relacl::text, pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'item'",
    ],
    "mysql": ["SHOW CREATE TABLE item", "SELECT action_statement FROM information_schema.triggers"
              " WHERE trigger_schema = database()"],
    "sqlite": ["SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'item' ORDER BY 1, 2",
               "SELECT * FROM sqlite_sequence"],
}  # fmt: skip
_OF_ITEM["mariadb"] = _OF_ITEM["mysql"]
_DROPPED = {"postgresql": "DROP TABLE item CASCADE", "sqlite": "DROP TABLE item"}


def of_item(shop: Shop, database: str | None = None) -> list[Any]:
    queries = ["SELECT * FROM item ORDER BY id", *_OF_ITEM[shop.database.kind]]
    return [shop.execute(query, database) for query in queries]


def drop_item(shop: Shop) -> None:
    if shop.database.server and shop.database.server.dialect == "mysql":
        shop.execute("ALTER TABLE child DROP FOREIGN KEY child_ibfk_1")
    shop.execute(_DROPPED.get(shop.database.kind, "DROP TABLE item"))


def test_a_lost_table_comes_back_with_all_that_is_its_own(shop: Shop) -> None:
    before, backup = of_item(shop), shop.backup()
    line = ("-p", "admin", "restore", backup.name, "--table", "item", "--into")
    result = shop.dbctl(*line, shop.database.name)
    assert (result.code, "item already" in result.err) == (1, True), str(result)
    drop_item(shop)
    others = {name: shop.execute(f"SELECT * FROM {name}") for name in shop.tables if name != "item"}
    tried = shop.dbctl.ok(*line, shop.database.name, "--dry-run", "--json").json
    found = shop.dbctl.ok(*line, shop.database.name, "--json").json
    assert (found["tables"], found["rows"], found["before"]) == (tried["tables"], 300, None)
    assert of_item(shop) == before
    assert {name: shop.execute(f"SELECT * FROM {name}") for name in others} == others
    other = f"{shop.database.name}_item"
    shop.dbctl.ok(*line, other)
    assert of_item(shop, other) == before


def test_one_that_refers_to_others_needs_them_or_comes_without(shop: Shop) -> None:
    """PostgreSQL's is partitioned, and its partitions come along."""
    name = "part" if shop.database.kind == "postgresql" else "child"
    before, backup = shop.execute(f"SELECT * FROM {name} ORDER BY id"), shop.backup()
    line = ("-p", "admin", "restore", backup.name, "--table", name, "--into")
    shop.execute(f"DROP TABLE {name}")
    shop.dbctl.ok(*line, shop.database.name)
    assert shop.execute(f"SELECT * FROM {name} ORDER BY id") == before
    with contextlib.suppress(Exception):  # what the server makes sure of where there is one
        shop.execute(f"INSERT INTO {name} VALUES (999, 9)")
        assert shop.database.server is None

    other = f"{shop.database.name}_{name}"
    result = shop.dbctl.ok(*line, other)
    assert ("foreign key" in result.err.lower()) == (shop.database.server is not None), str(result)
    assert shop.execute(f"SELECT * FROM {name} ORDER BY id", other) == before

    shop.execute(f"DROP TABLE {name}")
    shop.execute("DELETE FROM item WHERE id = 7")
    result = shop.dbctl(*line, shop.database.name)
    assert result.code == 1, str(result)
    with pytest.raises(Exception, match=name):
        shop.execute(f"SELECT 1 FROM {name}")


def test_one_that_is_not_in_it_is_told(lite_shop: Shop) -> None:
    backup = lite_shop.backup()
    result = lite_shop.dbctl("restore", backup.name, "--into", "new.db", "--table", "itme")
    assert (result.code, 'did you mean "item"?' in result.err) == (1, True), str(result)
    result = lite_shop.dbctl("backup", "create", "other", "--exclude-data", "itme")
    assert (result.code, 'did you mean "item"?' in result.err) == (1, True), str(result)


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_table_can_be_there_without_its_rows(shop: Shop) -> None:
    backup = shop.backup("less.backup", "--exclude-data", "part" if shop.database.kind == "postgresql" else "child")
    manifest = json.loads(backup.with_name(f"{backup.name}.manifest.json").read_text())
    without = {table["table"] for table in manifest["tables"] if table["rows"] is None}
    assert without == ({"part_low", "part_high"} if shop.database.kind == "postgresql" else {"child"})
    other = f"{shop.database.name}_less"
    shop.dbctl.ok("-p", "admin", "restore", backup.name, "--into", other)
    assert shop.execute("SELECT count(*) FROM item", other) == [(300,)]
    for table in without:
        assert shop.execute(f"SELECT count(*) FROM {table}", other) == [(0,)]
