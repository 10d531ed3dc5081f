"""A history of branches that depend on each other and are merged, with an autocommit_block, by every kind of env.py."""

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.migrations.conftest import MakeService
from tests.migrations.test_commands import tables

BRANCHED = ["s1", "s2", "o1", "o2", "m1"]


def revisions(run: Dbctl, *words: str) -> list[str]:
    return [row["revision"] for row in run.ok("migrate", *words, "--json").json]


def versions(database: TestDatabase) -> list[str]:
    return sorted(str(name) for (name,) in database.execute("SELECT version_num FROM alembic_version"))


@pytest.mark.parametrize("env", ["generic", "async", "given", "own"])
def test_branches_go_each_as_far_as_they_are_told_and_are_merged(
    env: str, on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service(env, "branched")
    run = on_database.with_env(SERVICE_URL=database.url)
    assert revisions(run, "upgrade", "orders@o1") == ["s1", "o1"]
    assert versions(database) == ["o1"]  # in which s1 is, for it depends on that
    assert revisions(run, "upgrade", "stock@s2") == ["s2"]
    assert versions(database) == ["o1", "s2"]
    assert {row["revision"]: row["state"] for row in run.ok("migrate", "current", "--json").json} == {
        "o1": "behind",
        "s2": "behind",
    }
    assert [row["pending"] for row in run("migrate", "check", "--json").json] == ["o2", "m1"]
    assert revisions(run, "upgrade") == ["o2", "m1"]
    assert versions(database) == ["m1"]
    assert database.execute("SELECT item FROM stock ORDER BY item") == [("100% cocoa",), ("tea",)]
    assert revisions(run, "upgrade") == []
    assert sorted(revisions(run, "downgrade", "base")) == sorted(BRANCHED)
    assert tables(database) == {"alembic_version"}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_step_back_in_a_branch_that_the_database_is_not_in_leads_nowhere(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service("generic", "branched")
    on_database.ok("migrate", "upgrade", "stock@s1")
    result = on_database("migrate", "downgrade", "orders@-1")
    assert result.code == 1, str(result)
    assert "no downgrade leads to orders@-1 from s1, where the database is; list those that there are" in result.err


def test_of_several_at_once_each_branch_is_run_by_one(
    dbctl: Forked, database: TestDatabase, service: MakeService
) -> None:
    service("generic", "branched")
    run = forked(dbctl, database)
    results = [start() for start in [run.start("migrate", "upgrade", "heads", "--json") for _ in range(5)]]
    assert [result.code for result in results] == [0] * 5, "\n".join(map(str, results))
    assert sorted(row["revision"] for result in results for row in result.json) == sorted(BRANCHED)
    assert versions(database) == ["m1"]


def test_a_branch_is_stamped_alone(on_database: Dbctl, database: TestDatabase, service: MakeService) -> None:
    service("generic", "branched")
    assert revisions(on_database, "stamp", "s2", "o2") == ["s2", "o2"]
    assert versions(database) == ["o2", "s2"]
    assert tables(database) == {"alembic_version"}
