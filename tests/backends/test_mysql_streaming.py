"""PyMySQL's rows come faster, and are the same; what is left before its end is ended at the server."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymysql.err import OperationalError
from sqlalchemy import Connection, Engine, create_engine, text

from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.mysql import streaming as streaming_module
from dbctl.backends.mysql.delimited import Lines
from dbctl.backends.mysql.streaming import RowStream
from dbctl.bulk.forms import Form
from dbctl.bulk.writing import writer_for
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of, profile_of
from tests.harness.shared import make_shared


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    yield from make_shared("mariadb", request)


@pytest.fixture
def engine(database: TestDatabase) -> Iterator[Engine]:
    with engine_of(profile_of(database)) as found:
        yield found


def streaming(connection: Connection, query: str) -> Any:
    return connection.execution_options(stream_results=True, max_row_buffer=1000).execute(text(query))


def plainly(database: TestDatabase, query: str) -> list[Any]:
    """Run a query by SQLAlchemy and PyMySQL alone."""
    engine = create_engine(database.url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(query)))
    finally:
        engine.dispose()


def test_sqlalchemy_takes_it_for_its_server_side_cursor(engine: Engine) -> None:
    with engine.connect() as connection:
        result = streaming(connection, "SELECT 1")
        assert isinstance(result.cursor, RowStream)
        assert result.all() == [(1,)]


def test_what_it_uses_of_pymysql_is_still_there(engine: Engine) -> None:
    with engine.connect() as connection:
        result = streaming(connection, "SELECT seq FROM seq_1_to_10")
        driver = connection.connection.driver_connection
        assert driver is not None
        for name in ("_rfile", "_next_seq_id", "_sock"):
            assert hasattr(driver, name)
        assert driver._rfile.peek(1)
        found = vars(result.cursor)["_result"]
        for name in ("unbuffered_active", "converters", "_finish_unbuffered_query", "connection"):
            assert hasattr(found, name)
        assert len(result.all()) == 10


# Each column of each type, with and without a value.
TYPES = {
    "TINYINT": "-1", "SMALLINT UNSIGNED": "65535", "INT": "-2147483648", "BIGINT UNSIGNED": "18446744073709551615",
    "BOOLEAN": "TRUE", "BIT(9)": "b'100000001'", "FLOAT": "1.5", "DOUBLE": "-1e300", "DECIMAL(20,10)": "0",
    "DATE": "'2026-03-01'", "DATETIME(6)": "'2026-03-01 12:00:00.000005'", "TIMESTAMP NULL": "'2026-03-01 12:00:00'",
    "TIME(3)": "'-838:59:58.999'", "YEAR": "2026", "CHAR(3)": "'ab'", "VARCHAR(300)": "'日本😀'",
    "TEXT CHARACTER SET latin1": "'é'", "LONGTEXT": "REPEAT('ä', 40000)", "BINARY(3)": "X'00FF01'",
    "BLOB": "X'00FEFF'", "JSON": "'{\\\"a\\\": [1, null]}'", "ENUM('a','b')": "'b'", "SET('x','y')": "'x,y'",
    "GEOMETRY": "POINT(1, 2)", "INET6": "'::1'", "UUID": "'123e4567-e89b-12d3-a456-426614174000'",
}  # fmt: skip


def test_each_type_has_the_values_that_pymysql_gives(engine: Engine, database: TestDatabase) -> None:
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(TYPES))
    database.execute(f"CREATE OR REPLACE TABLE types (id INT PRIMARY KEY AUTO_INCREMENT, {columns})")
    names = ", ".join(f"c{number}" for number in range(len(TYPES)))
    database.execute(f"INSERT INTO types ({names}) VALUES ({', '.join(TYPES.values())})")
    database.execute(f"INSERT INTO types ({names}) VALUES ({', '.join('NULL' for _ in TYPES)})")
    database.execute(f"INSERT INTO types ({names}) SELECT {names} FROM types CROSS JOIN seq_1_to_40")
    query = "SELECT * FROM types ORDER BY id"
    with engine.connect() as connection:
        assert streaming(connection, query).all() == plainly(database, query)


# Around what a length is told in, what is read at once, and what a packet holds.
LENGTHS = (0, 1, 250, 251, 252, 8180, 8192, 8200, 65_535, 65_536, 70_000, 2**24 - 10, 2**24 + 10)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_value_may_be_of_any_length(engine: Engine, database: TestDatabase, length: int) -> None:
    assert database.server
    database.server.execute(f"SET GLOBAL max_allowed_packet = {2**26}")  # for the sessions that begin from now on
    with engine.connect() as connection:
        rows = streaming(connection, f"SELECT seq, REPEAT('x', {length}), seq FROM seq_1_to_3").all()
    assert rows == [(number, "x" * length, number) for number in (1, 2, 3)]


@pytest.mark.parametrize("reader", [streaming_module.rows_in, streaming_module.rows_in_python])
def test_what_is_fetched_as_sent_is_what_pymysql_reads(
    engine: Engine, database: TestDatabase, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By asyncmy's parser where it is installed, and by the one in Python: of any type and length, in any portions."""
    monkeypatch.setattr(streaming_module, "rows_in", reader)
    assert database.server
    database.server.execute(f"SET GLOBAL max_allowed_packet = {2**26}")
    lengths = " UNION ALL ".join(f"SELECT {n}, REPEAT('é', {n // 2}), NULL, x'00ff', ''" for n in LENGTHS)
    values = ", ".join(f"CAST({text} AS CHAR)" if "REPEAT" in text else text for text in TYPES.values())
    small = "SELECT seq, NULL, 'x' FROM seq_1_to_3000"
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for query in (small, lengths, f"SELECT {values}"):
            for size in (1, 700, 10_000):
                with streaming_module.rows_as_sent(driver, query, _never, profile_of(database)) as cursor:
                    encodings, rows = cursor.encodings, []
                    while some := cursor.fetch_as_sent(size):
                        rows += some
                assert _decoded(rows, encodings) == _by_pymysql(database, query)


def _never(_connection: Any) -> Any:
    return lambda: None


def _decoded(rows: list[Any], encodings: list[str | None]) -> list[Any]:
    return [
        tuple(
            one if one is None or code is None else one.decode(code) for one, code in zip(row, encodings, strict=True)
        )
        for row in rows
    ]


def _by_pymysql(database: TestDatabase, query: str) -> list[Any]:
    connection: Any = database.connect()
    try:
        connection.decoders = {}
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
    finally:
        connection.close()


@pytest.mark.parametrize("csv", [True, False])
@pytest.mark.parametrize("null", ["", "NULL"])
def test_lines_are_those_that_texts_would_have_become(csv: bool, null: str) -> None:
    odd = [
        None,
        b"",
        b"plain",
        b"NULL",
        b"\\N",
        b"\\.",
        b'"',
        b"a,b",
        b"a\tb",
        b"l1\nl2",
        b"\r",
        b"\x0b",
        "é😀".encode(),
    ]
    form = Form("csv" if csv else "tsv", null=null if csv else None)
    for width in (1, 2, 3):
        for rows in ([(one,) * width for one in odd], *([(one,) * width, (b"x",) * width] for one in odd)):
            written: list[bytes] = []
            columns = [BulkColumn(f"c{number}", Kind.TEXT, "text") for number in range(width)]
            writer = writer_for(form, columns, written.append)
            texts = [[None if one is None else one.decode() for one in column] for column in zip(*rows, strict=True)]
            writer.rows(texts)
            lines = Lines([None] * width, csv=csv, null=null)
            assert lines.of(rows) == written[-1], (width, rows)


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_rows_come_in_any_portions(engine: Engine, size: int) -> None:
    with engine.connect() as connection:
        result = streaming(connection, "SELECT seq, NULL, 'x' FROM seq_1_to_5000")
        rows: list[Any] = []
        while some := result.fetchmany(size):
            rows += some
    assert rows == [(number, None, "x") for number in range(1, 5001)]


def test_one_that_has_no_rows_ends(engine: Engine) -> None:
    with engine.connect() as connection:
        assert streaming(connection, "SELECT seq FROM seq_1_to_5 WHERE seq > 5").all() == []
        assert connection.scalar(text("SELECT 42")) == 42


def test_one_that_is_left_is_ended_and_the_connection_goes_on(engine: Engine) -> None:
    with engine.connect() as connection:
        before = connection.scalar(text("SELECT connection_id()"))
        result = streaming(connection, "SELECT a.seq FROM seq_1_to_100000 a, seq_1_to_100000 b")
        assert len(result.fetchmany(10)) == 10
        began = time.monotonic()
        result.close()
        assert time.monotonic() - began < 20
        assert connection.scalar(text("SELECT connection_id()")) == before
        assert (
            connection.scalar(text("SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%a.seq%'"))
            == 1
        )
        connection.commit()


def test_one_that_has_come_whole_is_left_without_a_word(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    with engine.connect() as connection:
        result = streaming(connection, "SELECT seq FROM seq_1_to_5")
        monkeypatch.setattr(result.cursor, "_kill", killed.append)
        assert len(result.fetchmany(3)) == 3
        result.close()
        assert killed != []  # the server may still have had rows
        result = streaming(connection, "SELECT seq FROM seq_1_to_5")
        monkeypatch.setattr(result.cursor, "_kill", killed.append)
        count = len(killed)
        assert len(result.all()) == 5
        result.close()
        assert len(killed) == count


def test_an_error_between_rows_leaves_the_connection_as_it_is(engine: Engine) -> None:
    query = "SELECT seq, (SELECT seq FROM seq_1_to_2 t WHERE t.seq < IF(s.seq = 3000, 3, 2)) FROM seq_1_to_5000 s"
    with engine.connect() as connection:
        result = streaming(connection, query)
        with pytest.raises(Exception, match="Subquery returns more than 1 row"):
            result.all()
        assert connection.scalar(text("SELECT 42")) == 42


def test_a_server_waits_longer_than_a_minute_for_who_reads(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT @@net_write_timeout")) == 60
        assert streaming(connection, "SELECT @@net_write_timeout").all() == [(86_400,)]


def test_what_is_left_open_is_not_read_before_a_rollback(engine: Engine) -> None:
    with engine.connect() as connection:
        result = streaming(connection, "SELECT a.seq FROM seq_1_to_100000 a, seq_1_to_100000 b")
        assert len(result.fetchmany(10)) == 10
        began = time.monotonic()
        connection.rollback()
        assert time.monotonic() - began < 20
        assert connection.scalar(text("SELECT 42")) == 42
        result.close()


def test_without_a_way_to_end_it_the_connection_is_given_up(
    engine: Engine, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: int) -> None:
        raise OperationalError(1040, "too many connections")

    with engine.connect() as connection:
        result = streaming(connection, "SELECT a.seq FROM seq_1_to_100000 a, seq_1_to_100000 b")
        monkeypatch.setattr(result.cursor, "_kill", refuse)
        assert len(result.fetchmany(10)) == 10
        began = time.monotonic()
        result.close()
        assert time.monotonic() - began < 20
        connection.invalidate()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 42")) == 42
