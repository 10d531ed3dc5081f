"""Ten runs of `init-tables` at once on one empty database all succeed, and create each table once."""

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

RUNS = 10


def test_ten_runs_at_once_create_each_table_once(on_database: Dbctl, database: TestDatabase) -> None:
    # Forks, for ten interpreters that start take so long that the first is done before the last begins.
    dbctl = Forked(cwd=on_database.cwd, home=on_database.home, env=on_database.env)
    results = [wait() for wait in [dbctl.start("init-tables", "--json") for _ in range(RUNS)]]
    assert [result.code for result in results] == [0] * RUNS, "\n".join(result.err for result in results)
    states = [{row["table"]: row["state"] for row in result.json} for result in results]
    for table in ("team", "hero", "transfer_log"):
        assert sorted(state[table] for state in states) == ["created"] + ["exists"] * (RUNS - 1)
        assert database.execute(f"SELECT count(*) FROM {table}") == [(0,)]
