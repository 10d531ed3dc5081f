"""What is peculiar to SQLite: a file, or nothing at all, instead of a server."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.pool import StaticPool

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.connections.connector import Connector
from dbctl.errors import Conflict, ConnectError, OutOfTime
from dbctl.profiles import Profile
from dbctl.profiles.layers import build, layer_from_url
from dbctl.work.sessions import unit_of_work
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.profile import engine_of, one_unit, profile_of


def at(url: str) -> Profile:
    return build("lite", [layer_from_url(url, "the test")])


def run(profile: Profile, sql: str, missing: Missing = Missing.CREATE) -> None:
    with one_unit(profile, missing) as unit:
        unit.session.execute(text(sql))


def test_foreign_keys_are_on_from_the_first_connection(sqlite_database: TestDatabase) -> None:
    with engine_of(profile_of(sqlite_database)) as engine:
        for _ in range(2):
            with engine.connect() as connection:
                assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            engine.dispose()


def test_a_constraint_that_waits_for_the_commit_is_checked_there(sqlite_database: TestDatabase) -> None:
    sqlite_database.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    sqlite_database.execute("CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(Conflict):
        run(profile_of(sqlite_database), "INSERT INTO child VALUES (7)")
    assert sqlite_database.execute("SELECT * FROM child") == []


def test_the_statements_before_and_after_a_ddl_roll_back_with_it(sqlite_database: TestDatabase) -> None:
    sqlite_database.execute("CREATE TABLE old (x INTEGER)")
    profile = profile_of(sqlite_database)
    with engine_of(profile) as engine, unit_of_work(Connector(engine, backend_of(profile)), dry_run=True) as unit:
        for sql in ("INSERT INTO old VALUES (1)", "CREATE TABLE new (x INTEGER)", "INSERT INTO new VALUES (1)"):
            unit.session.execute(text(sql))
    assert sqlite_database.execute("SELECT * FROM old") == []
    assert sqlite_database.execute("SELECT name FROM sqlite_master") == [("old",)]


def test_a_writer_waits_for_another_to_finish(sqlite_database: TestDatabase) -> None:
    sqlite_database.execute("CREATE TABLE t (x INTEGER)")
    other = sqlite_database.connect(autocommit=False)
    other.cursor().execute("INSERT INTO t VALUES (1)")
    writer = threading.Thread(target=run, args=(profile_of(sqlite_database), "INSERT INTO t SELECT x + 1 FROM t"))
    writer.start()
    time.sleep(0.3)
    other.commit()
    other.close()
    writer.join(10)
    assert sqlite_database.execute("SELECT x FROM t ORDER BY x") == [(1,), (2,)]


def test_a_writer_that_waits_in_vain_is_out_of_time(sqlite_database: TestDatabase) -> None:
    sqlite_database.execute("CREATE TABLE t (x INTEGER)")
    other = sqlite_database.connect(autocommit=False)
    other.cursor().execute("INSERT INTO t VALUES (1)")
    with pytest.raises(OutOfTime, match=r"locked by another session or process \(lock timeout: 0\.2 s\)"):
        run(profile_of(sqlite_database, {"lock_timeout": 0.2}), "INSERT INTO t VALUES (2)")
    other.close()


def test_who_only_reads_does_not_wait_for_a_writer(sqlite_database: TestDatabase) -> None:
    sqlite_database.execute("CREATE TABLE t (x INTEGER)")
    other = sqlite_database.connect(autocommit=False)
    other.cursor().execute("INSERT INTO t VALUES (1)")
    with one_unit(profile_of(sqlite_database), writes=False) as unit:
        assert unit.session.execute(text("SELECT count(*) FROM t")).scalar() == 0
    other.close()


@pytest.mark.parametrize("command", [["ping"], ["heroes", "list"], ["pool-stats"], ["teams", "add", "Preventers"]])
def test_a_mistyped_file_is_refused_and_not_created(dbctl: Dbctl, command: list[str]) -> None:
    result = Forked(cwd=dbctl.cwd, home=dbctl.home)("--url", "sqlite:///mistyped.db", *command)
    assert result.code == 4, str(result)
    assert result.talk == (
        "dbctl: error: --url: there is no database file mistyped.db;"
        " create it with: dbctl --url sqlite:///mistyped.db init-tables\n"
    )
    assert list(dbctl.cwd.iterdir()) == []


def test_to_pretend_leaves_no_file(tmp_path: Path) -> None:
    profile = at(f"sqlite:///{tmp_path}/pretended.db")
    run(profile, "CREATE TABLE t (x INTEGER)", Missing.PRETEND)
    assert list(tmp_path.iterdir()) == []


def test_to_pretend_works_on_a_file_that_is_there(sqlite_database: TestDatabase) -> None:
    sqlite_database.execute("CREATE TABLE t (x INTEGER)")
    run(profile_of(sqlite_database), "INSERT INTO t VALUES (1)", Missing.PRETEND)
    assert sqlite_database.execute("SELECT x FROM t") == [(1,)]


@pytest.mark.parametrize("missing", [Missing.REFUSE, Missing.PRETEND])
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_never_missing(url: str, missing: Missing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(at(url), "CREATE TABLE t (x INTEGER)", missing)
    assert list(tmp_path.iterdir()) == []


def test_memory_is_one_database_for_all_threads() -> None:
    profile = at("sqlite://")
    counts: list[int] = []
    with engine_of(profile) as engine:
        assert isinstance(engine.pool, StaticPool)
        with unit_of_work(Connector(engine, backend_of(profile))) as unit:
            unit.session.execute(text("CREATE TABLE t (x INTEGER)"))

        def count() -> None:
            with unit_of_work(Connector(engine, backend_of(profile))) as unit:
                counts.append(unit.session.execute(text("SELECT count(*) FROM t")).scalar_one())

        thread = threading.Thread(target=count)
        thread.start()
        thread.join(10)
    assert counts == [0]


@pytest.mark.parametrize("command", [["ping"], ["heroes", "list"], ["init-tables"], ["teams", "add", "Preventers"]])
def test_a_file_that_is_no_database_is_no_connection_and_is_left_alone(dbctl: Dbctl, command: list[str]) -> None:
    file = dbctl.cwd / "letter.db"
    file.write_text("Dear Sir or Madam, " * 100)
    before = file.read_bytes()
    result = Forked(cwd=dbctl.cwd, home=dbctl.home)("--url", "sqlite:///letter.db", *command)
    assert result.code == 4, str(result)
    assert "not a database" in result.err
    assert file.read_bytes() == before


def test_a_file_in_no_directory_is_no_connection(tmp_path: Path) -> None:
    profile = at(f"sqlite:///{tmp_path}/nowhere/database.db")
    with pytest.raises(ConnectError) as caught:
        run(profile, "SELECT 1")
    assert caught.value.stage == "database"


def test_a_file_by_its_uri_is_found(sqlite_database: TestDatabase) -> None:
    sqlite_database.execute("CREATE TABLE t (x INTEGER)")
    profile = at(f"sqlite:///file:{sqlite_database.name}?mode=ro&uri=true")
    with one_unit(profile, Missing.REFUSE, writes=False) as unit:
        assert unit.session.execute(text("SELECT count(*) FROM t")).scalar() == 0


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("data/app.db", "there is no directory .*data for the database file .*data/app.db"),
        ("text", "database failed: file is not a database: .*text"),
        (".", "database failed: unable to open database file: "),
    ],
)
def test_what_is_wrong_with_the_file_is_told_with_its_path(path: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, and longer than a header has to be" * 20)
    with pytest.raises(ConnectError, match=said):
        run(at(f"sqlite:///{tmp_path}/{path}"), "CREATE TABLE t (x INTEGER)")


@pytest.mark.parametrize(
    ("url", "in_memory"),
    [
        ("sqlite://", True),
        ("sqlite:///:memory:", True),
        ("sqlite://?timeout=3", True),
        ("sqlite:///file::memory:?uri=true", True),
        ("sqlite:///file:x?mode=memory&cache=shared&uri=true", True),
        ("sqlite:///x.db?timeout=3", False),
        ("sqlite:///file:x.db?uri=true", False),
    ],
)
def test_it_is_known_whether_a_database_is_in_memory(url: str, in_memory: bool) -> None:
    assert at(url).in_memory is in_memory


def test_the_drivers_timeout_is_that_for_locks() -> None:
    assert backend_of(at("sqlite:///x.db?timeout=3")).connect_args()["timeout"] == 3


@pytest.mark.parametrize(
    ("args", "env", "origin"),
    [
        ([], {"ENVIRONMENT": "testing"}, "testing preset"),
        ([], {"ENVIRONMENT": "testing", "DATABASE_URL": "mysql://h"}, "testing preset, by which DATABASE_URL is not"),
        (["--url", "sqlite://"], {}, "--url"),
    ],
)
def test_what_is_done_in_memory_is_said_to_be_gone(
    dbctl: Dbctl, args: list[str], env: dict[str, str], origin: str
) -> None:
    assert f"dbctl: the database is in memory ({origin}" in dbctl.ok(*args, "init-tables", env=env).err


def test_what_is_there_and_can_not_be_opened_is_not_to_be_created(dbctl: Dbctl) -> None:
    (dbctl.cwd / "odd.db").mkdir()
    result = dbctl("--url", "sqlite:///odd.db", "query", "SELECT 1")
    assert result.code == 4, str(result)
    assert result.talk.endswith("unable to open database file: odd.db: Is a directory\n")


def test_of_one_in_wal_mode_beside_which_nothing_can_be_made_it_is_told_how_it_is_read(dbctl: Dbctl) -> None:
    with sqlite3.connect(dbctl.cwd / "a b.db") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t AS SELECT 42 AS x")
    connection.close()
    log = dbctl.cwd / "a b.db-wal"
    log.mkdir()  # it is there, and its rows are not in the file as that stands
    result = dbctl("--url", "sqlite:///a b.db", "query", "SELECT x FROM t")
    assert result.code == 4, str(result)
    assert result.err.endswith("copy it to where that can be done, together with a b.db-wal\n")
    log.rmdir()
    log.symlink_to("nowhere/log")
    result = dbctl("--url", "sqlite:///a b.db", "query", "SELECT x FROM t")
    assert (result.code, "; it is in WAL mode, " in result.err) == (4, True), str(result)
    url = result.err.rpartition(" at ")[2].strip()
    assert dbctl.ok("--url", url, "query", "SELECT x FROM t").out == "x\n42\n"
