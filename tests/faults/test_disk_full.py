"""A disk that is full: the unit of work is rolled back, the error says so, and all works when there is space again."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from dbctl.errors import ConnectError, WorkRefused
from tests.bulk.profiles import with_profiles
from tests.faults.killing import PATIENCE
from tests.faults.small_disk import SmallMariaDB, SmallPostgres, filled_up, small_disk
from tests.faults.units import units
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.harness.profile import profile_of

SERVERS = {"postgresql": SmallPostgres, "mariadb": SmallMariaDB}
SAYS_SO = r"(?i)no space left on device|disk is full|table .* is full"
MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
{name} = sa.Table("{name}", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""
ROWS_OF_S = "INSERT INTO t SELECT n, hex(randomblob(1000)) FROM s"
# More than the whole disk holds, to the log alone.
LOG_WITHOUT_END = "SELECT pg_logical_emit_message(true, 'x', repeat('x', 20000000)) FROM generate_series(1, 20)"

Small = tuple[TestDatabase, Path]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def small(request: pytest.FixtureRequest) -> Iterator[Small]:
    """A database of each kind in turn with the table `t`, and the small disk that it is on."""
    if request.param == "sqlite":
        with small_disk() as disk:
            yield ready(TestDatabase.on_file(disk / "database.db")), disk
        return
    with SERVERS[request.param](request.getfixturevalue("authority")) as server:
        server.create_database("small")
        yield ready(TestDatabase.on_server(server, "small")), server.directory / "data"


def ready(database: TestDatabase) -> TestDatabase:
    database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)")
    database.execute("INSERT INTO t VALUES (1, 'before')")
    return database


def insert_much(session: Session) -> None:
    """Insert twelve megabytes that no compression makes less, in rows of less than a page."""
    session.execute(text("INSERT INTO t VALUES (2, 'small')"))
    for number in range(3, 3 + 12 * 16):
        rows = [{"x": number * 100 + part, "y": ("%04x" % (number * 100 + part)) * 1000} for part in range(16)]
        session.execute(text("INSERT INTO t VALUES (:x, :y)"), rows)


def settle(database: TestDatabase) -> None:
    """Let PostgreSQL have a whole segment of its log ahead: without space for that, the whole server goes down."""
    if database.kind == "postgresql":
        assert database.server
        database.server.execute("SELECT pg_switch_wal()")
        database.server.execute("CHECKPOINT")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_unit_of_work_that_fills_the_disk_is_rolled_back(small: Small, asynchronous: bool) -> None:
    database, disk = small
    settle(database)
    with units(profile_of(database, {"pool.size": 1, "pool.max_overflow": 0}), asynchronous) as opened:
        opened.run(lambda session: session.execute(text("SELECT count(*) FROM t")))
        with filled_up(disk):
            with pytest.raises(WorkRefused, match=SAYS_SO) as caught:
                opened.run(insert_much)
            assert "\n" not in str(caught.value)
            assert opened.checked_out == 0
            assert database.execute("SELECT x, y FROM t") == [(1, "before")]
        opened.run(lambda session: session.execute(text("INSERT INTO t VALUES (2, 'after')")))
    assert database.execute("SELECT x, y FROM t ORDER BY x") == [(1, "before"), (2, "after")]
    database.execute("DELETE FROM t WHERE x > 1")


@pytest.mark.parametrize("small", ["postgresql"], indirect=True)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_where_the_server_itself_goes_down_for_want_of_space_there_is_no_connection(
    small: Small, asynchronous: bool
) -> None:
    """PostgreSQL's log can't grow: it ends all sessions at once, as after a crash, and does not come up again."""
    database, disk = small
    server = database.server
    assert server

    def write_log(session: Session) -> None:
        session.execute(text("INSERT INTO t VALUES (2, 'lost')"))
        session.execute(text(LOG_WITHOUT_END))

    with units(profile_of(database), asynchronous) as opened:
        with filled_up(disk):
            for work in (write_log, lambda session: session.execute(text("SELECT 1"))):
                with pytest.raises(ConnectError) as caught:
                    opened.run(work)
                assert "\n" not in str(caught.value)
                if server.process:
                    server.process.wait(PATIENCE)
            assert opened.checked_out == 0
        server.revive()
        opened.run(lambda session: session.execute(text("INSERT INTO t VALUES (3, 'after')")))
    assert database.execute("SELECT x, y FROM t ORDER BY x") == [(1, "before"), (3, "after")]
    database.execute("DELETE FROM t WHERE x > 1")


def test_a_command_on_a_full_disk_exits_1_and_a_further_run_succeeds(dbctl: Dbctl, small: Small) -> None:
    database, disk = small
    settle(database)
    quick = forked(dbctl, database)
    (dbctl.cwd / "models.py").write_text(MODELS.format(name="ship"))
    command = ["init-tables", "--models", "models"]
    with filled_up(disk):
        result = quick(*command)
        assert (result.code, result.out, result.talk.count("\n")) == (1, "", 1), str(result)
        assert re.search(SAYS_SO, result.talk), str(result)
        quick.ok("ping", "--quiet")
    rows = quick.ok(*command, "--json").json
    assert rows == [{"table": "ship", "state": "created"}]


def test_rows_in_bulk_that_fill_the_disk_are_not_there_and_a_further_run_brings_them(
    dbctl: Dbctl, small: Small, tmp_path: Path
) -> None:
    database, disk = small
    source = TestDatabase.on_file(tmp_path / "source.db")
    source.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)")
    source.execute(f"WITH RECURSIVE s(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM s WHERE n < 1500) {ROWS_OF_S}")
    on = with_profiles(forked(dbctl, database), small=database, source=source)
    on.ok("-p", "source", "export", "t", "t.csv")
    lines = (["import", "t.csv", "t"], ["copy", "t", "--from", "source", "--to", "small", "--resume"])
    for line in lines:
        settle(database)
        with filled_up(disk):
            result = on(*line)
            assert (result.code, result.out) == (1, ""), str(result)
            assert [bool(re.search(SAYS_SO, line)) for line in result.talk.splitlines()] == [True], str(result)
            assert database.execute("SELECT x, y FROM t") == [(1, "before")]
        on.ok(*line)
        assert database.execute("SELECT count(*), max(x) FROM t") == [(1500, 1500)]
        database.execute("DELETE FROM t WHERE x > 1")
