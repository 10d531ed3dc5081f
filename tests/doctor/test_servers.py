"""Each finding comes with what is wrong on a real server, and goes with it."""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from dbctl.backends.findings import Finding, Level
from dbctl.errors import ConnectError
from tests.doctor.findings import findings
from tests.harness.database import TestDatabase
from tests.harness.profile import one_unit, profile_of
from tests.servers.authority import Authority
from tests.servers.pgbouncer import PgBouncer
from tests.servers.server import Server

Changes = Mapping[str, Any]


def settings(fix: str | None) -> Changes:
    """Read the lines that a finding says are to be changed."""
    assert fix
    pairs = (line.split(" = ") for line in fix.split(", "))
    return {key: json.loads(value) for key, value in pairs}


def eventually(look: Callable[[], Finding], level: Level) -> Finding:
    """Look until the finding has the level: a server takes a moment to see that a client, or the last look, is gone."""
    deadline = time.monotonic() + 20
    while (found := look()).level is not level and time.monotonic() < deadline:
        time.sleep(0.2)  # InnoDB answers anew only who has not asked for 0.1 s
    assert found.level is level, found
    return found


@pytest.mark.parametrize(
    ("check", "level", "changes"),
    [
        ("connections", Level.ERROR, {"workers": 10}),
        ("connections", Level.ERROR, {"pool.size": 200}),
        ("connections", Level.ERROR, {"workers": 3, "pool.max_overflow": 50}),
        ("connections", Level.WARNING, {"pool.max_overflow": -1}),
        ("connections", Level.WARNING, {"pool.size": 0}),
        ("pre_ping", Level.WARNING, {"pool.pre_ping": False}),
        ("statement_timeout", Level.NOTE, {}),
        ("statement_timeout", Level.WARNING, {"environment": "production"}),
        ("echo", Level.WARNING, {"environment": "production", "echo": True}),
        ("echo", Level.WARNING, {"protected": True, "echo": True}),
    ],
)
def test_the_line_that_a_finding_shows_ends_it(
    shared_server_database: TestDatabase, check: str, level: Level, changes: Changes
) -> None:
    found = findings(shared_server_database, changes)[check]
    assert found.level is level, found
    assert found.why
    fixed = {**changes, **settings(found.fix)}
    fine = Finding(Level.OK, check, "nothing is said of it")
    mended = eventually(lambda: findings(shared_server_database, fixed).get(check, fine), Level.OK)
    assert (mended.why, mended.fix) == (None, None)


def test_a_good_profile_has_no_warning(shared_server_database: TestDatabase) -> None:
    found = findings(shared_server_database)
    assert {check for check, finding in found.items() if finding.level.rank >= Level.WARNING.rank} == set()
    # What MySQL tells only to whoever may see all processes is a note that says so.
    hidden = {"mysql": {"idle_transactions"}, "postgresql": set[str]()}[shared_server_database.dialect]
    assert {check for check, finding in found.items() if finding.measured.startswith("can't be read")} == hidden


def test_the_worst_comes_first(shared_server_database: TestDatabase) -> None:
    levels = [found.level.rank for found in findings(shared_server_database, {"workers": 10}).values()]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == Level.ERROR.rank


def test_what_others_hold_is_not_there_for_the_pool(shared_server_database: TestDatabase) -> None:
    server = shared_server_database.server
    assert server
    all_of_it = {"postgresql": 97, "mysql": 100}[server.dialect]
    changes = {"pool.size": all_of_it - 2, "pool.max_overflow": 0}

    def look() -> Finding:
        return findings(shared_server_database, changes)["connections"]

    with contextlib.ExitStack() as others:
        for _ in range(4):
            others.enter_context(contextlib.closing(server.connect()))
        found = look()
        assert found.level is Level.WARNING, found
        assert (found.value, found.limit, found.unit) == (all_of_it - 2, all_of_it, "connections")
        assert (found.used or 0) >= 4
        assert settings(found.fix)["pool.size"] <= all_of_it - 4
    eventually(look, Level.OK)


def test_an_accounts_own_limit_counts(shared_server_database: TestDatabase) -> None:
    server = shared_server_database.server
    assert server
    name = shared_server_database.name
    server.create_role("five", "secret", connections=5)
    try:
        if server.kind == "postgresql":
            server.execute(f"GRANT CONNECT ON DATABASE {name} TO five")
        else:
            server.execute(f"GRANT ALL ON {name}.* TO five@'%'")
        changes = {"user": "five", "password": "secret"}
        found = findings(shared_server_database, changes)["connections"]
        assert (found.level, found.fix) == (Level.ERROR, "pool.size = 5, pool.max_overflow = 0")
        assert "= 15" in found.measured
        fixed = {**changes, **settings(found.fix)}
        eventually(lambda: findings(shared_server_database, fixed)["connections"], Level.OK)
        assert findings(shared_server_database)["connections"].level is Level.OK
    finally:
        if server.kind == "postgresql":
            server.execute("DROP OWNED BY five", database=name)
        server.drop_role("five")


def test_a_databases_own_limit_counts(postgres: Server, postgres_database: TestDatabase) -> None:
    limit = f"ALTER DATABASE {postgres_database.name} CONNECTION LIMIT "
    postgres.execute(f"{limit} 12")
    found = findings(postgres_database)["connections"]
    assert (found.level, found.fix) == (Level.ERROR, "pool.size = 2")
    postgres.execute(f"{limit} -1")
    eventually(lambda: findings(postgres_database)["connections"], Level.OK)


READ_ONLY = {
    "postgresql": "default_transaction_read_only = on",
    "mariadb": "tx_read_only = 1",
    "mysql": "transaction_read_only = 1",
}
IDLE = {"postgresql": "idle_session_timeout = '600s'", **dict.fromkeys(("mariadb", "mysql"), "wait_timeout = 600")}
LIMITS = {
    "transaction_timeout": {
        "postgresql": "idle_in_transaction_session_timeout = '60s'",
        "mariadb": "idle_transaction_timeout = 60",
    },
    "statement_timeout": {
        "postgresql": "statement_timeout = '60s'",
        "mariadb": "max_statement_time = 60",
        "mysql": "max_execution_time = 60000",
    },
}
SUPERUSERS = {
    "postgresql": "postgres has SUPERUSER",
    "mariadb": "root@% has ALL PRIVILEGES ON *.*",
    "mysql": "root@% has SUPER ON *.*",
}


@contextlib.contextmanager
def setting(database: TestDatabase, settings: Mapping[str, str], before: str) -> Iterator[None]:
    """Set what the server's sessions start with, by its kind, for the time of the block."""
    assert database.server
    setting = settings[database.kind]
    name = setting.partition(" ")[0]
    if database.kind == "postgresql":
        change, back = f"ALTER DATABASE {database.name} SET {setting}", f"ALTER DATABASE {database.name} RESET {name}"
    else:
        change, back = f"SET GLOBAL {setting}", f"SET GLOBAL {name} = {before}"
    database.server.execute(change)
    try:
        yield
    finally:
        database.server.execute(back)


def test_all_can_be_asked_where_nothing_can_be_written(shared_server_database: TestDatabase) -> None:
    before = findings(shared_server_database)
    with setting(shared_server_database, READ_ONLY, "0"):
        found = findings(shared_server_database)
    assert {check: finding.level for check, finding in found.items()} == {
        check: finding.level for check, finding in before.items()
    }


@pytest.mark.parametrize(("pre_ping", "level"), [(True, Level.NOTE), (False, Level.ERROR)])
def test_a_pool_that_keeps_connections_for_longer_than_the_server(
    shared_server_database: TestDatabase, pre_ping: bool, level: Level
) -> None:
    changes = {"pool.pre_ping": pre_ping, "pool.recycle": 3600}
    with setting(shared_server_database, IDLE, "28800"):
        found = findings(shared_server_database, changes)["recycle"]
        assert (found.level, found.fix) == (level, "pool.recycle = 540")
        assert findings(shared_server_database, {**changes, "pool.recycle": -1})["recycle"].level is level
        assert findings(shared_server_database, {**changes, **settings(found.fix)})["recycle"].level is Level.OK
    assert findings(shared_server_database, changes)["recycle"].level is Level.OK


@pytest.mark.parametrize("check", list(LIMITS))
def test_the_servers_own_time_limits_count(shared_server_database: TestDatabase, check: str) -> None:
    if shared_server_database.kind not in LIMITS[check]:
        assert check not in findings(shared_server_database)
        return
    assert findings(shared_server_database)[check].level is Level.NOTE
    with setting(shared_server_database, LIMITS[check], "0"):
        found = findings(shared_server_database)[check]
    assert found.level is Level.OK
    assert "60 s" in found.measured
    assert (found.value, found.unit) == (60, "s")


@pytest.mark.parametrize("changes", [{"ssl.mode": "disable"}, {"ssl.mode": "prefer"}, {"ssl.mode": "require"}])
def test_tls_that_is_off_or_not_verified(shared_server_database: TestDatabase, changes: Changes) -> None:
    found = findings(shared_server_database, {"ssl.ca": None, **changes})
    # On this machine alone it is no more than a note.
    assert (found["tls"].level, "certificate" in found) == (Level.NOTE, changes["ssl.mode"] != "disable")
    assert ("plaintext" in found["tls"].measured) is (changes["ssl.mode"] == "disable")
    assert findings(shared_server_database)["tls"].level is Level.OK


def test_a_certificate_that_ends_soon(shared_server_database: TestDatabase, authority: Authority) -> None:
    server = shared_server_database.server
    assert server
    with server.presenting(authority.ending):
        for changes in ({}, {"ssl.mode": "require", "ssl.ca": None}):
            found = findings(shared_server_database, changes)["certificate"]
            assert found.level is Level.WARNING
            assert "in 20 days" in found.measured
            assert (round(found.value or 0), found.unit) == (20, "days")
    assert findings(shared_server_database)["certificate"].level is Level.OK


def test_a_certificate_that_has_ended(shared_server_database: TestDatabase, authority: Authority) -> None:
    server = shared_server_database.server
    assert server
    with server.presenting(authority.expired):
        found = findings(shared_server_database, {"ssl.mode": "require", "ssl.ca": None})["certificate"]
        assert (found.level, found.measured) == (Level.ERROR, "the server's ended on 2001-01-01")
        assert found.value is not None
        assert found.value < -9000
        with pytest.raises(ConnectError):
            findings(shared_server_database)


def test_a_superuser(shared_server_database: TestDatabase) -> None:
    server = shared_server_database.server
    assert server
    found = findings(shared_server_database, {"user": server.user, "password": server.password})["login"]
    assert found.level is Level.WARNING
    assert found.measured == SUPERUSERS[server.kind]
    assert findings(shared_server_database)["login"].level is Level.OK


def test_a_database_that_can_not_hold_all_text(server_database: TestDatabase) -> None:
    server = server_database.server
    assert server
    assert findings(server_database)["encoding"].level is Level.OK
    server.drop_database(server_database.name)
    if server.kind == "postgresql":
        options = "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
        server.execute(f"CREATE DATABASE {server_database.name} OWNER app {options}")
    else:
        server.create_database(server_database.name)
        server.execute(f"ALTER DATABASE {server_database.name} CHARACTER SET latin1")
    found = findings(server_database)["encoding"]
    assert found.level is Level.WARNING
    assert found.measured.lower().startswith("latin1")


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_that_differ(shared_server_database: TestDatabase, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    assert findings(shared_server_database)["clock"].level is Level.OK
    monkeypatch.setattr("dbctl.backends.audit.time", SimpleNamespace(time=lambda: time.time() + 3600 * hours))
    found = findings(shared_server_database)["clock"]
    assert found.level is Level.WARNING
    assert abs(float(found.measured.split()[3]) + 3600 * hours) < 30
    assert found.value == pytest.approx(-3600 * hours, abs=30)


def test_time_zones_that_differ(shared_server_database: TestDatabase) -> None:
    minutes = (time.localtime().tm_gmtoff or 0) // 60

    def zone(east: int) -> str:
        return f"{'-' if east < 0 else '+'}{abs(east) // 60:02}:{abs(east) % 60:02}"

    for east, level in ((minutes, Level.OK), (minutes + 90, Level.NOTE), (minutes - 90, Level.NOTE)):
        zones = {"postgresql": f"timezone = '<x>{zone(-east)}'"}
        zones |= dict.fromkeys(("mariadb", "mysql"), f"time_zone = '{zone(east)}'")
        with setting(shared_server_database, zones, "'+00:00'"):
            found = findings(shared_server_database)["time_zone"]
        assert found.level is level, found
        assert level is Level.OK or f"UTC{zone(east)}" in found.measured


def test_a_transaction_pooler_is_told_with_what_it_takes_away(
    postgres: Server, postgres_database: TestDatabase
) -> None:
    assert "pooler" not in findings(postgres_database)
    with PgBouncer(postgres) as pooler:
        place = {"host": pooler.host, "port": pooler.port, "ssl.mode": "disable", "ssl.ca": None, "workers": 50}
        found = findings(postgres_database, place)
    assert found["pooler"].level is Level.NOTE
    assert (found["pooler"].value, found["pooler"].unit) == (50 * 15, "connections")
    assert "advisory locks" in str(found["pooler"].why)
    # The server's limits are not those that this profile will meet.
    assert "connections" not in found
    assert found["login"].level is Level.OK


def test_a_session_that_idles_in_its_transaction(shared_server_database: TestDatabase) -> None:
    database, server = shared_server_database, shared_server_database.server
    assert server
    database.execute("CREATE TABLE contended (x INTEGER)")
    database.execute("INSERT INTO contended VALUES (1)")
    changes = {"application_name": "dbctl-tests"}
    if server.dialect == "mysql":  # which tells of transactions only to whoever may see all processes
        changes |= {"user": "watcher", "password": "secret"}
        server.create_role("watcher", "secret")
        server.execute("GRANT PROCESS ON *.* TO watcher@'%'")
        if server.kind == "mysql":
            server.execute("GRANT SELECT ON performance_schema.data_lock_waits TO watcher@'%'")
        server.execute(f"GRANT ALL ON {database.name}.* TO watcher@'%'")

    def look() -> Finding:
        return findings(database, changes)["idle_transactions"]

    def connect() -> contextlib.closing[Any]:
        user, password = changes.get("user", server.app_user), changes.get("password", server.app_password)
        return contextlib.closing(
            server.connect(user=user, password=password, database=database.name, autocommit=False)
        )

    assert look().level is Level.OK
    with connect() as idle, connect() as waiting:
        idle.cursor().execute("UPDATE contended SET x = 2")
        found = eventually(look, Level.NOTE)
        assert "blocking" not in found.measured
        blocked = threading.Thread(target=lambda: waiting.cursor().execute("UPDATE contended SET x = 3"))
        blocked.start()
        try:
            assert re.search(r"blocking session \d+$", eventually(look, Level.WARNING).measured)
            assert findings(database, {**changes, "application_name": "another"})["idle_transactions"].level is (
                Level.OK if server.kind == "postgresql" else Level.WARNING  # whose clients here tell no name
            )
        finally:
            idle.rollback()
            blocked.join()
            waiting.rollback()
        eventually(look, Level.OK)
    server.drop_role("watcher")


def test_other_roles_sessions_are_in_the_servers_count(shared_server_database: TestDatabase) -> None:
    server = shared_server_database.server
    assert server
    with contextlib.ExitStack() as others:
        for _ in range(3):
            others.enter_context(contextlib.closing(server.connect()))
        with one_unit(profile_of(shared_server_database)) as unit:
            usage = unit.backend.usage(unit.session.connection())
    assert usage.in_use >= usage.in_use_by_user + 3
