"""Rows into and out of MySQL and MariaDB whose settings are those of other people."""

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
