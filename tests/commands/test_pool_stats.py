"""`dbctl pool-stats`."""

import contextlib
import json
import signal
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import tomli_w

from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.sample import Sample
from tests.harness.shared import server_of


def stats(
    dbctl: Dbctl, database: TestDatabase, *args: str, workers: int = 1, duration: float = 0.1, **pool: float
) -> dict[str, Any]:
    """Measure with these settings of the pool."""
    document = tomllib.loads(database.toml) | {"default": database.profile}
    document["profiles"][database.profile] |= {"workers": workers, "pool": pool}
    (dbctl.cwd / "profiles.toml").write_text(tomli_w.dumps(document), encoding="utf-8")
    answer: dict[str, Any] = dbctl.ok("pool-stats", "--duration", str(duration), *args, "--json").json
    return answer


def test_the_limits_are_the_profiles_and_all_workers_together(sample: Sample) -> None:
    limits = stats(sample.dbctl, sample.database, workers=4, size=3, max_overflow=2, timeout=1.5, recycle=600)["limits"]
    assert limits == {
        "pool": "QueuePool",
        "size": 3,
        "max_overflow": 2,
        "timeout_s": 1.5,
        "recycle_s": 600,
        "pre_ping": True,
        "workers": 4,
        "connections": 20,
    }


@pytest.mark.parametrize("sample_database", ["postgresql"], indirect=True)
def test_a_pool_without_a_limit_has_no_number_for_it(sample: Sample) -> None:
    two = ("--concurrency", "2")
    assert stats(sample.dbctl, sample.database, *two, size=0)["limits"]["connections"] is None
    assert stats(sample.dbctl, sample.database, *two, max_overflow=-1)["limits"]["connections"] is None


def test_the_numbers_of_a_run_fit_each_other(sample: Sample) -> None:
    run = stats(sample.dbctl, sample.database, duration=1, size=2, max_overflow=0)["run"]
    assert run["concurrency"] == 2
    assert 1 <= run["duration_s"] < 2.4
    assert run["checkouts"] == run["checkout"]["count"] > 10
    assert 1 <= run["connections_opened"] == run["connect"]["count"] <= 2
    assert 1 <= run["most_in_use"] <= 2
    assert (run["overflow_used"], run["timeouts"]) == (0, 0)
    for spread in (run["checkout"], run["connect"]):
        ranks = [spread[f"{rank}_ms"] for rank in ("min", "median", "p95", "p99", "max")]
        assert ranks == sorted(ranks)


def test_more_threads_than_the_pools_size_use_its_overflow(sample: Sample) -> None:
    run = stats(sample.dbctl, sample.database, "--concurrency", "6", duration=1, size=2, max_overflow=2)["run"]
    assert 1 <= run["overflow_used"] <= 2
    assert 2 < run["most_in_use"] <= 4
    assert run["connections_opened"] == run["connect"]["count"] > 2


def test_who_waits_longer_than_the_pool_allows_is_counted(sample: Sample) -> None:
    run = stats(
        sample.dbctl, sample.database, "--concurrency", "8", "--duration", "1", size=1, max_overflow=0, timeout=0.0001
    )["run"]
    assert run["timeouts"] > 0
    assert run["checkouts"] > 0
    assert (run["connections_opened"], run["most_in_use"]) == (1, 1)


def test_memory_has_one_connection_and_no_server(dbctl: Dbctl) -> None:
    result = Forked(cwd=dbctl.cwd, home=dbctl.home).ok(
        "--url", "sqlite://", "pool-stats", "--duration", "0.1", "--json"
    )
    assert result.json["limits"]["pool"] == "StaticPool"
    assert result.json["limits"]["size"] is None
    assert (result.json["run"]["connections_opened"], result.json["server"]) == (1, None)


@pytest.mark.parametrize("sample_database", ["sqlite"], indirect=True)
def test_a_file_has_no_server_to_ask(sample: Sample) -> None:
    assert stats(sample.dbctl, sample.database)["server"] is None


@pytest.fixture(params=SERVER_KINDS)
def limited(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of a role that may have five connections, three of which are taken."""
    server = server_of(request.param, request)
    server.create_role("limited", "secret", connections=5)
    server.create_database("limited", owner="limited")
    database = TestDatabase.on_server(server, "limited")
    toml, env = database.toml.replace('user = "app"', 'user = "limited"'), dict.fromkeys(database.env, "secret")
    with contextlib.ExitStack() as taken:
        for _ in range(3):
            taken.enter_context(contextlib.closing(server.connect(user="limited", password="secret")))
        yield replace(database, toml=toml, env=env)
    server.drop_database("limited")
    server.drop_role("limited")


def test_the_servers_view_is_the_servers_own_count(limited: TestDatabase, dbctl: Dbctl) -> None:
    one = ("--concurrency", "1")
    refused = forked(dbctl, limited)("pool-stats", *one)
    # Of the role's limit five are kept for others too, unless one insists.
    assert (refused.code, refused.out) == (6, ""), str(refused)
    assert "the server has room for 0 more: " in refused.err
    assert " (5) leaves 1, of which 5 are kept for others" in refused.err
    view = stats(forked(dbctl, limited), limited, *one, "--force", size=1, max_overflow=0)["server"]
    # The three that are taken, and dbctl's own, by which it asked.
    assert view["in_use_by_user"] == 4
    assert view["in_use"] >= 4
    assert view["limit"] == {"postgresql": 97, "mysql": 100}[limited.dialect]
    # Of the five that the role may have, which is less than what the server has left.
    assert view["headroom"] == 1


def test_a_server_that_refuses_a_connection_ends_the_run_with_its_reason(limited: TestDatabase, dbctl: Dbctl) -> None:
    start = time.monotonic()
    result = forked(dbctl, limited)("pool-stats", "--concurrency", "5", "--duration", "30", "--force")
    assert (result.code, result.out) == (4, ""), str(result)
    assert result.err.startswith(f"dbctl: error: profile {limited.profile}: login failed: ")
    assert result.err.count("\n") == 1
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("args", [["--concurrency", "0"], ["--duration", "0"], ["--duration", "-1"]])
def test_a_run_of_nothing_is_a_usage_error(dbctl: Dbctl, args: list[str]) -> None:
    result = Forked(cwd=dbctl.cwd, home=dbctl.home)("pool-stats", *args)
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_what_was_measured_until_an_interrupt_is_shown(dbctl: Dbctl, driver: str) -> None:
    dbctl.ok("init-tables")
    process = dbctl.popen("pool-stats", "--duration", "60", "--json", "--driver", driver)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, json.loads(err)["type"]) == (130, "Interrupted")
    run = json.loads(out)["run"]
    assert run["checkouts"] > 0
    assert run["duration_s"] < 20
