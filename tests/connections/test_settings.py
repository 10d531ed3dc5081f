"""An engine is what the profile says, to the last setting."""

import io
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from dbctl.connections.engines import build_engine
from dbctl.errors import ConfigError
from dbctl.profiles import Profile, Profiles
from dbctl.profiles.layers import Layer, build, layer_from_url
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.profile import engine_of, profile_of

SERVER = "mysql://app@db.example/app"


def at(url: str, **values: Any) -> Profile:
    """Return a profile of a URL and other values; two underscores stand for the dot in a key."""
    changes = {key.replace("__", "."): value for key, value in values.items()}
    return build("test", [layer_from_url(url, "the test"), Layer(changes, "the test")])


def pool_settings(engine: Engine) -> tuple[Any, ...]:
    """Return size, overflow, recycle, timeout and pre-ping."""
    pool: Any = engine.pool
    assert type(pool) is QueuePool
    return (pool.size(), pool._max_overflow, pool._recycle, pool._timeout, pool._pre_ping)


@pytest.mark.parametrize("url", ["postgresql://db.example/app", SERVER, "sqlite:///app.db"])
def test_the_pools_settings_reach_the_engine_exactly(url: str) -> None:
    said = {"size": 3, "max_overflow": 4, "recycle": 77, "timeout": 2.5, "pre_ping": False}
    profile = at(url, **{f"pool__{key}": value for key, value in said.items()})
    assert pool_settings(build_engine(profile)) == (3, 4, 77, 2.5, False)


def test_what_the_profile_does_not_say_is_the_pools_usual_setting() -> None:
    assert pool_settings(build_engine(at(SERVER))) == (5, 10, -1, 30, True)


def test_the_production_preset_reaches_the_engine() -> None:
    engine = build_engine(Profiles(environ={"ENVIRONMENT": "production", "DATABASE_URL": SERVER}).select())
    assert pool_settings(engine) == (20, 10, 3600, 30, True)
    assert not engine.echo


def test_memory_has_one_connection_and_none_of_the_pools_settings() -> None:
    assert type(build_engine(at("sqlite://", pool__size=3)).pool) is StaticPool


@pytest.mark.parametrize(
    ("scheme", "driver"),
    [
        *[(scheme, "psycopg2") for scheme in ("postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg")],
        *[(scheme, "pymysql") for scheme in ("mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql", "mysql+asyncmy")],
        *[(scheme, "pysqlite") for scheme in ("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite")],
    ],
)
def test_each_scheme_has_its_driver(scheme: str, driver: str) -> None:
    place = "/app.db" if driver == "pysqlite" else "db.example/app"
    assert build_engine(at(f"{scheme}://{place}")).driver == driver


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "postgres", "postgresql"])
def test_each_plain_scheme_leads_to_the_server(scheme: str, request: pytest.FixtureRequest) -> None:
    kind = "postgres" if scheme.startswith("postgres") else "mariadb"
    database: TestDatabase = request.getfixturevalue(f"{kind}_database")
    url = f"{scheme}{database.url[database.url.index('://') :]}"
    with engine_of(at(url)) as engine, engine.connect() as connection:
        name = "current_database()" if kind == "postgres" else "database()"
        assert connection.execute(text(f"SELECT {name}")).scalar() == database.name


def test_the_server_lists_the_connection_under_the_applications_name(postgres_database: TestDatabase) -> None:
    query = "SELECT application_name FROM pg_stat_activity WHERE datname = ? AND pid <> pg_backend_pid()"
    with engine_of(profile_of(postgres_database, {"application_name": "paymaster"})) as engine, engine.connect():
        assert postgres_database.execute(query, postgres_database.name) == [("paymaster",)]


def test_the_applications_name_is_an_attribute_of_a_mysql_connection(mariadb_database: TestDatabase) -> None:
    with engine_of(profile_of(mariadb_database, {"application_name": "paymaster"})) as engine:
        connection = engine.raw_connection()
        # The server would show it in its performance schema, which is off here; this is what the driver has sent.
        driver_connection: Any = connection.driver_connection
        assert driver_connection._connect_attrs["program_name"] == "paymaster"
        connection.close()


@pytest.mark.parametrize("protected", [True, False])
def test_no_error_shows_a_parameter_of_a_protected_profile(sqlite_database: TestDatabase, protected: bool) -> None:
    sqlite_database.execute("CREATE TABLE t (secret VARCHAR(40) PRIMARY KEY)")
    insert, secret = text("INSERT INTO t VALUES (:secret)"), {"secret": "Pedro Parqueador"}
    with engine_of(profile_of(sqlite_database, {"protected": protected})) as engine, engine.begin() as connection:
        connection.execute(insert, secret)
        with pytest.raises(IntegrityError) as caught:
            connection.execute(insert, secret)
    assert ("Pedro Parqueador" in str(caught.value)) is not protected


@pytest.mark.parametrize("protected", [True, False])
def test_echo_is_on_stderr_without_the_parameters_of_a_protected_profile(
    dbctl: Dbctl, tmp_path: Path, protected: bool
) -> None:
    settings = f'url = "sqlite:///{tmp_path}/echo.db"\necho = true\nprotected = {str(protected).lower()}\n'
    (dbctl.cwd / "profiles.toml").write_text(f'default = "lite"\n[profiles.lite]\n{settings}')
    run = Forked(cwd=dbctl.cwd, home=dbctl.home)
    run.ok("init-tables", "--confirm=lite")
    result = run.ok("heroes", "add", "Spider-Boy", "--secret-name", "Pedro Parqueador", "--json", "--confirm=lite")
    assert result.json["name"] == "Spider-Boy"
    assert "INSERT INTO hero" in result.err
    assert ("Pedro Parqueador" in result.err) is not protected


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("CREATE USER x IDENTIFIED BY 'hunter2'", "CREATE USER x IDENTIFIED BY '********'"),
        ('ALTER USER x identified by "hunter2", y', 'ALTER USER x identified by "********", y'),
        ("GRANT ALL ON *.* TO x IDENTIFIED WITH ed25519 AS 'hunter2'", "x IDENTIFIED WITH ed25519 AS '********'"),
        ("CREATE USER x IDENTIFIED BY PASSWORD '*hunter2'", "x IDENTIFIED BY PASSWORD '********'"),
        ("SET PASSWORD = 'hunter2'", "SET PASSWORD = '********'"),
        ("SET PASSWORD FOR x = PASSWORD('hunter2')", "PASSWORD('********')"),
        ("ALTER ROLE x PASSWORD 'it''s hunter2' VALID UNTIL 'infinity'", "PASSWORD '********' VALID UNTIL 'infinity'"),
        (r"ALTER ROLE x PASSWORD E'\'hunter2'", "ALTER ROLE x PASSWORD '********'"),
        ("CREATE ROLE x PASSWORD 'hunter2", "CREATE ROLE x PASSWORD '********'"),
    ],
)
def test_echo_masks_a_password_that_is_written_out(
    statement: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logger = logging.getLogger("sqlalchemy.engine.Engine")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    profile = at(f"sqlite:///{tmp_path}/echo.db", echo=True)
    with engine_of(profile) as engine, engine.connect() as connection, pytest.raises(OperationalError):
        connection.exec_driver_sql(statement)
    assert shown in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


class Heard(logging.Handler):
    """A service's own handler."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.levelname} {record.name} {record.getMessage()}")


def test_echo_is_for_a_services_handlers_and_changes_no_other_engines_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    heard, shared = Heard(), logging.getLogger("sqlalchemy.engine.Engine")
    monkeypatch.setattr(logging.getLogger(), "handlers", [heard])
    monkeypatch.setattr(shared, "handlers", [])
    monkeypatch.setattr(shared, "propagate", True)
    quiet = at(f"sqlite:///{tmp_path}/echo.db")
    loud = quiet.model_copy(update={"echo": True, "name": "v1.loud"})

    def run(profile: Profile, statement: str) -> None:
        with engine_of(profile) as engine, engine.connect() as connection:
            connection.exec_driver_sql(statement)

    for statement in ("SELECT 1 /* PASSWORD 'hunter2' */", "SELECT 2, '%s'"):
        run(loud, statement)
    run(quiet, "SELECT 3")
    assert {one.split()[1] for one in heard.said} == {"sqlalchemy.engine.Engine.v1_loud"}
    assert "INFO sqlalchemy.engine.Engine.v1_loud SELECT 1 /* PASSWORD '********' */" in heard.said
    assert any(one.endswith("SELECT 2, '%s'") for one in heard.said)
    assert (shared.handlers, shared.propagate, shared.level) == ([], True, logging.NOTSET)
    shared.setLevel(logging.INFO)  # which a service may, and then sees those of all
    try:
        run(quiet, "SELECT 4")
    finally:
        shared.setLevel(logging.NOTSET)
    assert "INFO sqlalchemy.engine.Engine SELECT 4" in heard.said
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of a listener that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_never_answers_is_given_up_in_time(silent_port: int, scheme: str) -> None:
    engine = build_engine(at(f"{scheme}://app@127.0.0.1:{silent_port}/app", connect_timeout=2))
    refused: list[Exception] = []

    def connect() -> None:
        try:
            engine.connect()
        except OperationalError as error:
            refused.append(error)

    # In a thread, for a connect that waited for ever would take the tests with it.
    connecting = threading.Thread(target=connect, daemon=True)
    start = time.monotonic()
    connecting.start()
    connecting.join(4)
    assert refused, f"it was still waiting after {time.monotonic() - start:.1f} s"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_is_no_certificate_is_told_before_anything_is_connected(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigError):
        build_engine(at(SERVER, ssl__mode="verify-full", ssl__ca=str(tmp_path / "ca.pem")))
