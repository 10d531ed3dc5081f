"""`dbctl activity`: who does what for how long, and who keeps whom waiting."""

from typing import Any

import pytest

from tests.activity.sessions import Cast, end, until, writing
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.servers.authority import Authority
from tests.servers.postgres import PostgresServer

ROW = "UPDATE contended SET x = x + 1 WHERE id = 1"
ALTER = "ALTER TABLE contended ALTER COLUMN x SET DEFAULT 0"  # which may be done twice


def seen(dbctl: Forked, *options: str) -> dict[int, dict[str, Any]]:
    return {row["session"]: row for row in dbctl.ok("activity", *options, "--json").json}


def blocked(dbctl: Forked, *sessions: int) -> dict[int, dict[str, Any]]:
    """Return what is seen when all these sessions wait."""

    def look() -> dict[int, dict[str, Any]] | None:
        found = seen(dbctl, "--blocked")
        return found if {*sessions} <= {number for number, row in found.items() if row["state"] == "waiting"} else None

    found: dict[int, dict[str, Any]] = until(look)
    return found


def test_who_holds_a_row_stands_above_who_waits_for_it(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding(ROW)
    first = cast.waiting(ROW)
    blocked(seer, first)
    second = cast.waiting(ROW)
    found = blocked(seer, first, second)
    assert next(iter(found)) == holder
    assert found[holder]["state"] == "idle in transaction"
    assert found[holder]["transaction_seconds"] >= 0
    assert (found[holder]["blocked_by"], found[holder]["root"]) == ([], holder)
    assert holder in found[first]["blocked_by"]
    assert {*found[second]["blocked_by"]} & {holder, first}
    for waiting in (first, second):
        assert found[waiting]["root"] == holder
        assert found[waiting]["statement"] == ROW
        assert found[waiting]["waits_for"]
        assert found[waiting]["suspects"] == []
    tree = [line for line in seer.ok("activity", "--blocked", "-o", "table").out.splitlines() if "`-" in line]
    assert [str(number) in line for number, line in zip((first, second), tree, strict=True)] == [True, True]


def test_an_alter_waits_for_an_idle_transaction_and_all_others_for_the_alter(
    contended: TestDatabase, seer: Forked, cast: Cast
) -> None:
    holder = cast.holding("SELECT * FROM contended")
    alter = cast.waiting(ALTER)
    blocked(seer, alter)
    reader = cast.waiting("SELECT * FROM contended")
    found = blocked(seer, alter, reader)
    assert not found[alter]["waits_for"].startswith("Waiting")  # it is shown behind "waits for"
    assert seer("kill", "99999999").err.endswith("there is no session 99999999\n")  # and none that is not told of
    if contended.kind == "mariadb":
        assert found[alter]["blocked_by"] == []
        assert holder in found[alter]["suspects"]
        said = seer.ok("activity", "--blocked").err
        assert "who holds what session" in said
        assert "INSTALL SONAME 'metadata_lock_info'" in said
        shown = seer.ok("activity", "--blocked", "-o", "table").out
        assert f"`? {alter}" in shown
        return
    assert found[alter]["blocked_by"] == [holder]
    assert found[reader]["blocked_by"] == [alter]
    assert [found[number]["root"] for number in (holder, alter, reader)] == [holder] * 3
    assert list(found) == [holder, alter, reader]
    assert seer.ok("activity", "--blocked").err == ""


def test_what_is_idle_is_counted_and_shown_where_all_is_asked_for(
    contended: TestDatabase, seer: Forked, cast: Cast
) -> None:
    idle = cast.holding("SELECT 1", autocommit=True)
    result = seer.ok("activity", "--json")
    assert idle not in {row["session"] for row in result.json}
    assert "more session is idle" in result.err or "more sessions are idle" in result.err
    assert seen(seer, "--all")[idle]["state"] == "idle"


def test_a_duration_chooses_and_keeps_whom_they_wait_for(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding(ROW)
    until(lambda: (seen(seer).get(holder) or {}).get("transaction_seconds", 0) >= 2)
    young = cast.holding("SELECT * FROM contended WHERE id = 2")
    found = seen(seer, "--min-duration", "2")
    assert holder in found
    assert young not in found
    assert seen(seer, "--min-duration", "3000") == {}


def test_a_lock_by_name_has_its_holder(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    take = "SELECT pg_advisory_lock(4711)" if contended.kind == "postgresql" else "SELECT GET_LOCK('nightly', 30)"
    holder = cast.holding(take, autocommit=True)
    waiting = cast.waiting(take)
    found = blocked(seer, waiting)
    if contended.kind != "mariadb":
        assert found[waiting]["blocked_by"] == [holder]
    assert found[waiting]["waits_for"]


def test_a_prepared_transaction_has_no_session(authority: Authority, dbctl: Dbctl) -> None:
    with PostgresServer(authority, max_prepared_transactions="5") as server:
        server.create_database("shop")
        database = TestDatabase.on_server(server, "shop")
        database.execute("CREATE TABLE contended (id INT PRIMARY KEY, x INT)")
        database.execute("INSERT INTO contended VALUES (1, 0)")
        with Cast(database) as cast:
            cast.holding(ROW, "PREPARE TRANSACTION 'it''s'")
            waiting = cast.waiting(ROW)
            run = forked(dbctl, database)
            found: dict[Any, Any] = blocked(run, waiting)
            assert found[waiting]["blocked_by"] == ["prepared it's"]
            assert found["prepared it's"]["state"] == "prepared"
            result = run("kill", "prepared it's", "--terminate")
            assert result.code == 1
            assert "end it by hand: ROLLBACK PREPARED 'it''s'" in result.err
            confirmed = run("kill", "--blocking", "--confirm=pg")
            assert "prepared it's keeps others waiting, and has no session to end" in confirmed.err
            database.execute("ROLLBACK PREPARED 'it''s'")


def test_who_has_the_file_open_is_told(sqlite_database: TestDatabase, dbctl: Dbctl) -> None:
    sqlite_database.execute("CREATE TABLE contended (id INT PRIMARY KEY, x INT)")
    run = forked(dbctl, sqlite_database)
    assert seen(run) == {}
    with writing(sqlite_database.name) as process:
        [row] = seen(run).values()
        assert (row["session"], row["state"]) == (process.pid, "writing")
        assert "import sqlite3" in row["application"]
    assert seen(run) == {}


def test_mariadbs_plug_in_names_who_holds_a_table(mariadb_database: TestDatabase, dbctl: Dbctl) -> None:
    server = mariadb_database.server
    assert server
    try:
        server.execute("INSTALL SONAME 'metadata_lock_info'")
    except Exception as error:
        pytest.skip(f"the plug-in is not there: {error}")
    server.create_role("looker", "secret")
    server.execute("GRANT PROCESS ON *.* TO looker@'%'")
    server.execute(f"GRANT ALL ON {mariadb_database.name}.* TO looker@'%'")
    mariadb_database.execute("CREATE TABLE contended (id INT PRIMARY KEY, x INT)")
    toml = mariadb_database.toml.replace('user = "app"', 'user = "looker"')
    run = forked(dbctl, mariadb_database).with_env(**dict.fromkeys(mariadb_database.env, "secret"))
    (dbctl.cwd / "profiles.toml").write_text(f'default = "my"\n\n{toml}', encoding="utf-8")
    try:
        with Cast(mariadb_database) as cast:
            holder = cast.holding("SELECT * FROM contended")
            other = cast.holding("SELECT 1")
            alter = cast.waiting(ALTER)
            found = blocked(run, alter)
            assert found[alter]["blocked_by"] == [holder]
            assert other not in found
            assert run.ok("activity", "--blocked").err == ""
    finally:
        server.drop_role("looker")
        server.execute("UNINSTALL SONAME 'metadata_lock_info'")


def test_a_command_that_waits_for_a_table_names_who_uses_it(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding("SELECT * FROM contended")
    said = ""
    with seer.popen("query", "--write", "ALTER TABLE contended ADD z INTEGER") as process:
        assert process.stderr
        for line in process.stderr:
            said += line
            if line.startswith("dbctl: waiting for"):
                end(contended, holder)
    assert process.returncode == 0, said
    contended.execute("ALTER TABLE contended DROP COLUMN z")
    what = {
        "postgresql": f"a lock, which session {holder} (dbctl-tests) holds",
        "mysql": f"a table's lock, which session {holder} holds",
        "mariadb": "a table's lock, whose holder is not told",
    }[contended.kind]
    assert f"dbctl: waiting for {what}\n" in said
    assert "dbctl: it goes on, after " in said
