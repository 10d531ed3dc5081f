"""What PostgreSQL's databases have besides tables and rows, and what goes wrong with its own tools."""

import json

import pytest

from tests.backups.conftest import Shop


def test_rows_that_are_elsewhere_are_not_counted(pg_shop: Shop) -> None:
    """Those of another server, those of the tables that inherit, and what a materialized view had once."""
    server, name = pg_shop.database.server, pg_shop.database.name
    assert server
    for statement in (
        "CREATE TABLE parent AS SELECT 1 AS a",
        "CREATE TABLE kid () INHERITS (parent)",
        "INSERT INTO kid VALUES (2), (3)",
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE far () INHERITS (parent) SERVER nowhere",
        "CREATE MATERIALIZED VIEW empty AS SELECT 1 WITH NO DATA",
        "UPDATE item SET feels = 'sad' WHERE id < 5",
    ):
        server.execute(statement, database=name)
    pg_shop.dbctl.ok("-p", "admin", "backup", "create", "x")
    tables = json.loads((pg_shop.dbctl.cwd / "x.manifest.json").read_text())["tables"]
    rows = {table["table"]: table["rows"] for table in tables}
    assert [rows[table] for table in ("parent", "kid", "empty", "summed")] == [1, 2, None, None]
    assert "far" not in rows
    pg_shop.dbctl.ok("backup", "verify", "x", "--on", "admin")
    pg_shop.dbctl.ok("-p", "admin", "restore", "x", "--into", name, "--drop-old")
    with pytest.raises(Exception, match="has not been populated"):
        pg_shop.execute("SELECT * FROM empty", name)
    assert pg_shop.execute("SELECT * FROM summed ORDER BY 1", name) == [("sad", 4), ("happy", 296)]
