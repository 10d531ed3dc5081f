"""What PostgreSQL's databases have besides tables and rows, and what goes wrong with its own tools."""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dbctl.backends.postgresql.backups import PostgreSQLBackups
from tests.backups.conftest import Shop
from tests.backups.held import in_the_way, running, wait_for
from tests.backups.test_rights import databases
from tests.harness.forked import of_tests
from tests.servers.server import Server


@contextlib.contextmanager
def others_on(shop: Shop, *roles: str) -> Iterator[Server]:
    """Have some roles on the server for the block; after it they are gone, with all databases of the test."""
    server, name = shop.database.server, shop.database.name
    assert server
    for role in roles[:2]:
        server.create_role(role, "pw")
    try:
        yield server
    finally:
        for database, subscription in server.execute(
            "SELECT datname, subname FROM pg_database d LEFT JOIN pg_subscription ON subdbid = d.oid"
        ):
            if not database.startswith((name, "dbctl_")):
                continue
            if subscription:
                for change in ("ALTER {} DISABLE", "ALTER {} SET (slot_name = NONE)", "DROP {}"):
                    server.execute(change.format(f'SUBSCRIPTION "{subscription}"'), database=database)
            server.execute(f'ALTER DATABASE "{database}" IS_TEMPLATE false')
            server.drop_database(database)
        # A server does not start as a standby with one in its own directory.
        for (tablespace,) in server.execute("SELECT spcname FROM pg_tablespace WHERE spcname !~ '^pg_'"):
            server.execute(f'DROP TABLESPACE "{tablespace}"')
        for role in roles:
            server.drop_role(role)


_LIKE = """
SELECT datistemplate, datacl::text, spcname, shobj_description(d.oid, 'pg_database'), datconnlimit,
       (SELECT array_agg(one ORDER BY setrole, one) FROM pg_db_role_setting, unnest(setconfig) one
        WHERE setdatabase = d.oid)
FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = '{}'
"""
_RIGHTS = """
SELECT (SELECT array_agg(DISTINCT pg_get_userbyid(relowner)) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
       (SELECT substring(relacl::text, 'here=[a-z*]*') FROM pg_class WHERE oid = 'public.item'::regclass
        AND relacl::text !~ 'gone|moved'),
       (SELECT proacl::text FROM pg_proc WHERE oid = 'public.stamp'::regproc),
       (SELECT array_agg(polname || ' ' || polroles::regrole[]::text ORDER BY 1) FROM pg_policy)
"""


def test_without_owners_all_else_that_names_a_role_stays_and_so_does_what_the_database_is_like(pg_shop: Shop) -> None:
    name, new = pg_shop.database.name, f"{pg_shop.database.name}_new"
    with others_on(pg_shop, "here", "gone", "moved") as server:
        for statement in (
            "GRANT SELECT ON item TO here WITH GRANT OPTION",
            "GRANT SELECT ON item TO gone",
            "CREATE FOREIGN DATA WRAPPER nothing",
            "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing",
            "CREATE USER MAPPING FOR gone SERVER nowhere OPTIONS (password 's3cret')",
            "REVOKE EXECUTE ON FUNCTION stamp() FROM PUBLIC",
            "GRANT EXECUTE ON FUNCTION stamp() TO gone",
            'CREATE POLICY "a TO b" ON part AS RESTRICTIVE TO gone, here USING (k > 0)',
            "CREATE POLICY theirs ON part TO gone USING (k > 0)",
            "COMMENT ON POLICY theirs ON part IS 'x;'",
            f"ALTER DATABASE {name} SET search_path = '', \"a b\", public",
            f"ALTER DATABASE {name} SET temp_tablespaces = ''",
            f"ALTER ROLE here IN DATABASE {name} SET work_mem = '1MB'",
            f"COMMENT ON DATABASE {name} IS '50%'",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {name} TO here, gone",
            f"ALTER DATABASE {name} CONNECTION LIMIT 7",
            f"ALTER DATABASE {name} IS_TEMPLATE true",
        ):
            server.execute(statement, database=name)
        with contextlib.closing(server.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("SET allow_in_place_tablespaces = on")
            cursor.execute("CREATE TABLESPACE fast LOCATION ''")
        server.execute(f"ALTER DATABASE {name} SET TABLESPACE fast")
        before = server.execute(_LIKE.format(name))
        pg_shop.dbctl.ok("-p", "admin", "backup", "create", backup := "x")
        server.execute("ALTER ROLE gone RENAME TO moved")
        server.execute("ALTER TABLESPACE fast RENAME TO faster")
        pg_shop.dbctl.ok("backup", "verify", backup, "--on", "admin")
        result = pg_shop.dbctl.ok("-p", "admin", "restore", backup, "--into", new, "--no-owner")
        told = [line.rpartition("without ")[2] for line in result.err.splitlines() if "without " in line]
        assert [line.partition(" ON ")[0] for line in told] == [
            "this: CREATE USER MAPPING FOR gone SERVER nowhere: role \"gone\" does not exist",
            'gone: CREATE POLICY "a TO b"', "this: CREATE POLICY theirs", "this: COMMENT",
            "this: GRANT ALL", "this: GRANT SELECT", "this: GRANT CONNECT",
        ]  # fmt: skip
        assert "no tablespace fast" in result.err
        limits = (7, settings := ['search_path="", "a b", public', 'temp_tablespaces=""', "work_mem=1MB"])
        own = "{postgres=CTc/postgres,here=c/postgres}"
        assert server.execute(_LIKE.format(new)) == [(True, own, "pg_default", "50%", *limits)]
        assert before == [(True, own.replace("postgres", "app")[:-1] + ",gone=c/app}", "fast", "50%", 7, settings)]
        rights = (["postgres"], "here=r*", "{postgres=X/postgres}", ["a TO b {here}"])
        assert server.execute(_RIGHTS, database=new) == [rights]
        pg_shop.dbctl.ok("-p", "admin", "restore", backup, "--into", name, "--no-owner", "--drop-old")
        own = own[:-1] + ",moved=c/postgres}"
        assert server.execute(_LIKE.format(name)) == [(True, own, "faster", "50%", *limits)]
        assert server.execute(_RIGHTS, database=name) == [rights]
        assert pg_shop.dbctl("-p", "admin", "restore", backup, "--into", "template1").code == 1
        assert databases(pg_shop) == [new]


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
    assert [rows[table] for table in ("parent", "kid", "empty", "summed")] == [1, 2, None, 1]
    assert "far" not in rows
    pg_shop.dbctl.ok("backup", "verify", "x", "--on", "admin")
    pg_shop.dbctl.ok("-p", "admin", "restore", "x", "--into", name, "--drop-old")
    with pytest.raises(Exception, match="has not been populated"):
        pg_shop.execute("SELECT * FROM empty", name)
    assert pg_shop.execute("SELECT * FROM summed ORDER BY 1", name) == [("sad", 4), ("happy", 296)]


def test_a_subscription_is_brought_to_life_by_nobody(pg_shop: Shop) -> None:
    name, query = (
        pg_shop.database.name,
        ("SELECT datname, subenabled, subslotname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid"),
    )
    line = ("-p", "admin", "restore", "x", "--into", name, "--drop-old", "--json")
    with others_on(pg_shop) as server:
        server.execute(
            """CREATE SUBSCRIPTION "Su b" CONNECTION 'host=127.0.0.1 password=s3cret' PUBLICATION p
            WITH (connect = false)""",
            database=name,
        )
        pg_shop.dbctl.ok("-p", "admin", "backup", "create", "bad")  # no slot can have the name that its slot is to have
        result = pg_shop.dbctl("-p", "admin", "restore", "bad", "--into", name)
        assert (result.code, 'CREATE SUBSCRIPTION "Su b"' in result.err, "s3cret" in result.err) == (1, True, False)
        server.execute("ALTER SUBSCRIPTION \"Su b\" SET (slot_name = 'slot')", database=name)
        pg_shop.dbctl.ok("-p", "admin", "backup", "create", "x")
        before = server.execute(query)
        server.execute('ALTER SUBSCRIPTION "Su b" ENABLE', database=name)
        result = pg_shop.dbctl(*line, "--force")
        assert (result.code, "at work" in result.err, databases(pg_shop)) == (1, True, []), str(result)
        server.execute('ALTER SUBSCRIPTION "Su b" DISABLE', database=name)
        pg_shop.dbctl.ok("backup", "verify", "x", "--on", "admin")
        manifest = pg_shop.dbctl.cwd / "x.manifest.json"
        content = manifest.read_text()
        manifest.write_text(content.replace('"rows": 300', '"rows": 301'))
        result = pg_shop.dbctl(*line)
        assert result.code == 6, str(result)
        assert (server.execute(query), databases(pg_shop)) == (before, [])
        manifest.write_text(content)
        result = pg_shop.dbctl.ok(*line)
        old = result.json["before"]
        assert sorted(server.execute(query)) == [(name, False, "slot"), (old, False, "slot")]
        for words in (f'"Su b" in {name} is disabled', f'"Su b" stays in {old}', f"the one before stays as {old}"):
            assert words in result.err


def test_only_a_wait_for_a_lock_has_an_end_of_its_own(pg_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement of a backup takes as long as the database is large, whoever has set what bounds it."""
    line = ("backup", "create")
    with in_the_way(pg_shop) as (dbctl, waiting):
        result = dbctl(*line, "x", "--lock-timeout", "0.5")
        assert (result.code, result.out, "lock" in result.err) == (5, "", True), str(result)
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(running(dbctl, *line, "x", "--timeout", "0.5"))
            wait_for(waiting)
            time.sleep(1.5)  # what cuts a connection does so by then
            assert process.poll() is None
    server, count = pg_shop.database.server, PostgreSQLBackups.count_rows
    assert server

    def counted(self: PostgreSQLBackups, connection: Any, *table: Any) -> int:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
        return count(self, connection, *table)

    monkeypatch.setattr(PostgreSQLBackups, "count_rows", counted)
    profiles = pg_shop.dbctl.cwd / "profiles.toml"
    profiles.write_text(profiles.read_text().replace("[profiles.admin]", "[profiles.admin]\nstatement_timeout = 600"))
    server.execute(f"ALTER ROLE {server.user} SET statement_timeout = '5min'")
    try:
        for words in ((*line, "y"), ("backup", "verify", "y")):
            result = of_tests(pg_shop.dbctl)("-p", "admin", *words)
            assert result.code == 0, str(result)
    finally:
        server.execute(f"ALTER ROLE {server.user} RESET statement_timeout")


def test_what_can_not_be_restored_is_told_with_the_reason(pg_shop: Shop) -> None:
    name = pg_shop.database.name
    for statement in (
        "CREATE FUNCTION inner_() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN\nRETURN inner_();\nEND$$",
        "CREATE TABLE checked (id int CHECK (f(id) > 0))",
        "INSERT INTO checked VALUES (4711)",
    ):
        pg_shop.execute(statement)
    backup = pg_shop.backup().name
    for line, code in ((("restore", backup, "--into", name), 1), (("backup", "verify", backup), 6)):
        result = pg_shop.dbctl("-p", "admin", *line)
        (told,) = [line for line in result.err.splitlines() if line.startswith("dbctl: error: ")]
        assert (result.code, "4711" in told) == (code, False), str(result)
        assert 'pg_restore: error: COPY failed for table "checked": ERROR:  function inner_() does not exist' in told
    assert databases(pg_shop) == []
