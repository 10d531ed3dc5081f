"""`dbctl migrate` on a protected profile, ended by a signal or a deadline, without alembic; init-tables beside it."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.migrations.conftest import MakeService
from tests.migrations.test_commands import tables
from tests.servers.client import rows


@pytest.mark.parametrize("words", [["upgrade"], ["downgrade", "base"], ["stamp", "head"]], ids=" ".join)
def test_a_protected_profile_is_changed_only_where_it_is_confirmed(
    words: list[str], dbctl: Dbctl, service: MakeService
) -> None:
    service()
    (dbctl.cwd / "profiles.toml").write_text('[profiles.live]\nurl = "sqlite:///live.db"\nprotected = true\n', "utf-8")
    dbctl.ok("migrate", "upgrade", "a1", "--confirm", "live")
    assert dbctl("migrate", *words).code == 8
    assert dbctl.ok("migrate", "current", "--json").json[0]["revision"] == "a1"
    dbctl.ok("migrate", *words, "--confirm", "live")


def test_no_word_of_alembics_writes_to_a_database(dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit(
        "migrations/env.py", "target_metadata = None", "import sqlalchemy\ntarget_metadata = sqlalchemy.MetaData()"
    )
    for script in (made.root / "migrations" / "versions").glob("*.py"):
        script.unlink()
    (dbctl.cwd / "profiles.toml").write_text('[profiles.live]\nurl = "sqlite:///live.db"\nprotected = true\n', "utf-8")
    sqlite3.connect(dbctl.cwd / "live.db").execute("CREATE TABLE kept (id INTEGER)").connection.close()
    refused = dbctl("migrate", "ensure_version")
    assert refused.code == 2
    assert "ensure_version writes without a lock; the first upgrade or stamp makes the version table" in refused.err
    for words in (["history", "-i"], ["show", "current"], ["revision", "--autogenerate", "-m", "first"]):
        dbctl.ok("migrate", *words)
    with closing(sqlite3.connect(dbctl.cwd / "live.db")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("kept",)]


def test_a_downgrade_says_what_it_takes_away_when_it_asks(dbctl: Dbctl, service: MakeService) -> None:
    service()
    (dbctl.cwd / "profiles.toml").write_text('[profiles.live]\nurl = "sqlite:///live.db"\nprotected = true\n', "utf-8")
    dbctl.ok("migrate", "upgrade", "--confirm", "live")
    shown = dbctl.tty("migrate", "downgrade", "a1", keys=[("to go on", "live\n")])
    assert shown.code == 0
    assert "downgrade takes back all after a1, with what is in it, in " in shown.plain


ALTER = "op.add_column('item', sa.Column('colour', sa.Integer))"


@contextmanager
def table_held(database: TestDatabase) -> Iterator[None]:
    """Hold a lock on the table that the next revision alters."""
    with closing(database.connect(autocommit=False)) as connection:
        rows(connection, "SELECT count(*) FROM item")
        yield


def waiting(database: TestDatabase) -> bool:
    query = {
        "postgresql": "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE item%' AND state = 'active'",
        "mysql": "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'ALTER TABLE item%'",
    }
    return bool(database.execute(query[database.dialect]))


@pytest.fixture(params=["generic", "async"])
def run(request: pytest.FixtureRequest, dbctl: Dbctl, server_database: TestDatabase, service: MakeService) -> Dbctl:
    """Dbctl where the next revision alters a table."""
    made = service(request.param)
    (dbctl.cwd / "profiles.toml").write_text(server_database.toml, encoding="utf-8")
    found = dbctl.with_env(**server_database.env)
    found.ok("migrate", "upgrade")
    made.add("a4", "a3", ALTER)
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_the_server_too(number: int, code: int, run: Dbctl, server_database: TestDatabase) -> None:
    with table_held(server_database):
        process = run.popen("migrate", "upgrade")
        end = time.monotonic() + 40
        while not waiting(server_database):
            assert time.monotonic() < end
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert process.returncode == code, err
        assert time.monotonic() - began < 5
        time.sleep(0.5)
        assert not waiting(server_database)
    assert run.ok("migrate", "current", "--json").json[0]["revision"] == "a3"
    resume = [] if server_database.dialect == "postgresql" else ["--resume"]  # where it had no time to look
    assert [row["revision"] for row in run.ok("migrate", "upgrade", *resume, "--json").json] == ["a4"]


def test_a_deadline_ends_it(run: Dbctl, server_database: TestDatabase) -> None:
    with table_held(server_database):
        assert run("migrate", "upgrade", "--deadline", "1.5").code == 5
        assert not waiting(server_database)
    assert run.ok("migrate", "current", "--json").json[0]["revision"] == "a3"


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM, None])
def test_what_ends_it_tells_of_the_revision_that_is_done_in_part(
    ended_by: signal.Signals | None, on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    if database.dialect != "mysql":
        pytest.skip("all of it is rolled back")
    made = service()
    made.add(
        "a4",
        "a3",
        "op.create_table('first', sa.Column('id', sa.Integer))\nop.execute('UPDATE runs SET revision = SLEEP(60)')",
    )
    on_database.ok("migrate", "upgrade", "a3")
    with on_database.popen("migrate", "upgrade", *(["--deadline", "4"] if ended_by is None else [])) as process:
        end = time.monotonic() + 40
        while not database.execute("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'UPDATE runs SET%'"):
            assert time.monotonic() < end
            time.sleep(0.1)
        if ended_by is not None:
            process.send_signal(ended_by)
        _, err = process.communicate(timeout=20)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, None: 5}[ended_by], err
    assert "; half-way in the upgrade of a4: 1 statement of it stays; run the rest with --resume; or mend " in err
    state = on_database.ok("migrate", "current", "--json").json[1]["state"]
    assert state.startswith("half-way in the upgrade of a4: 1 statement of it stays, then it was cut off ")


def test_without_the_extra_it_is_named(installed: Dbctl) -> None:
    script = "import sys; sys.modules['alembic'] = None; from dbctl.cli.main import main; main()"
    result = replace(installed, program=(installed.program[0], "-c", script))("migrate", "current")
    assert result.code == 3
    assert result.err == ('dbctl: error: alembic is not installed; pip install "sqlmodel-dbctl[migrate]"\n')


def test_init_tables_creates_nothing_where_alembic_manages_the_database(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service()
    on_database.ok("migrate", "upgrade")
    before = tables(database)
    result = on_database("init-tables")
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        "dbctl: error: alembic manages this database, and lacks team, hero, transfer_log; "
        "run the migrations with: dbctl migrate upgrade; or create them all the same with --force"
    )
    assert tables(database) == before
    on_database.ok("init-tables", "--force")
    assert tables(database) == before | {"team", "hero", "transfer_log"}
    on_database.ok("init-tables")
