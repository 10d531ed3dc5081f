"""`--lock-timeout`: what waits too long for a lock is rolled back and run again, and never what was run before it."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.migrations.conftest import MakeService
from tests.servers.client import rows

BODY = """\
op.execute("INSERT INTO runs (revision) VALUES ('before')")
op.create_table("first", sa.Column("id", sa.Integer))
op.add_column("item", sa.Column("colour", sa.String(20)))
"""


@pytest.fixture
def run(dbctl: Dbctl, server_database: TestDatabase, service: MakeService) -> Dbctl:
    """Dbctl on a database of a service, whose next revision alters a table; it makes one before that."""
    made = service()
    toml = f'default = "{server_database.profile}"\n\n{server_database.toml}'
    (dbctl.cwd / "profiles.toml").write_text(toml, encoding="utf-8")
    found = dbctl.with_env(**server_database.env)
    found.ok("migrate", "upgrade", "a2")
    made.add("a4", "a3", BODY)
    return found


@contextmanager
def held(database: TestDatabase, seconds: float | None = None) -> Iterator[None]:
    """Hold a lock on the table in the block, or for so many seconds of it."""
    with closing(database.connect(autocommit=False)) as connection:
        rows(connection, "SELECT count(*) FROM item")
        timer = threading.Timer(seconds, connection.rollback) if seconds else None
        if timer:
            timer.start()
        yield
        if timer:
            timer.join()


def test_it_is_run_again_when_the_lock_is_free(run: Dbctl, server_database: TestDatabase) -> None:
    run.ok("migrate", "upgrade", "a3")
    with held(server_database, 3):
        result = run.ok("migrate", "upgrade", "--lock-timeout", "1", "--retries", "5", "--json")
    assert [row["revision"] for row in result.json] == ["a4"]
    assert "dbctl: revision a4 did not get a lock in time, which others hold" in result.err
    assert "; retry 1 of 5 in " in result.err
    assert server_database.execute("SELECT count(*) FROM runs WHERE revision = 'before'") == [(1,)]
    assert run.ok("migrate", "current", "--json").json[0]["state"] == "head"


def test_those_before_it_are_not_run_again(run: Dbctl, server_database: TestDatabase, service: MakeService) -> None:
    """The lock comes when the one before is done, which is in the same transaction on PostgreSQL."""
    (run.cwd / "migrations" / "versions" / "a3_price.py").write_text(
        "revision = 'a3'\ndown_revision = 'a2'\nfrom alembic import op\n\n\ndef upgrade() -> None:\n"
        "    print('a3 is run')\n    op.execute(\"INSERT INTO runs (revision) VALUES ('a3')\")\n",
        encoding="utf-8",
    )
    with held(server_database, 3):
        result = run.ok("migrate", "upgrade", "--lock-timeout", "1", "--retries", "5", "--json")
    assert [row["revision"] for row in result.json] == ["a3", "a4"]
    assert result.err.count("a3 is run") == 1
    assert "; retry 1 of 5 in " in result.err
    assert server_database.execute("SELECT revision FROM runs ORDER BY revision") == [("a2",), ("a3",), ("before",)]


def test_one_that_never_gets_it_is_out_of_time(run: Dbctl, server_database: TestDatabase) -> None:
    run.ok("migrate", "upgrade", "a3")
    with held(server_database):
        result = run("migrate", "upgrade", "--lock-timeout", "1", "--retries", "1")
    assert result.code == 5
    assert result.err.count("; retry 1 of 1 in ") == 1
    assert "dbctl: error: revision a4" in result.err
    assert "statement 3 of 3 (ALTER TABLE item ADD COLUMN colour VARCHAR(20))" in result.err


def test_a_revision_may_lift_the_limit(run: Dbctl, server_database: TestDatabase) -> None:
    run.ok("migrate", "upgrade", "a3")
    script = run.cwd / "migrations" / "versions" / "a4.py"
    script.write_text(script.read_text().replace("revision =", "dbctl_lock_timeout = 0\nrevision =", 1), "utf-8")
    with held(server_database, 3):
        result = run.ok("migrate", "upgrade", "--lock-timeout", "1", "--json")
    assert "retry" not in result.err
    assert result.json[0]["seconds"] > 1
