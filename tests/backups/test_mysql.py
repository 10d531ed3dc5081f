"""What MySQL's and MariaDB's backups have of their own: what their tools leave out, and what names its database."""

import contextlib
import json
import time
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.backups.test_create import files_in, manifest_of
from tests.backups.test_rights import databases, refusal

on_mysql = pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
on_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)

_MADE_ELSEWHERE = [
    "SET time_zone = '+05:00'",
    "ALTER EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 03:00:00'",
    "ALTER DATABASE `{name}` COLLATE utf8mb4_bin",
    "CREATE TRIGGER folded BEFORE INSERT ON child FOR EACH ROW SET @folded = /* kept */ 'ä' = 'ae'",
    "ALTER DATABASE `{name}` COLLATE utf8mb4_general_ci",
]
_ONLY_MARIADB = [
    "CREATE SEQUENCE odd START 17",
    "CREATE TABLE numbered (id int DEFAULT nextval(odd) PRIMARY KEY, t text) WITH SYSTEM VERSIONING",
    "INSERT INTO numbered (t) VALUES ('a')",
    "CREATE DEFINER = ghost@nowhere VIEW haunted AS SELECT id AS `it's`, '`{name}`.' AS t FROM item",
    "SET sql_mode = 'ORACLE'",
    "CREATE PACKAGE packed AS FUNCTION one RETURN int; END",
    "CREATE PACKAGE BODY packed AS FUNCTION one RETURN int AS BEGIN RETURN 1; END; END",
]
_ONLY_MYSQL = [
    "CREATE LIBRARY shelf LANGUAGE JAVASCRIPT AS 'export const one = 1'",
    "CREATE FUNCTION lent() RETURNS int DETERMINISTIC LANGUAGE JAVASCRIPT USING (shelf) AS 'return shelf.one'",
]


def run(shop: Shop, *statements: str) -> None:
    """Run statements in one session of the superuser's, whose text is in Latin-1."""
    server, name = shop.database.server, shop.database.name
    assert server
    with contextlib.closing(server.connect(database=name)) as connection, connection.cursor() as cursor:
        cursor.execute("SET NAMES latin1 COLLATE latin1_german2_ci")
        vars(connection)["encoding"] = "latin1"
        for statement in statements:
            cursor.execute(statement.format(name=name))


def definitions(shop: Shop, database: str) -> dict[str, Any]:
    """Return how all that does not move was made; without its own name, and the moment that it was."""
    wanted = ["TRIGGER folded", "TRIGGER stamped", "EVENT nightly", "VIEW dear", "PROCEDURE fill"]
    if shop.database.kind == "mariadb":
        wanted += ["TABLE numbered", "VIEW haunted", "PACKAGE packed", "PACKAGE BODY packed"]
    else:
        wanted += ["LIBRARY shelf", "FUNCTION lent"]
    found = {one: list(shop.execute(f"SHOW CREATE {one}", database)[0]) for one in wanted}
    for row in found.values():
        row[:] = [one.replace(f"`{database}`.`", "`…`.`") for one in row if isinstance(one, str)]
    return found


@on_mysql
def test_what_does_not_move_is_made_as_it_was_wherever_it_comes(shop: Shop) -> None:
    """And the old one's events don't go on beside the new one's; what can't be made there is told."""
    mariadb, name = shop.database.kind == "mariadb", shop.database.name
    run(shop, *_MADE_ELSEWHERE, *(_ONLY_MARIADB if mariadb else _ONLY_MYSQL))
    before = definitions(shop, name)
    shop.dbctl.ok("-p", "admin", "backup", "create", "all.sql")
    shop.dbctl.ok("backup", "verify", "all.sql", "--on", "admin")
    run(shop, "CREATE TABLE gone (a int)", "CREATE VIEW broken AS SELECT a FROM gone", "DROP TABLE gone")
    line = ("-p", "admin", "restore", "all.sql", "--into")
    result = shop.dbctl.ok(*line, name, "--json")
    old = result.json["before"]
    assert f"the events in {old} are disabled" in result.err
    assert [one for one in result.err.splitlines() if "VIEW broken" in one and "AS select `gone`.`a`" in one]
    assert definitions(shop, name) == before
    kept = definitions(shop, old)
    assert "PRESERVE DISABLE DO" in kept["EVENT nightly"][3]
    kept["EVENT nightly"][3] = kept["EVENT nightly"][3].replace("DISABLE", "ENABLE")
    assert kept == before
    shop.dbctl.ok(*line, f"{name}_other")
    assert definitions(shop, f"{name}_other") == before
    if mariadb:
        for place in (name, old, f"{name}_other"):
            shop.execute("INSERT INTO numbered (t) VALUES ('b')", place)
        result = shop.dbctl.ok(*line, f"{name}_one", "--table", "numbered")
        assert f"SET DEFAULT nextval(`{name}`.`odd`)" in result.err


@on_mysql
def test_events_run_neither_in_a_scratch_database_nor_in_the_one_before(shop: Shop) -> None:
    server, name = shop.database.server, shop.database.name
    assert server
    ((was,),) = server.execute("SELECT @@GLOBAL.event_scheduler")
    shop.execute(
        "CREATE EVENT `at ``once` ON SCHEDULE EVERY 1 SECOND ENABLE DO INSERT INTO part SELECT max(id) + 1, 1 FROM part"
    )
    shop.backup()
    enabled = "SELECT count(*) FROM information_schema.events WHERE event_schema = database() AND status = 'ENABLED'"
    asked = ("--query", enabled, "--expect")
    server.execute("SET GLOBAL event_scheduler = ON")
    try:
        shop.dbctl.ok("backup", "verify", "shop.backup", "--on", "admin", *asked, "0")
        old = shop.dbctl.ok("-p", "admin", "restore", "shop.backup", "--into", name, "--force", "--json").json["before"]
        rows, kept = shop.rows["part"], shop.execute("SELECT count(*) FROM part", old)
        time.sleep(1.5)
        assert shop.rows["part"] > rows
        assert shop.execute("SELECT count(*) FROM part", old) == kept
    finally:
        server.execute(f"SET GLOBAL event_scheduler = {was}")


@on_mariadb
def test_rows_are_counted_however_mariadb_keeps_and_writes_them(shop: Shop) -> None:
    """What a system-versioned table once had comes along, unless its times are transactions."""
    name = shop.database.name
    run(
        shop,
        "CREATE TABLE hidden (x int, y int INVISIBLE DEFAULT 5)",
        "INSERT INTO hidden (x, y) VALUES (1, 2), (3, 4), (5, 6)",
        "CREATE TABLE `ver%s` (x int PRIMARY KEY, y int INVISIBLE) WITH SYSTEM VERSIONING",
        "INSERT INTO `ver%s` VALUES (1), (2)",
        "UPDATE `ver%s` SET y = 1",
        "CREATE TABLE one (a int) ENGINE = MyISAM",
        "INSERT INTO one VALUES (1), (2)",
        "CREATE TABLE merged (a int) ENGINE = MERGE UNION = (one)",
    )
    manifest = manifest_of(shop.backup())
    rows = {one["table"]: one["rows"] for one in manifest["tables"]}
    assert [rows[one] for one in ("hidden", "ver%s", "one", "merged")] == [3, 4, 2, None]
    assert "the rows of merged, which are elsewhere" in manifest["lacks"]
    shop.dbctl.ok("backup", "verify", "shop.backup", "--on", "admin")
    shop.dbctl.ok("-p", "admin", "restore", "shop.backup", "--into", name)
    assert shop.execute("SELECT count(*), count(y) FROM `ver%s` FOR SYSTEM_TIME ALL") == [(4, 2)]
    assert shop.execute("SELECT a FROM merged") == [(1,), (2,)]

    columns = ", ".join(f"{one} bigint unsigned GENERATED ALWAYS AS ROW {one}" for one in ("start", "end"))
    run(
        shop,
        f"CREATE TABLE counted (x int, {columns}, PERIOD FOR SYSTEM_TIME (start, end)) ENGINE = InnoDB"
        " WITH SYSTEM VERSIONING",
        "INSERT INTO counted (x) VALUES (1)",
        "UPDATE counted SET x = 2",
    )
    result = shop.dbctl.ok("backup", "create", "less.backup")
    assert "the history of counted, ver%s: that of counted is by transactions" in result.err
    assert "the history of ver%s" in manifest_of(shop.dbctl.cwd / "less.backup")["lacks"]
    shop.dbctl.ok("backup", "verify", "less.backup", "--on", "admin")


@on_mariadb
def test_a_row_may_be_as_large_as_the_server_takes(shop: Shop) -> None:
    server = shop.database.server
    assert server
    ((most,),) = server.execute("SELECT @@GLOBAL.max_allowed_packet")
    server.execute("SET GLOBAL max_allowed_packet = 64 * 1024 * 1024")
    try:
        shop.execute("CREATE TABLE large (a longtext)")
        shop.execute("INSERT INTO large VALUES (repeat('x', 26000000))")
        shop.backup()
        shop.dbctl.ok("backup", "verify", "shop.backup", "--on", "admin")
    finally:
        server.execute(f"SET GLOBAL max_allowed_packet = {most}")


@on_mysql
def test_what_can_not_be_is_refused_in_one_line_before_anything(shop: Shop) -> None:
    server, name = shop.database.server, shop.database.name
    assert server
    shop.backup()
    line = ("-p", "admin", "restore", "shop.backup", "--into")
    server.create_database(f"{name}_near")
    before = databases(shop)
    shop.execute(f"CREATE TABLE near (a int, CONSTRAINT far FOREIGN KEY (a) REFERENCES {name}.item (id))", before[0])
    assert f"far of {name}_near.near" in refusal(shop.dbctl(*line, name))
    assert f"far of {name}_near.near" in refusal(shop.dbctl(*line, name, "--drop-old", "--dry-run"))
    assert "\N{ELEPHANT}" in refusal(shop.dbctl(*line, f"{name}_\N{ELEPHANT}"), 2)
    if shop.database.kind == "mariadb":
        assert "differs in case alone" in refusal(shop.dbctl(*line, name.upper()))
    other = {"mariadb": "MySQL", "mysql": "MariaDB"}[shop.database.kind]
    manifest = shop.dbctl.cwd / "shop.backup.manifest.json"
    content = json.loads(manifest.read_text())
    odd = {"encoding": "utf8mb4", "collate": "utf8mb4_of_theirs"}
    manifest.write_text(json.dumps(content | {"server": other, "properties": odd}))
    assert f"is of {other}" in refusal(shop.dbctl("backup", "verify", "shop.backup", "--on", "admin"), 2)
    assert databases(shop) == before


@on_mysql
def test_a_locked_table_is_waited_for_as_long_as_is_said(shop: Shop) -> None:
    with contextlib.closing(shop.database.connect()) as connection:
        connection.cursor().execute("LOCK TABLES child WRITE")
        began = time.monotonic()
        result = shop.dbctl("backup", "create", "x.sql", "--lock-timeout", "1", "--deadline", "20")
        assert "--lock-timeout" in refusal(result, 5)
        assert time.monotonic() - began < 10
    assert files_in(shop.dbctl.cwd) == set()
