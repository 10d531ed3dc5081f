"""Columns of MySQL and MariaDB that are returned to who names them, and the key that MySQL gives a table by itself."""

from collections.abc import Iterator

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.shared import make_shared
from tests.migrations.service import Service

COLUMNS = "a int, b varchar(9) INVISIBLE, c int NOT NULL INVISIBLE DEFAULT 3"
VISIBLE = {"mysql": ["a"], "mariadb": ["a", "c"], "postgresql": ["a", "b", "c"], "sqlite": ["a", "b", "c"]}
NAMES = {
    "sqlite": "SELECT name FROM pragma_table_info('t')",
    "postgresql": "SELECT column_name FROM information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position",
    "mysql": "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = 't'"
    " AND extra NOT LIKE '%INVISIBLE%' ORDER BY ordinal_position",
}
MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("t", metadata, sa.Column("a", sa.Integer))
"""
SHOP = """
import sqlalchemy as sa
target_metadata = sa.MetaData()
sa.Table("item", target_metadata, sa.Column("id", sa.Integer, primary_key=True),
         sa.Column("name", sa.String(40), nullable=False, index=True), sa.Column("price", sa.Integer))
sa.Table("runs", target_metadata, sa.Column("revision", sa.String(20), nullable=False))
"""


@pytest.fixture
def database(database: TestDatabase) -> Iterator[TestDatabase]:
    """A MySQL that gives a table without a primary key one."""
    assert database.server
    database.server.execute("SET GLOBAL sql_generate_invisible_primary_key = 1")
    yield database
    database.server.execute("SET GLOBAL sql_generate_invisible_primary_key = 0")


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
@pytest.mark.parametrize("kind", ["mysql", "mariadb", "postgresql", "sqlite"])
def test_what_is_invisible_stays_so_where_it_can(
    kind: str, dbctl: Forked, database: TestDatabase, request: pytest.FixtureRequest
) -> None:
    database.execute(f"CREATE TABLE t ({COLUMNS})")
    database.execute("INSERT INTO t (a, b, c) VALUES (1, 'x', 2), (1, 'x', 2)")
    for other in make_shared(kind, request):
        other.execute("CREATE TABLE there (a int)")
        on = with_profiles(dbctl, one=database, two=other)
        copy = ["copy", "t", "--from", "one", "--to", "two", "--create", "--verify"]
        said = on.ok(*copy).err
        assert [name for (name,) in other.execute(NAMES[other.dialect])] == VISIBLE[kind]
        assert other.execute("SELECT a, b, c FROM t") == [(1, "x", 2)] * 2
        shown = [name for name in "bc" if f"t.{name} is created visible" in said]
        assert shown == VISIBLE[kind][1:], said
        if other.dialect == "mysql":
            assert other.execute("SELECT my_row_id FROM t ORDER BY 1") == [(1,), (2,)]
            other.execute("INSERT INTO t (a, c) VALUES (5, 5)")  # numbers go on
            resumed = on.ok(*copy[:-1], "--resume", "--where", "a = 5").err
            assert "all is there" in resumed
            described = on.ok("-p", "two", "describe", "t", "--json").json["columns"]
            assert {one["name"]: one["definition"] for one in described}["b"] == "varchar(9) INVISIBLE"
        database.execute("DELETE FROM t")  # and back, from one that has no such key
        on.ok("copy", "t", "--from", "two", "--to", "one", "--verify")


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_key_that_nobody_has_declared_is_no_drift(dbctl: Forked, database: TestDatabase) -> None:
    pytest.importorskip("alembic.runtime.plugins")  # which the oldest alembic lacks
    (dbctl.cwd / "plain.py").write_text(MODELS, encoding="utf-8")
    on = with_profiles(dbctl, one=database)
    on.ok("init-tables", "--models", "plain")
    assert database.execute("SELECT my_row_id FROM t") == []
    on.ok("drift", "--models", "plain")
    database.execute("ALTER TABLE t ALTER COLUMN my_row_id SET VISIBLE")
    assert on("drift", "--models", "plain").code == 6
    database.execute("DROP TABLE t")
    service = Service.make(dbctl.cwd, "generic", "shop")  # whose table of runs has no key
    on.ok("migrate", "upgrade")
    service.edit("migrations/env.py", "target_metadata = None", SHOP)
    on.ok("migrate", "check", "--models")
