"""A standby: what reads works there, what writes is refused by the primary's name; and it may be too far behind."""

import contextlib
import json
import signal
import time
from collections.abc import Iterator

import pytest

from dbctl import probe
from dbctl.backends.findings import Finding
from dbctl.doctor import clusters
from dbctl.doctor.diagnosis import examine
from dbctl.errors import ConnectError
from dbctl.topology import topology
from tests.bulk.profiles import with_profiles
from tests.faults.pairs import Pair, server_of
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.profile import profile_of
from tests.servers.client import rows
from tests.servers.pgbouncer import PgBouncer
from tests.servers.process import PATIENCE


def on(dbctl: Dbctl, database: TestDatabase) -> Forked:
    (dbctl.cwd / "profiles.toml").write_text(database.toml, encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home, env=database.env)


@contextlib.contextmanager
def replaying_nothing(pair: Pair) -> Iterator[None]:
    """Have the standby receive what the primary commits, and not replay it."""
    standby = server_of(pair.standby)
    stop, go = (
        ("SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()")
        if standby.kind == "postgresql"
        else ("STOP SLAVE SQL_THREAD", "START SLAVE SQL_THREAD")
    )
    standby.execute(stop)
    try:
        yield
    finally:
        standby.execute(go)


def until_equal(pair: Pair, query: str) -> None:
    assert within(PATIENCE, lambda: pair.standby.execute(query) == pair.primary.execute(query))


def test_what_writes_is_refused_in_one_line_that_names_the_primary(pair: Pair, dbctl: Dbctl) -> None:
    def refused(*command: str) -> None:
        result = on(dbctl, pair.standby)(*command)
        assert (result.code, result.out) == (1, ""), str(result)
        [line] = [line for line in result.talk.splitlines() if "error: " in line]
        assert "read-only" in line
        assert f"its primary is 127.0.0.1:{server_of(pair.primary).port}" in line, line

    for command in (["query", "--write", "CREATE TABLE x (i INT)"], ["init-tables"]):
        refused(*command)
    on(dbctl, pair.primary).ok("init-tables")
    try:
        until_equal(pair, "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'transfer%'")
        refused("drop-tables", "--confirm", "pair")
    finally:
        on(dbctl, pair.primary).ok("drop-tables", "--confirm", "pair")


def test_what_reads_works_at_every_isolation_level(pair: Pair, dbctl: Dbctl) -> None:
    for level in ("read-committed", "repeatable-read", "serializable"):
        result = on(dbctl, pair.standby)("query", "SELECT 1 AS n", "--isolation", level, "--json")
        if level == "serializable" and pair.primary.kind == "postgresql":
            assert result.code == 1, str(result)
            assert "repeatable-read" in result.talk
        else:
            assert (result.code, result.json) == (0, [{"n": 1}]), str(result)


def test_a_standby_that_is_too_far_behind_is_not_read_from(pair: Pair, dbctl: Dbctl) -> None:
    read = on(dbctl, pair.standby)
    server_of(pair.primary).execute("CREATE DATABASE beat")
    until_equal(pair, "SELECT 1")
    assert read.ok("query", "SELECT 1 AS n", "--max-lag", "30", "--json").json == [{"n": 1}]
    with replaying_nothing(pair):
        server_of(pair.primary).execute("DROP DATABASE beat")
        result = read("query", "SELECT 1", "--max-lag", "0.001")
        deadline = time.monotonic() + PATIENCE  # what was committed has to reach it
        while result.code == 0 and time.monotonic() < deadline:
            result = read("query", "SELECT 1", "--max-lag", "0.001")
        assert (result.code, result.out) == (4, ""), str(result)
        assert "it is a standby that is behind by" in result.talk
        with pytest.raises(ConnectError, match="behind by"):
            probe.ping(pair.profile(target="standby", max_lag=0.001))
        found = probe.ping(pair.profile(max_lag=0.001))
        assert found.role == "primary"  # the first that is not too far behind
        shown = topology(pair.profile(max_lag=0.001)).nodes
        assert [(node.role, node.asked) for node in shown] == [("primary", True), ("standby", True)]


def test_doctor_says_how_far_behind_a_standby_is(pair: Pair, dbctl: Dbctl, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> Finding:
        [lag] = [each for each in examine(profile_of(pair.standby)) if each.check == "lag"]
        return lag

    until_equal(pair, "SELECT 1")
    assert within(PATIENCE, lambda: found().value == 0)
    assert found().level == "ok"
    assert not [each for each in examine(profile_of(pair.primary)) if each.check == "lag"]
    with replaying_nothing(pair):
        server_of(pair.primary).execute("CREATE DATABASE beat")
        server_of(pair.primary).execute("DROP DATABASE beat")
        if pair.primary.kind == "postgresql":
            assert within(PATIENCE, lambda: (found().value or 0) > 0.01)
            assert found().level == "ok"
            monkeypatch.setattr(clusters, "_BEHIND_S", 0.01)
            assert found().measured.endswith(" s behind")
        else:
            assert found().measured == "this standby replays nothing: receives: yes, replays: no"
        assert (found().level, "max_lag" in (found().fix or "")) == ("warning", True)


@contextlib.contextmanager
def awaiting_a_standby_that_is_not_there(pair: Pair) -> Iterator[None]:
    primary = server_of(pair.primary)
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'gone'")
    primary.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        primary.execute("ALTER SYSTEM RESET synchronous_standby_names")
        primary.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("pair", ["postgresql"], indirect=True)
def test_a_commit_that_waits_for_a_standby_can_be_ended_and_says_what_is_known(pair: Pair, dbctl: Dbctl) -> None:
    on_primary = on(dbctl, pair.primary)
    pair.primary.execute("CREATE TABLE waited (x INTEGER)")
    try:
        with awaiting_a_standby_that_is_not_there(pair):
            found = on_primary("doctor", "--json")
            [missing] = [row for row in found.json if row["check"] == "synchronous_standby"]
            assert (found.code, missing["level"]) == (6, "error")
            assert "gone" in missing["measured"]
            runs = on_primary("query", "--write", "INSERT INTO waited VALUES (1)", "--timeout", "1")
            assert runs.code == 9, str(runs)
            assert "committed on this server, and not known to be on its synchronous standby" in runs.talk
            run = on_primary.start("query", "--write", "INSERT INTO waited VALUES (2)")
            until_one_waits(pair)
            run.send_signal(signal.SIGINT)
            ended = run()
            assert ended.code == 9, str(ended)
            assert "the wait for it was ended" in ended.talk
            both = with_profiles(Forked(cwd=dbctl.cwd, home=dbctl.home), above=pair.primary, below=pair.standby)
            insert = ("query", "--write", "INSERT INTO waited VALUES (3)")
            run = both.start("-p", "above", "-p", "below", *insert, "--log", "json")
            until_one_waits(pair)
            run.send_signal(signal.SIGTERM)
            ended = run()
            codes = [json.loads(line).get("code") for line in ended.err.splitlines()]
            assert (ended.code, codes.count(9), 143 in codes) == (9, 3, False), str(ended)
        assert sorted(pair.primary.execute("SELECT x FROM waited")) == [(1,), (2,), (3,)]
    finally:
        pair.primary.execute("DROP TABLE waited")


ADD = """
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

async def add(session: AsyncSession) -> None:
    await session.execute(text("INSERT INTO waited VALUES (3)"))
"""


@pytest.mark.parametrize("pair", ["postgresql"], indirect=True)
@pytest.mark.parametrize("way", ["behind a pooler", "by asyncpg"])
def test_such_a_commit_can_be_ended_whichever_process_or_driver_it_is(pair: Pair, dbctl: Dbctl, way: str) -> None:
    server = server_of(pair.primary)
    (dbctl.cwd / "own.py").write_text(ADD)
    pair.primary.execute("CREATE TABLE waited (x INTEGER)")
    try:
        with PgBouncer(server) as pooler, awaiting_a_standby_that_is_not_there(pair):
            if way == "by asyncpg":
                run = on(dbctl, pair.primary).start("run", "own:add")
            else:
                place = ("--url", f"postgresql://{server.app_user}@127.0.0.1:{pooler.port}/{pair.primary.name}")
                here = Forked(cwd=dbctl.cwd, home=dbctl.home, env={"PGPASSWORD": server.app_password})
                run = here.start(*place, "query", "--write", "INSERT INTO waited VALUES (3)")
            until_one_waits(pair)
            run.send_signal(signal.SIGINT)
            ended = run()
            assert (ended.code, "the wait for it was ended" in ended.talk) == (9, True), str(ended)
        assert pair.primary.execute("SELECT x FROM waited") == [(3,)]
    finally:
        pair.primary.execute("DROP TABLE waited")


def until_one_waits(pair: Pair) -> None:
    deadline = time.monotonic() + PATIENCE
    while not server_of(pair.primary).execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def telling_less(pair: Pair) -> Iterator[None]:
    """Take from the ordinary role what tells it whether a server is another one's standby."""
    [take, give, query] = (
        [
            "REVOKE {} FROM PUBLIC",
            "GRANT {} TO PUBLIC",
            "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')",
        ]
        if pair.primary.kind == "postgresql"
        else ["REVOKE {} FROM app@'%'", "GRANT {} TO app@'%'", "SHOW GRANTS"]
    )
    right = {"postgresql": "EXECUTE ON FUNCTION pg_control_system()", "mariadb": "REPLICA MONITOR ON *.*"}
    with contextlib.closing(server_of(pair.primary).connect(database=pair.primary.name)) as connection:
        rows(connection, take.format(right[pair.primary.kind]))
        try:
            until_equal(pair, query)
            yield
        finally:
            rows(connection, give.format(right[pair.primary.kind]))
            until_equal(pair, query)


def test_rows_are_copied_neither_from_a_standby_into_its_primary_nor_back(pair: Pair, dbctl: Dbctl) -> None:
    here = Forked(cwd=dbctl.cwd, home=dbctl.home)
    run = with_profiles(here, above=pair.primary, below=pair.standby)
    back = ("copy", "t", "--from", "below", "--to", "above")
    pair.primary.execute("CREATE TABLE t (x INTEGER)")
    pair.primary.execute("INSERT INTO t VALUES (1)")
    try:
        until_equal(pair, "SELECT table_name FROM information_schema.tables WHERE table_name = 't'")
        for command in (back, ("copy", "t", "--from", "above", "--to", "below")):
            result = run(*command)
            assert (result.code, "lead to the same database" in result.err) == (2, True), str(result)
        with telling_less(pair):
            result = run(*back)
            told = "name its primary, or GRANT" if pair.primary.kind == "postgresql" else "lead to the same database"
            assert (result.code != 0, told in result.err) == (True, True), str(result)
        assert pair.primary.execute("SELECT x FROM t") == [(1,)]
    finally:
        pair.primary.execute("DROP TABLE t")
