"""Each test's database is its own, and can be looked into past dbctl."""

import contextlib
import tomllib
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

# Under one name in every test below: it is there but once, if each has a database of its own.
TABLE = "CREATE TABLE t (x INTEGER, s VARCHAR(20))"


def test_it_is_fresh(database: TestDatabase) -> None:
    assert database.execute(TABLE) == []


def test_statements_take_parameters_and_return_rows(database: TestDatabase) -> None:
    database.execute(TABLE)
    assert database.execute("INSERT INTO t VALUES (?, ?)", 1, "100%?ü") == []
    assert database.execute("SELECT x, s FROM t WHERE s LIKE '100%' AND x = ?", 1) == [(1, "100%?ü")]
    assert database.execute("SELECT x FROM t WHERE s LIKE '100%'") == [(1,)]


def test_a_transaction_can_be_held(database: TestDatabase) -> None:
    database.execute(TABLE)
    with contextlib.closing(database.connect(autocommit=False)) as connection:
        connection.cursor().execute("INSERT INTO t VALUES (1, 'x')")
        assert database.execute("SELECT * FROM t") == []
        connection.commit()
        assert database.execute("SELECT * FROM t") == [(1, "x")]


def test_the_url_leads_to_it(database: TestDatabase) -> None:
    database.execute(TABLE)
    engine = create_engine(database.url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 0
    engine.dispose()


def test_the_profile_says_what_the_url_says(database: TestDatabase) -> None:
    [(name, profile)] = tomllib.loads(database.toml)["profiles"].items()
    url = make_url(database.url)
    assert name == database.profile
    if database.kind == "sqlite":
        assert profile == {"url": database.url}
        return
    assert database.server
    assert profile.pop("ssl") == {"mode": "verify-full", "ca": str(database.server.ca)}
    assert database.env[profile.pop("password_env")] == url.password
    assert profile == {
        "driver": url.drivername,
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "database": url.database,
    }


def test_dbctl_gets_it_as_the_default_profile(on_database: Dbctl, database: TestDatabase) -> None:
    document = tomllib.loads((on_database.cwd / "profiles.toml").read_text(encoding="utf-8"))
    assert document["default"] == database.profile
    assert set(document["profiles"]) == {database.profile}
    assert on_database.env == database.env


def test_the_file_of_sqlite_is_not_in_the_working_directory(sqlite_database: TestDatabase, workdir: Path) -> None:
    sqlite_database.execute(TABLE)
    assert Path(sqlite_database.name).is_file()
    assert list(workdir.iterdir()) == []


def test_a_server_is_back_for_the_next_test_after_one_that_left_it_frozen(server_database: TestDatabase) -> None:
    # What the fixture does after this test is the point: it drops the database, and could not on a frozen server.
    assert server_database.server
    server_database.server.freeze()
