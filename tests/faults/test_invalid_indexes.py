"""An index that `CREATE INDEX CONCURRENTLY` leaves invalid is named, with what takes it away, wherever one looks."""

import contextlib
import signal
from pathlib import Path

import pytest

from tests.faults.watching import within
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.migrations.service import Service
from tests.servers.client import rows

CREATE = 'CREATE UNIQUE INDEX CONCURRENTLY {} ON "My".T (a)'
INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
LEFT = "index {} is left, and invalid; take it away: "
MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Index("Of a", sa.Table("t", metadata, sa.Column("a", sa.Integer), schema="My").c.a, unique=True)
"""


@pytest.fixture
def quick(dbctl: Forked, postgres_database: TestDatabase) -> Forked:
    """Dbctl on a table that no such index fits."""
    postgres_database.execute('CREATE SCHEMA "My"')
    postgres_database.execute('CREATE TABLE "My".t (a int)')
    postgres_database.execute('INSERT INTO "My".t VALUES (1), (1)')
    return forked(dbctl, postgres_database)


def line_of(said: str, index: str) -> str:
    """Return what is said to take an index away."""
    [found] = [line.partition(LEFT.format(index))[2] for line in said.splitlines() if LEFT.format(index) in line]
    return found.partition(";")[0]


def script(directory: Path, *statements: str) -> None:
    (directory / "script.sql").write_text(";\n".join(statements), encoding="utf-8")


def test_one_of_a_script_is_told_by_all_who_look(quick: Forked, postgres_database: TestDatabase) -> None:
    pytest.importorskip("alembic.runtime.plugins")  # which the oldest alembic lacks
    script(quick.cwd, "SELECT 1", "/* by hand */ " + CREATE.format('IF NOT EXISTS "Of a"'))
    failed = quick("run", "script.sql", "--no-transaction")
    assert failed.code == 1
    taking = line_of(failed.err, '"My"."Of a"')
    [finding] = [one for one in quick("doctor", "--json").json if one["check"] == "indexes"]
    assert (finding["level"], finding["fix"]) == ("warning", taking)
    assert finding["measured"] == 'invalid: "My"."Of a"'
    assert "(not valid)" in quick.ok("describe", "My.t").out
    (quick.cwd / "plain.py").write_text(MODELS, encoding="utf-8")
    drift = quick("drift", "--models", "plain", "--json")
    assert (drift.code, [(one["part"], "(invalid)" in one["database"]) for one in drift.json]) == (
        6,
        [("index Of a", True)],
    )
    postgres_database.execute(taking)
    assert postgres_database.execute(INVALID) == [(0,)]
    assert [one for one in quick("doctor", "--json").json if one["check"] == "indexes"] == []
    script(quick.cwd, CREATE.format("")[:-3] + "(b)")  # which leaves nothing
    assert "invalid" not in quick("run", "script.sql", "--no-transaction").err


@pytest.mark.parametrize("ending", ["interrupted", "late"])
def test_one_that_is_ended_is_told(ending: str, quick: Forked, postgres_database: TestDatabase) -> None:
    script(quick.cwd, CREATE.format(""))
    with contextlib.closing(postgres_database.connect(autocommit=False)) as other:
        rows(other, 'INSERT INTO "My".t VALUES (2)')  # for whose end it waits
        limits = ["--deadline", "4"] if ending == "late" else []
        run = quick.start("run", "script.sql", "--no-transaction", *limits)
        assert within(20, lambda: postgres_database.execute(INVALID) == [(1,)])
        if ending == "interrupted":
            run.send_signal(signal.SIGINT)
        result = run()
    assert result.code == (5 if ending == "late" else 130), str(result)
    postgres_database.execute(line_of(result.err, '"My".t_a_idx'))
    assert postgres_database.execute(INVALID) == [(0,)]


def test_one_of_a_migration_that_is_ended_is_told(quick: Forked, postgres_database: TestDatabase) -> None:
    service = Service.make(quick.cwd, "generic", "shop")
    body = f"with op.get_context().autocommit_block():\n    op.execute('{CREATE.format('of_a')}')"
    service.add("a4", "a3", body)
    with contextlib.closing(postgres_database.connect(autocommit=False)) as other:
        rows(other, 'INSERT INTO "My".t VALUES (2)')
        run = quick.start("migrate", "upgrade")
        assert within(30, lambda: postgres_database.execute(INVALID) == [(1,)])
        run.send_signal(signal.SIGINT)
        result = run()
    assert result.code == 130, str(result)
    postgres_database.execute(line_of(result.err, '"My".of_a'))
    assert postgres_database.execute(INVALID) == [(0,)]
