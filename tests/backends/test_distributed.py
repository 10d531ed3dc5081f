"""Databases of many nodes that speak PostgreSQL's or MySQL's protocol, none of which can be had here.

What they say of themselves stands here as their documentation has it; a proxy says it in the place of a server that
does the rest. So it is seen that each is known by its words, and that what dbctl does then is sound SQL; what such a
server itself would make of that is not.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import psycopg2
import pytest
from pymysql.err import OperationalError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from dbctl.backends import backend_of
from dbctl.backends.base import Backend
from dbctl.backends.mysql.tidb import VERSION as TIDB_VERSION
from dbctl.backends.mysql.vitess import VERSION as VITESS_VERSION
from dbctl.backends.origins import note_origin
from dbctl.backends.postgresql.cockroachdb import VERSION as COCKROACHDB_VERSION
from dbctl.backends.postgresql.cockroachdb import CockroachDB
from dbctl.backends.postgresql.yugabytedb import VERSION as YUGABYTEDB_VERSION
from dbctl.backends.postgresql.yugabytedb import YugabyteDB11
from dbctl.backends.sessions import SessionThere, State
from dbctl.connections.connector import opened
from dbctl.errors import (
    ConfigError,
    ConnectError,
    Contention,
    DbctlError,
    LockHeld,
    OutcomeUnknown,
    OutOfTime,
    Unsupported,
    WorkRefused,
)
from dbctl.probe import async_ping, ping
from dbctl.work import session_locks
from dbctl.work.locks import advisory_lock
from dbctl.work.sessions import unit_of_work
from tests.doctor.findings import findings
from tests.faults.behind import behind, through
from tests.faults.cuts import ReplyLost
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.harness.profile import engine_of, one_unit, profile_at, profile_of
from tests.servers.herald import Herald
from tests.servers.proxy import End

# A parameter at login, by which https://github.com/MagicStack/asyncpg knows it too.
COCKROACHDB = {
    "crdb_version": "CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2025/06/04 20:40:00, go1.23.7)",
    "server_version": "13.0.0",
}
# https://docs.yugabyte.com/stable/api/ysqlsh/
YUGABYTEDB = {"server_version": "15.12-YB-2025.1.0.0-b168"}
YUGABYTEDB_11 = {"server_version": "11.2-YB-2024.2.3.0-b116"}
# https://docs.pingcap.com/tidb/stable/tidb-configuration-file, https://vitess.io/docs/reference/programs/vtgate/
TIDB, VITESS = "8.0.11-TiDB-v8.5.0", "8.0.30-Vitess"

VERSIONS = (
    (COCKROACHDB_VERSION, COCKROACHDB["crdb_version"]),
    (YUGABYTEDB_VERSION, YUGABYTEDB["server_version"]),
    (TIDB_VERSION, TIDB),
    (VITESS_VERSION, "Version: 21.0.0 (Git revision 6a1b7c4 branch 'HEAD') built on Thu Oct 24 00:00:00 UTC 2024"),
)
FIXTURES = {"postgresql": "postgres_database", "mysql": "mysql_database"}
PG, MY = "postgresql://u@h/d", "mysql://u@h/d"


@contextlib.contextmanager
def posing(database: TestDatabase, said: str | Mapping[str, str]) -> Iterator[Herald]:
    assert database.server
    greeting, parameters = (said, None) if isinstance(said, str) else ("", said)
    with Herald(database.server.port, greeting, parameters) as herald:
        yield herald


def raised(url: str, code: Any, says: str, *, committing: bool = False) -> DbctlError:
    """Return what dbctl makes of a driver's error with this code."""
    backend = backend_of(profile_at(url))
    make: Any = OperationalError if url == MY else type("Refused", (psycopg2.Error,), {"pgcode": code})
    error = make(code, says) if url == MY else make(says)
    note_origin(error, backend.profile, connecting=False)
    found = backend.translate(error, committing=committing)
    assert found
    return found


# --- what they say is known -------------------------------------------------------------------------------------------


def test_each_is_known_by_what_it_says_at_login_sync_and_async(
    postgres_database: TestDatabase, mysql_database: TestDatabase, mariadb_database: TestDatabase
) -> None:
    for database, said, server, version in (
        (postgres_database, YUGABYTEDB, "YugabyteDB", "2025.1.0.0"),
        (postgres_database, YUGABYTEDB_11, "YugabyteDB", "2024.2.3.0"),
        (mysql_database, TIDB, "TiDB", "8.5.0"),
        (mysql_database, VITESS, "Vitess", ""),  # which is asked for its own
        (mariadb_database, "8.0.30", "MariaDB", ""),  # behind a proxy, which greets as it likes
    ):
        with posing(database, said) as herald:
            profile = through(herald, database)
            for report in (ping(profile), asyncio.run(async_ping(profile))):
                assert report.server == server
                assert report.version == version or not version


def test_their_versions_are_found_in_their_words() -> None:
    assert [pattern.search(said)[1] for pattern, said in VERSIONS] == ["25.2.1", "2025.1.0.0", "8.5.0", "21.0.0"]  # type: ignore[index]


def test_cockroachdb_and_postgresql_are_told_to_be_named_each_for_its_dialect(
    postgres_database: TestDatabase,
) -> None:
    with posing(postgres_database, COCKROACHDB) as herald:
        profile = through(herald, postgres_database)
        with pytest.raises(ConnectError, match="CockroachDB answers") as caught:
            ping(profile)
        assert "begin the url with cockroachdb://" in caught.value.hint
        with pytest.raises(ConnectError, match="CockroachDB answers"):
            asyncio.run(async_ping(profile))
    with pytest.raises(ConfigError, match="allowed is SERIALIZABLE or READ COMMITTED"):
        backend_of(profile_at("cockroachdb://u@h/d", {"isolation": "REPEATABLE READ"}))
    if find_spec("sqlalchemy_cockroachdb") is None:
        with pytest.raises(ConfigError, match="sqlalchemy-cockroachdb, which is not installed") as missing:
            ping(profile_at("cockroachdb://u@127.0.0.1/d"))
        assert "[cockroachdb]" in missing.value.hint
    else:
        named = profile_at(postgres_database.url.replace("postgresql+psycopg2", "cockroachdb"))
        with pytest.raises(ConnectError, match="no CockroachDB answers"):
            ping(named)


# --- what their errors mean -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "code", "says", "error", "heals"),
    [
        # https://www.cockroachlabs.com/docs/stable/transaction-retry-error-reference
        (PG, "40001", "restart transaction: TransactionRetryWithProtoRefreshError: WriteTooOldError", Contention, True),
        # https://docs.yugabyte.com/stable/develop/learn/transactions/transactions-retries-ysql/
        (PG, "40001", "Restart read required at: { read: { physical: 1656351408684482 } }", Contention, True),
        # https://docs.citusdata.com/en/stable/reference/common_errors.html
        (PG, "40P01", "canceling the transaction since it was involved in a distributed deadlock", Contention, True),
        # https://docs.pingcap.com/tidb/stable/error-codes
        (
            MY,
            9007,
            "Write conflict, txnStartTS=1, conflictStartTS=2, key={tableID=1} [try again later]",
            Contention,
            True,
        ),
        (MY, 8002, "[123] can not retry select for update statement", Contention, True),
        (MY, 8022, "Error: KV error safe to retry Restarting transaction", Contention, True),
        (MY, 8028, "Information schema is changed during the execution of the statement", Contention, True),
        (MY, 9004, "Resolve lock timeout", OutOfTime, True),
        (MY, 9005, "Region is unavailable", OutOfTime, True),
        (MY, 8048, "The isolation level 'SERIALIZABLE' is not supported", WorkRefused, False),
        # https://github.com/vitessio/vitess/blob/main/go/mysql/sqlerror/sql_error.go: aborted, exhausted, unknown
        (MY, 1317, "target: ks.-80.primary: transaction 1: ended at 2025 (exceeded timeout: 30s)", OutOfTime, False),
        (MY, 1203, "target: ks.-80.primary: transaction pool connection limit exceeded", ConnectError, False),
        (MY, 1105, "target: ks.-80.primary: primary is not serving, there is a reparent operation", WorkRefused, False),
    ],
)
def test_an_error_at_work_is_what_its_documentation_says(
    url: str, code: Any, says: str, error: type[DbctlError], heals: bool
) -> None:
    made = raised(url, code, says)
    assert (type(made), made.heals) == (error, heals)
    assert says.partition(",")[0] in made.message


@pytest.mark.parametrize(
    ("url", "code", "says", "is_unknown"),
    [
        # https://www.cockroachlabs.com/docs/stable/common-errors: the transaction may be committed
        (PG, "40003", "result is ambiguous: error=rpc error [exhausted]", True),
        (PG, "40001", "restart transaction: TransactionRetryWithProtoRefreshError", False),
        (MY, 9007, "Write conflict", False),
        (MY, 9002, "TiKV server timeout", True),
        # a shard may have committed before another one failed: https://vitess.io/docs/reference/features/distributed-transaction/
        (MY, 1105, "target: ks.80-.primary: vttablet: rpc error: code = Unavailable", True),
        (MY, 1317, "context deadline exceeded", True),
    ],
)
def test_after_such_an_error_the_outcome_of_a_commit_is_known_or_not(
    url: str, code: Any, says: str, is_unknown: bool
) -> None:
    assert isinstance(raised(url, code, says, committing=True), ConnectError) is is_unknown


# --- what is done otherwise -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_lock_is_a_row_and_a_commit_without_an_answer_unknown(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_locks, "WATCH", 0.3)
    database: TestDatabase = request.getfixturevalue(FIXTURES[kind])
    database.execute("CREATE TABLE done (x INTEGER)")
    with posing(database, YUGABYTEDB if kind == "postgresql" else TIDB) as herald:
        profile = through(herald, database)
        with advisory_lock("nightly", profile) as lock:
            lock.check()
            for _ in range(2):
                with pytest.raises(LockHeld, match=r"process \d+ on "), advisory_lock("nightly", profile):
                    pass
            with advisory_lock("weekly", profile):
                pass
            assert database.execute("SELECT name FROM dbctl_lock") == [("nightly",)]
            database.execute("UPDATE dbctl_lock SET expires = '2020-01-01'")
            with advisory_lock("nightly", profile) as next_one:
                next_one.check()
                with pytest.raises(ConnectError, match="does not hold it any more"):
                    lock.check()
        assert database.execute("SELECT name FROM dbctl_lock") == []
        herald.expect(ReplyLost(End.RESET))
        with (
            opened(profile) as connector,
            pytest.raises(OutcomeUnknown),
            unit_of_work(connector, strict=True) as unit,
        ):
            unit.session.execute(text("INSERT INTO done VALUES (1)"))
        assert len(herald.conversations) == 1  # nobody is asked
    assert database.execute("SELECT x FROM done") == [(1,)]


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_doctor_asks_only_what_they_answer_and_no_tool_backs_them_up(
    kind: str, dbctl: Dbctl, request: pytest.FixtureRequest
) -> None:
    database: TestDatabase = request.getfixturevalue(FIXTURES[kind])
    database.execute("CREATE TABLE kept (x INTEGER)")
    said, title, tool = (YUGABYTEDB, "YugabyteDB", "ysql_dump") if kind == "postgresql" else (TIDB, "TiDB", "Dumpling")
    with posing(database, said) as herald:
        found = findings(database, {"host": herald.host, "port": herald.port, "ssl.mode": "disable"})
        assert found["server"].measured == f"{title} answers"
        assert found["server"].fix == "dbctl help distributed"
        assert not {"pool", "idle_transactions", "connections"} & set(found)
        assert "it was not tried" in (found["server"].why or "")
        run = forked(dbctl, behind(herald, database))
        result = run("backup", "create", "made")
        assert result.code == 1, str(result)
        assert title in result.err
        assert tool in result.err
        assert json.loads(run.ok("tables", "--json").out)[0]["table"] == "kept"


def test_what_might_write_is_not_sent_to_who_keeps_nobody_from_writing(
    dbctl: Dbctl, mysql_database: TestDatabase
) -> None:
    mysql_database.execute("CREATE TABLE kept (word VARCHAR(20))")
    mysql_database.execute("INSERT INTO kept VALUES ('INSERT INTO')")
    for said, title in ((TIDB, "TiDB"), (VITESS, "Vitess")):
        with posing(mysql_database, said) as herald:
            run = forked(dbctl, behind(herald, mysql_database))
            assert run.ok("query", "SELECT word FROM kept WHERE word = 'INSERT INTO' -- DELETE", "--single").out
            assert run.ok("query", "(SELECT 1) UNION (SELECT 2)", "--expect-rows", "2").out
            for statement in (
                "DELETE FROM kept",
                "DROP TABLE kept",
                "EXPLAIN ANALYZE DELETE FROM kept",
                "WITH a AS (SELECT 1) DELETE FROM kept",
                "SELECT * FROM kept INTO OUTFILE '/tmp/kept'",
                "SELECT * FROM kept FOR UPDATE",
                "SET GLOBAL read_only = 0",
            ):
                result = run("query", statement)
                assert (result.code, f"{title} keeps no session from writing" in result.err) == (1, True), str(result)
            run.ok("query", "--write", "UPDATE kept SET word = word")
            profile = through(herald, mysql_database)
            with one_unit(profile) as unit:
                connection = unit.session.connection()
                with pytest.raises(Unsupported, match=title):
                    unit.backend.keep_from_writing(connection)
                if said == TIDB:
                    with pytest.raises(DBAPIError):  # of MySQL, which does not know the word
                        unit.backend.activity.end_session(connection, SessionThere(7, State.ACTIVE), terminate=False)
                    unit.session.rollback()
                    assert any(b"KILL TIDB QUERY 7" in data for _, data in herald.conversations[-1].pieces)


def test_what_there_is_is_told_as_postgresql_tells_it_also_where_its_own_catalogue_is_not_asked(
    postgres_database: TestDatabase,
) -> None:
    for statement in (
        "CREATE TABLE team (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE, twice INTEGER"
        " GENERATED ALWAYS AS (id * 2) STORED)",
        "CREATE TABLE hero (id INTEGER PRIMARY KEY, team_id INTEGER DEFAULT 1 REFERENCES team ON DELETE CASCADE)",
        "CREATE VIEW heroes AS SELECT * FROM hero",
    ):
        postgres_database.execute(statement)

    def told(backend: Backend, connection: Connection) -> Any:
        relations = backend.catalog.inventory(connection, "public")
        team = next(each for each in relations if each.name == "team")
        columns = [(each.name, each.type.lower().replace("varchar", "character varying"), each.nullable)
                   for each in backend.catalog.columns_there(connection, team)]  # fmt: skip
        names = [
            each.name for each in backend.catalog.indexes_there(connection, team) if not each.name.endswith("pkey")
        ]
        references = [(each.table, each.name, "CASCADE" in each.definition)
                      for each in backend.catalog.references_there(connection, team)]  # fmt: skip
        return [(each.schema, each.name, each.kind) for each in relations], columns, names, references

    profile = profile_of(postgres_database)
    with engine_of(profile) as engine, engine.connect() as connection:
        expected = told(backend_of(profile), connection)
        assert told(CockroachDB(profile), connection) == expected
        assert told(YugabyteDB11(profile), connection) == expected
        assert list(CockroachDB(profile).unknown(connection, CockroachDB(profile).inventory(connection, None))) == [
            "rows and sizes are not asked of CockroachDB"
        ]


def test_cockroachdb_is_begun_locked_and_asked_in_its_own_way(postgres_database: TestDatabase) -> None:
    profile = profile_of(postgres_database)
    backend = CockroachDB(profile)
    with engine_of(profile) as engine, engine.connect() as connection:
        backend.begin_strictly(connection, writes=False)
        assert connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
        assert backend.transaction_id(connection) is None
        assert backend.row_lock(connection)
        assert backend.explaining(connection, analyze=True) == "EXPLAIN ANALYZE "
        with pytest.raises(Unsupported, match="does not tell of its sessions") as refused:
            backend.activity.sessions_there(connection)
        assert "SHOW CLUSTER SESSIONS" in refused.value.hint
        with pytest.raises(Unsupported) as refused:
            _ = backend.backups
        assert "BACKUP" in refused.value.hint
        with pytest.raises(Unsupported, match="no temporary tables"):
            backend.refuse_drift()
    assert (backend.commits_by_itself("ALTER TABLE t ADD x INT"), backend.commits_by_itself("SELECT 1")) == (
        "ALTER",
        None,
    )
    assert (backend.transactional_ddl, backend.check_deferred) == (False, None)
    assert type(backend_of(profile_at("cockroachdb+asyncpg://u@h/d"))) is CockroachDB


# --- PostgreSQL with more to it ---------------------------------------------------------------------------------------


def test_aurora_is_asked_for_no_log(postgres_database: TestDatabase) -> None:
    # Of the functions of its log it makes errors: https://github.com/DataDog/integrations-core/issues/20356
    profile = profile_of(postgres_database)
    with one_unit(profile) as unit:
        unit.session.execute(text("CREATE TABLE t (x INTEGER)"))
        assert unit.backend.transaction_id(unit.session.connection())
    postgres_database.execute("CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql RETURN '16.4.1'")
    with one_unit(profile) as unit:
        unit.session.execute(text("INSERT INTO t VALUES (1)"))
        assert unit.backend.transaction_id(unit.session.connection()) is None
    assert ping(profile).server == "Aurora PostgreSQL"
    assert findings(postgres_database)["server"].measured == "Aurora PostgreSQL answers"


def test_a_lock_is_not_taken_on_a_worker_of_citus_nor_a_backup_made(postgres_database: TestDatabase) -> None:
    # What it installs, as https://docs.citusdata.com/en/stable/develop/api_metadata.html has it.
    for statement in (
        "CREATE SCHEMA posing",
        "CREATE VIEW posing.pg_extension AS SELECT 'citus'::name AS extname, '12.1' AS extversion",
        "CREATE TABLE posing.pg_dist_local_group AS SELECT 0 AS groupid",
        f"ALTER DATABASE {postgres_database.name} SET search_path = posing, pg_catalog, public",
    ):
        postgres_database.execute(statement)
    profile = profile_of(postgres_database)
    assert ping(profile).server == "PostgreSQL with Citus 12.1"
    assert findings(postgres_database)["server"].measured == "PostgreSQL with Citus 12.1 answers"
    with advisory_lock("nightly", profile):
        pass
    with one_unit(profile) as unit:
        connection = unit.session.connection()
        with pytest.raises(Unsupported) as refused:
            unit.backend.refuse_backup(connection)
    assert "citus_create_restore_point" in refused.value.hint
    postgres_database.execute("UPDATE posing.pg_dist_local_group SET groupid = 3")
    with pytest.raises(WorkRefused, match="a worker of Citus"), advisory_lock("nightly", profile):
        pass
