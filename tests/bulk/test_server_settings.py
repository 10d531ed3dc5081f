"""Rows into and out of MySQL and MariaDB whose settings are those of other people."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_no_row_is_left_out_by_a_limit_of_the_servers(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    database.execute("INSERT INTO t VALUES (1), (2), (3)")
    on = with_profiles(dbctl, own=database)
    config = (on.cwd / "profiles.toml").read_text()
    limited = config.replace("[profiles.own]", '[profiles.own]\nquery.init_command = "SET sql_select_limit = 1"')
    (on.cwd / "profiles.toml").write_text(limited)
    for more in (["t"], ["--sql", "SELECT id FROM t ORDER BY id"]):
        assert on.ok("export", *more, "-").out == "id\n1\n2\n3\n"


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_server_that_wants_keys_has_one_in_what_is_loaded_over_rows(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer AUTO_INCREMENT PRIMARY KEY, v integer)")
    database.execute("INSERT INTO t VALUES (1, 1)")
    on = with_profiles(dbctl, own=database)
    (on.cwd / "t.csv").write_text("id,v\n1,5\n0,7\n4,8\n")
    assert database.server
    database.server.execute("SET GLOBAL sql_require_primary_key = ON")
    try:
        on.ok("import", "t.csv", "t", "--on-conflict", "update")
    finally:
        database.server.execute("SET GLOBAL sql_require_primary_key = OFF")
    assert database.execute("SELECT id, v FROM t ORDER BY id") == [(0, 7), (1, 5), (4, 8)]


@contextmanager
def set_to(database: TestDatabase, **settings: int) -> Iterator[None]:
    """Have a server's sessions that begin in the block be set so."""
    server = database.server
    assert server
    before = [(name, server.execute(f"SELECT @@GLOBAL.{name}")[0][0]) for name in settings]
    try:
        for name, value in settings.items():
            server.execute(f"SET GLOBAL {name} = {value}")
        yield
    finally:
        for name, value in before:
            server.execute(f"SET GLOBAL {name} = {value}")


SEND = """
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Session

INSERT = text("INSERT INTO t VALUES (9, :w)")

def one(session: Session) -> None:
    session.execute(INSERT, {"w": "x" * 3_000_000})

async def other(session: AsyncSession) -> None:
    await session.execute(INSERT, {"w": "x" * 3_000_000})
"""


@pytest.mark.slow
@pytest.mark.dependency
@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_a_row_that_is_larger_than_a_server_takes_is_named(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, w longtext)")
    on = with_profiles(dbctl, own=database)
    (on.cwd / "t.csv").write_text(f"id,w\n1,a\n2,{'x' * 700_000}\n3,{'é' * 700_000}\n4,b\n")
    (on.cwd / "send.py").write_text(SEND)
    with set_to(database, max_allowed_packet=1 << 20, local_infile=0):
        result = on("import", "t.csv", "t")
        assert (result.code, "t.csv, line 4: it takes 1,400," in result.err) == (1, True), str(result)
        assert "no more than 1,048,574: raise its max_allowed_packet" in result.err, str(result)
        result = on.ok("import", "t.csv", "t", "--max-errors", "1", "--json")
        assert (result.json["rows"], result.json["rejected"]) == (3, 1), str(result)
        for function in ("send:one", "send:other"):
            result = on("run", function)
            assert result.code in {1, 4}, str(result)
            assert "a statement of 3,000,0" in result.err, str(result)
            assert "max_allowed_packet" in result.err, str(result)
    with set_to(database, max_allowed_packet=1 << 16, local_infile=1):  # by LOAD DATA no row is too large
        assert on.ok("import", "t.csv", "t", "--truncate", "--json").json["rows"] == 4
    assert database.execute("SELECT id, length(w) FROM t") == [(1, 1), (2, 700_000), (3, 1_400_000), (4, 1)]


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_a_table_is_emptied_where_a_server_keeps_others_from_that(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, v integer)")
    database.execute("INSERT INTO t VALUES (1, 1)")
    on = with_profiles(dbctl, own=database)
    (on.cwd / "t.csv").write_text("id,v\n1,5\n2,8\n")
    on.ok("init-tables")
    database.execute("INSERT INTO team (id, name, headquarters) VALUES (1, 'A', 'x'), (2, 'B', 'x')")
    database.execute("INSERT INTO hero (id, name, secret_name, team_id) VALUES (1, 'Deadpond', 'x', 1)")
    (on.cwd / "moves.csv").write_text("hero,from,to\n1,A,B\n")
    with set_to(database, sql_safe_updates=1):
        for more in (["--truncate"], ["--on-conflict", "update"], ["--on-conflict", "skip"]):
            on.ok("import", "t.csv", "t", *more)
        on.ok("transfer", "--file", "moves.csv")
        assert on("query", "--write", "DELETE FROM t").code == 1
    assert database.execute("SELECT id, v FROM t ORDER BY id") == [(1, 5), (2, 8)]
