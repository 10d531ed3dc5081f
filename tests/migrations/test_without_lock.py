"""Where no lock can be had, a migration says so, and is run without one by whoever says so."""

from collections.abc import Iterator

import pytest

from dbctl.work.locks import advisory_lock
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.profile import profile_of
from tests.migrations.conftest import MakeService
from tests.servers.pgbouncer import PgBouncer


@pytest.fixture
def pooled(dbctl: Forked, postgres_database: TestDatabase) -> Iterator[Forked]:
    """Dbctl through a pooler that hands its sessions round."""
    assert postgres_database.server
    with PgBouncer(postgres_database.server) as pooler:
        text = postgres_database.toml.partition("[profiles.pg.ssl]")[0]
        text = text.replace(f"port = {postgres_database.server.port}", f"port = {pooler.port}")
        (dbctl.cwd / "profiles.toml").write_text(text, encoding="utf-8")
        yield Forked(cwd=dbctl.cwd, home=dbctl.home, env=postgres_database.env)


def test_behind_a_pooler_it_is_refused_and_says_what_to_do(pooled: Forked, service: MakeService) -> None:
    service()
    result = pooled("migrate", "upgrade")
    assert result.code == 1
    assert "a pooler such as PgBouncer answers here" in result.err
    assert result.err.endswith(
        "connect to the server itself; where nobody else migrates it meanwhile, run it without one with --no-lock\n"
    )


def test_behind_a_pooler_it_is_run_without_a_lock_where_that_is_said(
    pooled: Forked, postgres_database: TestDatabase, service: MakeService
) -> None:
    service()
    rows = pooled.ok("migrate", "upgrade", "--no-lock", "--lock-timeout", "5", "--json").json
    assert [row["revision"] for row in rows] == ["a1", "a2", "a3"]
    assert pooled.ok("migrate", "upgrade", "--json").json == []
    assert pooled.ok("migrate", "check", "--json").json == []
    assert [row["revision"] for row in pooled.ok("migrate", "downgrade", "-1", "--no-lock", "--json").json] == ["a3"]
    pooled.ok("migrate", "stamp", "a1", "--no-lock")
    assert postgres_database.execute("SELECT version_num FROM alembic_version") == [("a1",)]


def test_no_lock_waits_for_no_other_run(dbctl: Forked, database: TestDatabase, service: MakeService) -> None:
    service()
    run = forked(dbctl, database)
    run.ok("migrate", "upgrade", "a2")
    with advisory_lock("migrate", profile_of(database)):
        assert len(run.ok("migrate", "upgrade", "--no-lock", "--json").json) == 1
