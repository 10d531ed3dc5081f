"""`dbctl copy`: what comes over is what was there, whole or not at all, masked where that was said."""

import csv
import io
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbctl.bulk.resuming import RANGE
from tests.bulk.profiles import with_profiles
from tests.bulk.types import made
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.shared import make_shared

SHOP = """
CREATE TABLE team (id integer PRIMARY KEY, name varchar(40) NOT NULL, captain integer);
CREATE TABLE hero (
  id integer PRIMARY KEY, name varchar(40) NOT NULL, email varchar(60), team_id integer, above integer,
  price decimal(12, 3), at timestamp NULL, about text, ok boolean,
  FOREIGN KEY (team_id) REFERENCES team (id), FOREIGN KEY (above) REFERENCES hero (id)
);
INSERT INTO team VALUES (1, 'Preventers', NULL), (2, 'Z-Force', NULL);
INSERT INTO hero VALUES
  (3, 'Rusty-Man', 'r@example.org', 2, 3, -0.5, '2026-01-31 12:00:00', '', true),
  (4, 'Deadpond', NULL, 1, 3, 12345.678, NULL, 'l1
l2	"q",\\N', false),
  (9, '😀', 'r@example.org', NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE hero SET above = 9 WHERE id = 3;
UPDATE team SET captain = 4 WHERE id = 1;
"""


def filled(database: TestDatabase) -> None:
    """Make teams and heroes, which refer to each other and to themselves."""
    text = SHOP.replace("timestamp NULL", "datetime NULL") if database.dialect == "mysql" else SHOP
    text = text if database.dialect == "mysql" else text.replace("\\\\", "\\")
    for statement in text.split(";\n"):
        if statement.strip():
            database.execute(statement)
    if database.kind != "sqlite":
        database.execute("ALTER TABLE team ADD CONSTRAINT leads FOREIGN KEY (captain) REFERENCES hero (id)")


def another(database: TestDatabase, path: Path) -> Iterator[TestDatabase]:
    """Have another database of the same kind."""
    if database.server is None:
        yield TestDatabase.on_file(path / "other.db")
        return
    name = f"{database.name}_b"
    database.server.create_database(name)
    yield TestDatabase.on_server(database.server, name)
    database.server.revive()
    database.server.drop_database(name)


@pytest.fixture
def other(database: TestDatabase, tmp_path: Path) -> Iterator[TestDatabase]:
    yield from another(database, tmp_path)


@pytest.fixture
def lite(tmp_path: Path) -> TestDatabase:
    database = TestDatabase.on_file(tmp_path / "lite.db")
    database.execute("CREATE TABLE there (id integer)")
    return database


def contents(dbctl: Dbctl, profile: str, table: str, order: str = "id") -> list[list[str]]:
    """Return a table's rows as they would be exported."""
    rows = dbctl.ok("-p", profile, "export", "--sql", f"SELECT * FROM {table} ORDER BY {order}", "--null", "NULL").out
    return list(csv.reader(io.StringIO(rows, newline="")))


def test_each_type_comes_over_as_it_is(dbctl: Forked, database: TestDatabase, other: TestDatabase) -> None:
    made(database)
    if database.server is None:
        other.execute("CREATE TABLE there (id integer)")
    on = with_profiles(dbctl, one=database, two=other)
    lax = ["--lossy"] if database.dialect == "mysql" else []  # days that are none are refused otherwise
    [row] = on.ok("copy", "thing", "--from", "one", "--to", "two", "--create", "--verify", "--json", *lax).json
    assert (row["table"], row["rows"], row["verified"]) == ("thing", 3, True)
    assert contents(on, "two", "thing") == contents(on, "one", "thing")


@pytest.mark.parametrize("way", ["there", "back"])
def test_tables_come_to_another_kind_of_database_and_back(
    way: str, dbctl: Forked, server_database: TestDatabase, lite: TestDatabase
) -> None:
    """They refer to each other, and to themselves; numbers go on behind those that came."""
    one, two = (server_database, lite) if way == "there" else (lite, server_database)
    filled(one)
    on = with_profiles(dbctl, one=one, two=two)
    tables = ["hero", "team"]
    first = on("copy", *tables, "--from", "one", "--to", "two", "--create", "--verify")
    assert (first.code, "hero" in first.out) == (0, True), first
    assert _plain(on, "two") == _plain(on, "one")
    assert two.execute("SELECT captain FROM team WHERE id = 1")[0][0] == 4
    again = on("copy", *tables, "--from", "one", "--to", "two")
    assert (again.code, again.out) == (1, "")
    assert two.execute("SELECT count(*) FROM hero")[0][0] == 3


def _plain(dbctl: Dbctl, profile: str) -> list[list[str]]:
    """Return the heroes, with truth as MySQL has it, and without zeros behind a point that mean nothing."""
    words = {"true": "1", "false": "0"}
    rows = [[words.get(cell, cell) for cell in row] for row in contents(dbctl, profile, "hero")]
    return [[cell.rstrip("0").rstrip(".") if "." in cell else cell for cell in row] for row in rows]


def test_it_is_whole_or_not_at_all(dbctl: Forked, database: TestDatabase, other: TestDatabase) -> None:
    filled(database)
    on = with_profiles(dbctl, one=database, two=other)
    other.execute("CREATE TABLE team (id integer PRIMARY KEY, name varchar(40) NOT NULL, captain integer)")
    other.execute(
        "CREATE TABLE hero (id integer PRIMARY KEY, name varchar(40), email varchar(60) NOT NULL, team_id integer,"
        " above integer, price decimal(12, 3), at datetime, about text, ok boolean)".replace(
            "datetime", "datetime" if other.dialect == "mysql" else "timestamp"
        )
    )
    refused = on("copy", "team", "hero", "--from", "one", "--to", "two")
    assert (refused.code, refused.out) == (1, "")
    assert "email" in refused.err
    assert other.execute("SELECT count(*) FROM team")[0][0] == 0
    other.execute("DROP TABLE hero")
    columns = "name varchar(40), email varchar(60), team_id integer, above integer, price integer, at date, about text"
    other.execute(f"CREATE TABLE hero (id integer PRIMARY KEY, {columns}, ok boolean)")
    refused = on("copy", "hero", "--from", "one", "--to", "two")
    assert (refused.code, refused.out) == (1, "")
    assert "hero.price loses" in refused.err
    same = on("copy", "hero", "--from", "one", "--to", "one")
    assert (same.code, "same database" in same.err) == (2, True)
    table = (on.cwd / "profiles.toml").read_text()
    (on.cwd / "profiles.toml").write_text(table.replace("[profiles.two]", "[profiles.two]\nprotected = true"))
    assert on("copy", "team", "--from", "one", "--to", "two").code == 8
    on.ok("copy", "team", "--from", "one", "--to", "two", "--confirm", "two", "--where", "team: id = 2")
    assert other.execute("SELECT id FROM team")[0][0] == 2


def test_what_is_masked_never_comes_over_and_keys_still_fit(
    dbctl: Forked, database: TestDatabase, lite: TestDatabase
) -> None:
    filled(database)
    on = with_profiles(dbctl, one=database, two=lite).with_env(DBCTL_MASK_KEY="k")
    with (on.cwd / "profiles.toml").open("a") as file:
        file.write('\n[profiles.one.mask]\n"hero.*" = "keep"\n"hero.name" = "fake"\n')
        file.write('"hero.email" = "hash"\n"hero.about" = "null"\n')
    copy = ["copy", "hero", "team", "--from", "one", "--to", "two", "--create", "--refuse-unmasked"]
    assert (on(*copy).code, "team.name" in on(*copy).err) == (1, True)
    assert "no rule names team.id, team.name, team.captain; say" in on(*copy).err
    keys = ["--mask", "team.*=keep", "--mask", "hero.id=hash"]
    assert "would not fit" in on(*copy, *keys).err
    more = [word for name in ("hero.above", "team.captain") for word in ("--mask", f"{name}=hash")]
    on.ok(*copy, *keys, *more, "--verify")
    query = "SELECT h.email, h.about, h.name, a.name FROM hero h LEFT JOIN hero a ON a.id = h.above"
    rows = lite.execute(query)
    assert all("Rusty" not in str(row) and "example.org" not in str(row) for row in rows)
    assert len({row[0] for row in rows}) == 2  # the same value is the same, and NULL is NULL
    assert sum(row[3] is not None for row in rows) == 2
    assert {row[1] for row in rows} == {None}


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_indexes_that_are_called_as_tables_get_names_of_their_own(
    dbctl: Forked, database: TestDatabase, lite: TestDatabase
) -> None:
    database.execute("CREATE TABLE team (id integer PRIMARY KEY)")
    columns = "id integer PRIMARY KEY, team integer, KEY team (team), FOREIGN KEY (team) REFERENCES team (id)"
    for name in ("hero", "rival"):
        database.execute(f"CREATE TABLE {name} ({columns})")
    on = with_profiles(dbctl, one=database, two=lite)
    on.ok("copy", "--all", "--from", "one", "--to", "two", "--create")
    names = lite.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql <> '' ORDER BY name")
    assert names == [("hero_team_idx",), ("rival_team_idx",)]


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_key_between_numbers_of_two_sizes_is_refused_before_anything(
    dbctl: Forked, database: TestDatabase, request: pytest.FixtureRequest
) -> None:
    for source in make_shared("postgresql", request):
        source.execute("CREATE TABLE team (id bigint PRIMARY KEY)")
        source.execute("CREATE TABLE hero (id integer PRIMARY KEY, team_id integer REFERENCES team (id))")
        on = with_profiles(dbctl, one=source, two=database)
        result = on("copy", "--all", "--from", "one", "--to", "two", "--create")
        assert (result.code, "hero.team_id (int) refers to team.id (bigint)" in result.err) == (2, True), str(result)
        assert database.execute("SHOW TABLES") == []
        keys = ["--mask", "team.id=hash", "--mask", "hero.team_id=hash"]
        database.execute("CREATE TABLE team (id bigint PRIMARY KEY)")
        database.execute("CREATE TABLE hero (id integer PRIMARY KEY, team_id integer)")
        result = on("copy", "--all", "--from", "one", "--to", "two", *keys)
        assert (result.code, "a hash of another length" in result.err) == (2, True), str(result)
        source.execute("ALTER TABLE hero ADD small smallint")
        database.execute("ALTER TABLE hero ADD small smallint")
        result = on("copy", "hero", "--from", "one", "--to", "two", "--mask", "hero.small=hash")
        assert (result.code, "hero.small: a smallint" in result.err) == (2, True), str(result)


def test_a_mask_that_fits_no_column_is_refused_before_anything(dbctl: Forked, lite: TestDatabase) -> None:
    lite.execute("CREATE TABLE hero (id integer PRIMARY KEY, name text)")
    target = TestDatabase.on_file(dbctl.cwd / "masked.db")
    target.execute("CREATE TABLE other (id integer)")
    on = with_profiles(dbctl, one=lite, two=target)
    copy = ["copy", "hero", "--from", "one", "--to", "two", "--create"]
    for rule in ("hero.nmae", "hero.Name", "hera.*", "there.id"):
        result = on(*copy, "--mask", f"{rule}=null")
        assert (result.code, f"mask {rule}: no column" in result.err) == (2, True), str(result)
    with (on.cwd / "profiles.toml").open("a") as file:
        file.write('\n[profiles.one.mask]\n"there.id" = "keep"\n"*.nmae" = "hash"\n')
    result = on(*copy)
    assert (result.code, "mask *.nmae: no column of the source" in result.err) == (2, True), str(result)
    assert target.execute("SELECT count(*) FROM sqlite_master")[0][0] == 1
    profiles = (on.cwd / "profiles.toml").read_text()
    (on.cwd / "profiles.toml").write_text(profiles.replace("*.nmae", "*.nam?"))
    on.ok(*copy)


def test_a_copy_that_was_killed_goes_on(dbctl: Forked, lite: TestDatabase, tmp_path: Path) -> None:
    with closing(sqlite3.connect(lite.name)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER, part TEXT, v TEXT, PRIMARY KEY (id, part)) WITHOUT ROWID")
        connection.execute(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 120000)"
            " INSERT INTO t SELECT n / 3, 'p''' || (n % 3), n FROM s"
        )
        connection.commit()
    target = TestDatabase.on_file(tmp_path / "resumed.db")
    target.execute("CREATE TABLE there (id integer)")
    on = with_profiles(dbctl, one=lite, two=target)
    copy = ["copy", "t", "--from", "one", "--to", "two", "--create", "--resume"]
    run = on.start(*copy)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not run.has_ended() and not _copied(target):
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run()
    cut = _copied(target)
    assert 0 < cut < 120000
    assert target.execute("SELECT count(*) FROM t")[0][0] == cut
    [row] = on.ok(*copy, "--verify", "--json").json
    assert (row["rows"], row["verified"]) == (120000, True)
    assert target.execute("SELECT count(*), sum(v) FROM t")[0] == lite.execute("SELECT count(*), sum(v) FROM t")[0]
    lite.execute("INSERT INTO t VALUES (99999, 'new', 'x')")
    assert on.ok(*copy, "--verify", "--json").json[0]["rows"] == 120001
    assert target.execute("SELECT name, copied, done FROM dbctl_copy") == [("t", 120001, 1)]


def test_a_copy_by_ranges_that_is_done_is_done_again_only_where_its_rows_are_gone(
    dbctl: Forked, server_database: TestDatabase, lite: TestDatabase
) -> None:
    """Who has run it does not know whether it has said so, as where it was killed then."""
    lite.execute("CREATE TABLE t (id integer PRIMARY KEY, v integer)")
    lite.execute("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    on = with_profiles(dbctl, one=lite, two=server_database)
    copy = ["copy", "t", "--from", "one", "--to", "two", "--create", "--resume", "--json"]

    def copied(*more: str) -> Any:
        return on.ok(*copy, *more).json[0]["rows"], server_database.execute("SELECT count(*), max(v) FROM t")

    assert copied() == copied() == (3, [(3, 3)])
    lite.execute("INSERT INTO t VALUES (4, 4)")
    assert copied() == copied("--verify") == (4, [(4, 4)])
    server_database.execute("DELETE FROM t WHERE id < 4")
    again = on(*copy)
    assert (again.code, "t is copied from its beginning" in again.err) == (1, True), str(again)
    server_database.execute("DELETE FROM t")
    assert copied("--where", "id < 3") == (2, [(2, 2)])
    assert copied("--where", "id > 2") == (2, [(4, 4)])
    server_database.execute("UPDATE dbctl_copy SET done = (1 = 0)")
    other = on(*copy)
    assert (other.code, "say --where and --mask as they were" in other.err) == (2, True), str(other)
    server_database.execute("DELETE FROM t WHERE id < 4")
    server_database.execute("INSERT INTO t VALUES (9, 9)")
    gone = on(*copy, "--where", "id > 2")
    assert (gone.code, "had copied 2 rows, and of these the target has 1 now" in gone.err) == (1, True), str(gone)
    back = on.ok("copy", "--all", "--from", "two", "--to", "one", "--truncate", "--json").json
    assert [row["table"] for row in back] == ["t"]


def test_a_copy_by_ranges_hashes_by_one_key_and_counts_its_rows_from_the_first(
    dbctl: Forked, server_database: TestDatabase, lite: TestDatabase
) -> None:
    lite.execute("CREATE TABLE t (id integer PRIMARY KEY, v text)")
    lite.execute(
        "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ?)"
        " INSERT INTO t SELECT n, 'x' FROM s",
        RANGE + 7,
    )
    on = with_profiles(dbctl, one=lite, two=server_database)
    copy = ["copy", "t", "--from", "one", "--to", "two", "--create", "--resume", "--mask", "t.v=hash"]
    refused = on(*copy)
    assert (refused.code, "set DBCTL_MASK_KEY" in refused.err) == (2, True), str(refused)
    assert on.ok("-p", "two", "tables", "--json").json == []
    lite.execute("UPDATE t SET v = NULL WHERE id = ?", RANGE + 5)
    server_database.execute("CREATE TABLE t (id integer PRIMARY KEY, v varchar(64) NOT NULL)")
    failed = on.with_env(DBCTL_MASK_KEY="k")(*copy)
    assert (failed.code, f"t, row {RANGE + 5}, column v" in failed.err) == (1, True), str(failed)
    other = on.with_env(DBCTL_MASK_KEY="another")(*copy)
    assert (other.code, "say --where and --mask as they were" in other.err) == (2, True), str(other)


def test_a_copy_by_ranges_that_is_refused_leaves_no_table(
    dbctl: Forked, server_database: TestDatabase, lite: TestDatabase
) -> None:
    lite.execute("CREATE TABLE a (id integer PRIMARY KEY)")
    lite.execute("CREATE TABLE b (id double PRIMARY KEY)")
    lite.execute("CREATE TABLE c (id integer PRIMARY KEY, c integer REFERENCES c (id))")
    on = with_profiles(dbctl, one=lite, two=server_database)
    for table in ("b", "c"):
        refused = on("copy", "a", table, "--from", "one", "--to", "two", "--create", "--resume")
        assert (refused.code, "without --resume" in refused.err) == (2, True), str(refused)
        assert on.ok("-p", "two", "tables", "--json").json == []


def _copied(target: TestDatabase) -> Any:
    try:
        return target.execute("SELECT coalesce(max(copied), 0) FROM dbctl_copy")[0][0]
    except sqlite3.OperationalError:
        return 0
