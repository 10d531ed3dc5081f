"""`dbctl init-tables` on the sample's tables; a service's own are in a file beside this one."""

import contextlib
import signal
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, inspect

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.profile import one_unit, profile_of

SAMPLE = ["team", "hero", "transfer_log"]


def tables(database: TestDatabase) -> set[str]:
    engine = create_engine(database.url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_first_run_creates_and_the_second_finds(quick: Dbctl, database: TestDatabase) -> None:
    result = quick.ok("init-tables", "--json")
    assert result.json == [{"table": name, "state": "created"} for name in SAMPLE]
    assert result.talk == (
        "dbctl: no models are configured: these are the sample's tables (name yours with the profile's key models)\n"
    )
    assert tables(database) == set(SAMPLE)
    assert quick.ok("init-tables", "--json").json == [{"table": name, "state": "exists"} for name in SAMPLE]


def test_what_is_missing_is_created_and_what_is_there_left_alone(quick: Dbctl, database: TestDatabase) -> None:
    quick.ok("init-tables")
    database.execute("DROP TABLE transfer_log")
    database.execute("INSERT INTO team (name) VALUES ('Preventers')")
    states = {row["table"]: row["state"] for row in quick.ok("init-tables", "--json").json}
    assert states == {"team": "exists", "hero": "exists", "transfer_log": "created"}
    assert database.execute("SELECT name FROM team") == [("Preventers",)]


def test_a_check_names_what_is_missing_and_creates_nothing(quick: Dbctl, database: TestDatabase) -> None:
    result = quick("init-tables", "--check", "--json")
    assert result.code == 6
    assert result.json == [{"table": name, "state": "missing"} for name in SAMPLE]
    assert result.talk.splitlines()[-1] == (
        "dbctl: error: missing tables: team, hero, transfer_log; create them with: dbctl init-tables"
    )
    if database.kind == "sqlite":
        assert not list(quick.cwd.parent.glob("*.db"))
    else:
        assert tables(database) == set()


def test_a_check_is_content_where_all_are_there(quick: Dbctl) -> None:
    quick.ok("init-tables")
    assert quick.ok("init-tables", "--check", "--json").json == [{"table": name, "state": "exists"} for name in SAMPLE]


def test_a_dry_run_prints_ddl_that_can_be_run_as_it_is(quick: Dbctl, database: TestDatabase) -> None:
    result = quick.ok("init-tables", "--dry-run")
    if database.kind == "sqlite":
        assert not list(quick.cwd.parent.glob("*.db"))
    assert tables(database) == set()
    assert "CREATE TABLE hero" in result.out
    statements = [statement for statement in result.out.split(";\n") if statement.strip()]
    assert len(statements) > len(SAMPLE)  # the indexes are there too
    for statement in statements:
        database.execute(statement)
    assert tables(database) == set(SAMPLE)
    assert quick.ok("init-tables", "--check").code == 0
    assert quick.ok("init-tables", "--dry-run").out == ""
    quick.ok("teams", "add", "Preventers")


def test_a_dry_run_is_in_the_dialect_of_the_profiles_database(quick: Dbctl, database: TestDatabase) -> None:
    ddl = " ".join(statement["sql"] for statement in quick.ok("init-tables", "--dry-run", "--json").json)
    words = {"postgresql": "SERIAL", "mysql": "AUTO_INCREMENT"}
    assert {kind for kind, word in words.items() if word in ddl} == {database.dialect} - {"sqlite"}


def test_a_dry_run_shows_only_what_is_missing_and_says_it_is_not_committed(
    quick: Dbctl, database: TestDatabase
) -> None:
    quick.ok("init-tables")
    database.execute("DROP TABLE transfer_log")
    rows = quick.ok("init-tables", "--dry-run", "--json").json
    assert all("transfer_log" in row["sql"] for row in rows)
    assert {row["committed"] for row in rows} == {False}
    assert "transfer_log" not in tables(database)


@pytest.mark.parametrize("option", ["--check", "--dry-run"])
def test_to_look_creates_no_file(dbctl: Dbctl, option: str) -> None:
    result = dbctl("init-tables", option)
    assert result.code == {"--check": 6, "--dry-run": 0}[option], str(result)
    assert list(dbctl.cwd.iterdir()) == []


@contextlib.contextmanager
def held_back(database: TestDatabase) -> Iterator[None]:
    """Hold the lock that each run takes, as another run would."""
    with one_unit(profile_of(database)) as unit, unit.backend.ddl_lock(unit.session.connection()):
        yield


def wait_until_it_waits(database: TestDatabase) -> None:
    waiting = {
        "postgresql": "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
        "mysql": f"SELECT 1 FROM information_schema.processlist WHERE db = '{database.name}' AND state = 'User lock'",
    }
    deadline = time.monotonic() + 20
    while not database.execute(waiting[database.dialect]):
        assert time.monotonic() < deadline, "it never waited"
        time.sleep(0.02)


def test_a_run_waits_for_another_one_and_says_so(on_server: Dbctl, server_database: TestDatabase) -> None:
    with held_back(server_database):
        run = on_server.popen("init-tables", "--json")
        wait_until_it_waits(server_database)
        assert tables(server_database) == set()
    out, err = run.communicate(timeout=20)
    assert run.returncode == 0
    assert out.count('"created"') == 3
    assert "dbctl: waiting for another run, which creates or drops tables in this database\n" in err


@pytest.mark.parametrize("server_database", ["mariadb"], indirect=True)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_waits_for_another_one_can_be_ended(
    on_server: Dbctl, server_database: TestDatabase, number: signal.Signals, code: int
) -> None:
    with held_back(server_database):
        run = on_server.popen("init-tables")
        wait_until_it_waits(server_database)
        run.send_signal(number)
        try:
            _, err = run.communicate(timeout=3)
        finally:
            run.kill()
            run.wait()
    assert run.returncode == code
    assert "interrupted" in err
    assert tables(server_database) == set()


@pytest.fixture
def on_server(dbctl: Dbctl, server_database: TestDatabase) -> Dbctl:
    """Dbctl as a process of its own, with the server's database as its default profile."""
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{server_database.profile}"\n{server_database.toml}', "utf-8")
    return dbctl.with_env(**server_database.env)
