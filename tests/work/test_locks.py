"""An advisory lock excludes all others of its name, is free at once when it is let go, and its loss is noticed."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.errors import ConnectError, LockHeld, WorkRefused
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build
from dbctl.work import session_locks
from dbctl.work.locks import advisory_lock
from dbctl.work.sessions import unit_of_work
from tests.harness.database import KINDS, SERVER_KINDS, TestDatabase
from tests.harness.profile import engine_of, profile_of
from tests.harness.shared import make_shared
from tests.servers.pgbouncer import PgBouncer

HELD = {
    "postgresql": "SELECT pid FROM pg_locks WHERE locktype = 'advisory'",
    "mysql": "SELECT id FROM information_schema.processlist WHERE user = 'app'",
}


@pytest.fixture(scope="module", params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each kind in turn, for all tests of the module."""
    for each in make_shared(request.param, request):
        each.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
        yield each


@pytest.fixture
def profile(database: TestDatabase) -> Profile:
    return profile_of(database, {"connect_timeout": 2})


def is_free(name: str, profile: Profile) -> bool:
    try:
        with advisory_lock(name, profile):
            return True
    except LockHeld:
        return False


# --- one at a time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nightly", "Rechnungen für Österreich/2026 " * 9, "%", "a.b"])
def test_while_it_is_held_nobody_else_gets_it(profile: Profile, name: str) -> None:
    with advisory_lock(name, profile) as lock:
        lock.check()
        with pytest.raises(LockHeld, match="another run holds the lock"), advisory_lock(name, profile):
            pass
        lock.check()
    assert is_free(name, profile)


def test_other_names_are_other_locks(profile: Profile) -> None:
    """MySQL itself would take upper case for lower."""
    with advisory_lock("nightly", profile):
        assert is_free("weekly", profile)
        assert is_free("Nightly", profile)


def test_who_holds_it_is_told(profile: Profile, database: TestDatabase) -> None:
    with advisory_lock("nightly", profile):
        [holder] = [str(row[0]) for row in database.server.execute(HELD[database.dialect])] if database.server else [""]
        with pytest.raises(LockHeld) as caught, advisory_lock("nightly", profile):
            pass
    assert caught.value.message.endswith(
        f": session {holder}" if holder else f"process {os.getpid()} on {os.uname()[1]}"
    )


def test_another_database_of_the_server_has_locks_of_its_own(profile: Profile, database: TestDatabase) -> None:
    if database.server is None:
        elsewhere = profile.model_copy(update={"database": f"{database.name}.other"})
    else:
        database.server.create_database("elsewhere")
        elsewhere = profile.model_copy(update={"database": "elsewhere"})
    try:
        with advisory_lock("nightly", profile):
            assert is_free("nightly", elsewhere)
    finally:
        if database.server:
            database.server.drop_database("elsewhere")


def test_it_is_waited_for(profile: Profile) -> None:
    with contextlib.ExitStack() as held:
        held.enter_context(advisory_lock("nightly", profile))
        pauses = list[float]()

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                held.close()

        with advisory_lock("nightly", profile, wait=60, sleep=pause) as lock:
            lock.check()
    assert len(pauses) == 3


def test_it_is_waited_for_no_longer_than_was_said(profile: Profile) -> None:
    with advisory_lock("nightly", profile):
        start = time.monotonic()
        with pytest.raises(LockHeld, match=r"after 0\.3 s"), advisory_lock("nightly", profile, wait=0.3):
            pass
        assert time.monotonic() - start >= 0.3


def test_it_is_free_again_whatever_the_block_raises(profile: Profile) -> None:
    with pytest.raises(KeyError), advisory_lock("nightly", profile):
        raise KeyError
    assert is_free("nightly", profile)


def test_it_is_free_when_its_process_was_killed(profile: Profile) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(30)
        with advisory_lock("nightly", profile):
            os.write(writing, b"x")
            time.sleep(30)
        os._exit(1)
    os.read(reading, 1)
    assert not is_free("nightly", profile)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with advisory_lock("nightly", profile, wait=2):
        pass


# --- lost -------------------------------------------------------------------------------------------------------------


def lose(database: TestDatabase, profile: Profile) -> None:
    """Take the lock away from who holds it."""
    if database.server is None:
        path = backend_of(profile).lock_file("nightly")
        assert path
        path.unlink()
        return
    for (session,) in database.server.execute(HELD[database.dialect]):
        if database.kind == "postgresql":
            database.server.execute("SELECT pg_terminate_backend(%s, 5000)", [session])
        else:
            database.server.execute(f"KILL {session:d}")


def test_what_is_done_after_it_was_lost_is_not_committed(profile: Profile, database: TestDatabase) -> None:
    def work() -> None:
        with engine_of(profile) as engine, advisory_lock("nightly", profile) as lock:
            lose(database, profile)
            with unit_of_work(Connector(engine, backend_of(profile)), before_commit=lock.check) as unit:
                unit.session.connection().exec_driver_sql("INSERT INTO t VALUES (1)")

    with pytest.raises(ConnectError, match=r"the lock .*was lost"):
        work()
    assert database.execute("SELECT x FROM t") == []
    assert is_free("nightly", profile)


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_a_frozen_server_is_not_waited_for_without_end(profile: Profile, database: TestDatabase) -> None:
    assert database.server
    with advisory_lock("nightly", profile) as lock, database.server.frozen():
        start = time.monotonic()
        with pytest.raises(ConnectError, match="no answer within 2 s"):
            lock.check()
        lock.release()
        assert time.monotonic() - start < 4


@pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
def test_its_session_is_kept_in_use(profile: Profile, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what ends sessions that stand idle, the server or a proxy, does not end this one."""
    assert database.server
    monkeypatch.setattr(session_locks, "_BEAT", 0.3)
    if database.kind == "postgresql":
        database.server.execute("ALTER ROLE app SET idle_session_timeout = '1s'")
    else:
        database.server.execute("SET GLOBAL wait_timeout = 1")
    try:
        with advisory_lock("nightly", profile) as lock:
            time.sleep(2)
            lock.check()
    finally:
        if database.kind == "postgresql":
            database.server.execute("ALTER ROLE app RESET idle_session_timeout")
        else:
            database.server.execute("SET GLOBAL wait_timeout = 28800")


# --- where it would exclude nobody ------------------------------------------------------------------------------------


def refused(profile: Profile) -> str:
    with pytest.raises(WorkRefused, match="a lock would exclude nobody") as caught, advisory_lock("nightly", profile):
        pass
    return str(caught.value)


def test_it_is_refused_through_a_transaction_pooler(postgres_database: TestDatabase) -> None:
    assert postgres_database.server
    with PgBouncer(postgres_database.server) as pooler:
        through = {"port": pooler.port, "ssl.mode": "disable"}
        assert "a pooler" in refused(profile_of(postgres_database, through))


def test_it_is_refused_on_a_mariadb_that_is_read_only(mariadb_database: TestDatabase) -> None:
    assert mariadb_database.server
    mariadb_database.server.execute("SET GLOBAL read_only = 1")
    try:
        assert "this server is read only" in refused(profile_of(mariadb_database))
    finally:
        mariadb_database.server.execute("SET GLOBAL read_only = 0")


def test_it_is_refused_in_memory() -> None:
    assert "in memory" in refused(build("test", [Layer({"driver": "sqlite"}, "the test")]))


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    values: dict[str, Any] = {"driver": "sqlite", "database": str(tmp_path / "nowhere" / "x.db")}
    profile = build("test", [Layer(values, "the test")])
    with pytest.raises(WorkRefused, match="can't be used: No such file"), advisory_lock("nightly", profile):
        pass
