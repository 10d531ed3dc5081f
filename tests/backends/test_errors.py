"""What a driver raises becomes the error that says the same, whichever driver it is."""

import socket
from typing import Any

import pytest
from sqlalchemy import text

from dbctl.errors import (
    BrokenReference,
    Conflict,
    ConnectError,
    DbctlError,
    Duplicate,
    MissingTable,
    Remedy,
    WorkRefused,
)
from tests.faults.units import units
from tests.harness.database import TestDatabase
from tests.harness.profile import one_unit, profile_at, profile_of
from tests.servers.system import free_port

# As constraints of the table: of a column, MariaDB would read over REFERENCES and refuse a named CHECK.
TABLES = (
    "CREATE TABLE team (id INTEGER PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE)",
    "CREATE TABLE hero (id INTEGER PRIMARY KEY, age INTEGER, team INTEGER NOT NULL,"
    " CONSTRAINT born CHECK (age >= 0), FOREIGN KEY (team) REFERENCES team (id))",
    "INSERT INTO team VALUES (1, 'one')",
    "INSERT INTO hero VALUES (1, 30, 1)",
)


@pytest.fixture(scope="module")
def filled(shared_database: TestDatabase) -> TestDatabase:
    for statement in TABLES:
        shared_database.execute(statement)
    return shared_database


def refused(database: TestDatabase, sql: str, params: dict[str, Any] | None = None) -> DbctlError:
    with pytest.raises(DbctlError) as caught, one_unit(profile_of(database)) as unit:
        unit.session.execute(text(sql), params)
    assert caught.value.__cause__ is not None
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        pytest.param("INSERT INTO team VALUES (1, 'two')", Duplicate, id="primary key"),
        pytest.param("INSERT INTO team VALUES (2, 'one')", Duplicate, id="unique"),
        pytest.param("INSERT INTO team VALUES (2, NULL)", Conflict, id="not null"),
        pytest.param("INSERT INTO team (id) VALUES (2)", Conflict, id="no default"),
        pytest.param("INSERT INTO hero VALUES (2, -1, 1)", Conflict, id="check"),
        pytest.param("INSERT INTO hero VALUES (2, 1, 7)", BrokenReference, id="foreign key"),
        pytest.param("DELETE FROM team", BrokenReference, id="referenced"),
    ],
)
def test_a_constraint_that_says_no_is_a_conflict(filled: TestDatabase, sql: str, kind: type[Conflict]) -> None:
    assert type(refused(filled, sql)) is kind
    assert filled.execute("SELECT count(*) FROM team") == [(1,)]


def test_a_number_out_of_range_is_a_conflict(filled: TestDatabase) -> None:
    assert type(refused(filled, "INSERT INTO hero VALUES (2, :age, 1)", {"age": 2**70})) is Conflict


def test_a_text_that_is_too_long_is_a_conflict(shared_server_database: TestDatabase) -> None:
    shared_server_database.execute("CREATE TABLE short (word VARCHAR(5))")
    assert type(refused(shared_server_database, "INSERT INTO short VALUES ('toolong')")) is Conflict


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM nowhere", "INSERT INTO nowhere VALUES (1)", "UPDATE nowhere SET x = 1", "DELETE FROM nowhere"],
)
def test_a_missing_table_is_told_with_what_to_do(shared_database: TestDatabase, sql: str) -> None:
    error = refused(shared_database, sql)
    assert type(error) is MissingTable
    assert "nowhere" in error.message
    assert error.hint is Remedy.CREATE_TABLES


@pytest.mark.parametrize("sql", ["SELEKT 1", "SELECT nothing FROM team", "CREATE TABLE team (id INTEGER)"])
def test_any_other_refusal_is_one_too(filled: TestDatabase, sql: str) -> None:
    assert type(refused(filled, sql)) is WorkRefused


def not_connected(database: TestDatabase, changes: dict[str, Any]) -> ConnectError:
    with pytest.raises(ConnectError) as caught, one_unit(profile_of(database, changes)) as unit:
        unit.session.connection()
    assert caught.value.message.startswith(f"profile {database.profile}: {caught.value.stage} failed: ")
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("mode", ["disable", "prefer", "verify-full"])
@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        pytest.param({"password": "wrong"}, "login", id="password"),
        pytest.param({"user": "nobody"}, "login", id="user"),
        pytest.param({"database": "nowhere"}, "database", id="database"),
    ],
)
def test_the_step_at_which_the_server_refused_is_named(
    shared_server_database: TestDatabase, changes: dict[str, Any], stage: str, mode: str
) -> None:
    error = not_connected(shared_server_database, {**changes, "ssl.mode": mode})
    assert error.stage == stage, error.message
    assert "wrong" not in error.message


def test_an_unknown_host_fails_at_its_name(shared_server_database: TestDatabase) -> None:
    assert not_connected(shared_server_database, {"host": "nowhere.invalid"}).stage == "name resolution"


def test_a_port_where_nobody_listens_fails_at_tcp(shared_server_database: TestDatabase) -> None:
    assert not_connected(shared_server_database, {"port": free_port()}).stage == "TCP"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://a@nowhere.invalid/d", "name resolution failed: nowhere.invalid: "),
        ("postgresql://a@nowhere.invalid/d", "name resolution failed: .*nowhere.invalid"),
        ("mysql://a@localhost:{port}/d", "TCP failed: localhost:{port}: Connection refused$"),
        ("postgresql://a@localhost:{port}/d", "TCP failed: .*localhost.*{port}.* Connection refused"),
        ("mysql://a@/d?unix_socket=/nowhere/s", "connection failed: mysql://a@/d.*nowhere.*: No such file or dir"),
        ("postgresql://a@/d?host=/nowhere", "connection failed: .*nowhere.* No such file or directory"),
    ],
)
def test_the_place_where_nobody_answers_is_named_in_words(url: str, words: str, asynchronous: bool) -> None:
    port = free_port()
    with (
        units(profile_at(url.format(port=port)), asynchronous) as found,
        pytest.raises(ConnectError, match=words.format(port=port)) as caught,
    ):
        found.run(lambda session: session.execute(text("SELECT 1")))
    assert "Errno" not in caught.value.message
    assert caught.value.transient


def test_a_port_that_hangs_up_is_no_connection(shared_server_database: TestDatabase) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RD)
        not_connected(shared_server_database, {"port": port, "connect_timeout": 2})


def test_a_server_that_goes_down_meanwhile_is_no_connection(shared_server_database: TestDatabase) -> None:
    def ask_while_it_is_down() -> None:
        assert shared_server_database.server
        with one_unit(profile_of(shared_server_database)) as unit:
            unit.session.connection()
            with shared_server_database.server.stopped():
                unit.session.connection().exec_driver_sql("SELECT 1")

    with pytest.raises(ConnectError):
        ask_while_it_is_down()


def test_a_server_that_demands_tls_refuses_the_login(shared_server_database: TestDatabase) -> None:
    assert shared_server_database.server
    server = shared_server_database.server
    server.create_role("careful", "secret", requires="tls")
    try:
        login = {"user": "careful", "password": "secret", "ssl.mode": "disable"}
        assert not_connected(shared_server_database, login).stage == "login"
    finally:
        server.drop_role("careful")


def test_a_role_without_a_connection_left_is_refused_at_login(shared_server_database: TestDatabase) -> None:
    assert shared_server_database.server
    server = shared_server_database.server
    server.create_role("lonely", "secret", connections=1)
    held = server.connect(user="lonely", password="secret")
    try:
        assert not_connected(shared_server_database, {"user": "lonely", "password": "secret"}).stage == "login"
    finally:
        held.close()
        server.drop_role("lonely")


def test_of_several_hosts_the_last_one_tells_the_step(postgres_database: TestDatabase) -> None:
    # As where `localhost` is ::1 first, and the server listens on 127.0.0.1 alone.
    changes = {"host": "127.0.0.2,127.0.0.1", "password": "wrong", "ssl.mode": "disable"}
    assert not_connected(postgres_database, changes).stage == "login"
