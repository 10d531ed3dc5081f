"""On three nodes of Galera a lock has one winner, and is free again when whoever has it is gone."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlmodel import Session

import dbctl
from dbctl import run as dbctl_run
from dbctl.errors import ConnectError, LockHeld, OutcomeUnknown, WorkRefused
from dbctl.probe import async_ping
from dbctl.profiles import Profile
from dbctl.work.locks import AdvisoryLock, advisory_lock
from tests.faults.galera import GaleraNode
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.profile import one_unit, profile_of
from tests.harness.soak import dose
from tests.migrations.service import Service
from tests.servers.client import rows

ROUNDS = dose(5, 200)
pytestmark = pytest.mark.slow


@pytest.fixture
def shops(galera: Sequence[GaleraNode]) -> Iterator[Sequence[TestDatabase]]:
    """A new database, as each of three nodes has it."""
    galera[0].create_database("shop")
    for node in galera[1:]:
        node.execute("SET STATEMENT wsrep_sync_wait = 15 FOR SHOW DATABASES")
    yield [TestDatabase.on_server(node, "shop") for node in galera]
    dbctl.dispose()
    galera[0].drop_database("shop")


@pytest.fixture
def profiles(shops: Sequence[TestDatabase]) -> Sequence[Profile]:
    return [profile_of(shop) for shop in shops]


@pytest.fixture
def node_to_lose(galera: Sequence[GaleraNode]) -> Iterator[None]:
    """Have the third node there again afterwards, made anew when nothing is left that it would lack."""
    yield
    galera[2].remove()
    galera[2].start()
    galera[2].wait_until_ready()


def on_three(run: Dbctl, shops: Sequence[TestDatabase]) -> Forked:
    """Return dbctl with a profile for each node: n0, n1, n2."""
    tables = "".join(shop.toml.replace("[profiles.my", f"[profiles.n{at}") for at, shop in enumerate(shops))
    (run.cwd / "profiles.toml").write_text(f'default = "n0"\n\n{tables}', encoding="utf-8")
    return Forked(cwd=run.cwd, home=run.home, env=shops[0].env)


def is_free(name: str, profile: Profile) -> bool:
    try:
        with advisory_lock(name, profile):
            return True
    except LockHeld:
        return False


@pytest.mark.timeout(dose(120, 600))
def test_of_three_at_once_one_has_it(profiles: Sequence[Profile]) -> None:
    """The first of all makes the table, and all others find it there meanwhile."""
    begin, all_have_tried = Barrier(3), Barrier(3)

    def wins(profile: Profile) -> list[bool]:
        won = []
        for turn in range(ROUNDS):
            with ExitStack() as stack:
                begin.wait(30)
                with suppress(LockHeld):
                    stack.enter_context(advisory_lock(f"turn {turn % 3}", profile)).check()
                    won.append(True)
                won = won if len(won) > turn else [*won, False]
                all_have_tried.wait(30)
        return won

    with ThreadPoolExecutor(3) as executor:
        won = list(executor.map(wins, profiles))
    assert [sum(each) for each in zip(*won, strict=True)] == [1] * ROUNDS

    async def one(profile: Profile, tried: asyncio.Barrier) -> bool:
        try:
            async with dbctl.async_advisory_lock("tasks", profile):
                await tried.wait()
                return True
        except LockHeld:
            await tried.wait()
            return False

    async def all_of_them() -> list[bool]:
        tried = asyncio.Barrier(3)
        return await asyncio.gather(*(one(profile, tried) for profile in profiles))

    assert sorted(asyncio.run(all_of_them())) == [False, False, True]


def test_who_has_it_is_told_on_another_node_and_it_is_waited_for(
    shops: Sequence[TestDatabase], profiles: Sequence[Profile], dbctl: Dbctl
) -> None:
    run = on_three(dbctl, shops)
    name = "Ende für heute " * 30
    with advisory_lock("nightly", profiles[0]), advisory_lock(name, profiles[1]):
        assert not is_free(name, profiles[2])
        assert is_free("Nightly", profiles[2])
        refused = run("init-tables", "--lock", "nightly", "-p", "n1")
        waiting = run.start("init-tables", "--json", "--lock", "nightly", "--lock-wait", "60", "-p", "n2")
        while "waiting up to 60 s" not in waiting.said:
            assert not waiting.has_ended()
            time.sleep(0.05)
    assert refused.code == 7
    holder = f"process {os.getpid()} on {os.uname()[1]}"
    assert f'another run holds the lock "nightly": {holder}; wait for it with' in refused.err
    done = waiting()
    assert (done.code, f'"nightly", which {holder} holds' in done.err) == (0, True), str(done)
    rows_left = "SET STATEMENT wsrep_sync_wait = 1 FOR SELECT count(*) FROM dbctl_lock"
    assert shops[0].execute(rows_left) == [(0,)]


def test_a_node_that_stalls_is_waited_for_as_long_as_is_said(
    galera: Sequence[GaleraNode], shops: Sequence[TestDatabase], dbctl: Dbctl
) -> None:
    run = on_three(dbctl, shops)
    run.ok("query", "SELECT 1", "--lock", "nightly", "-p", "n2")
    toml = (run.cwd / "profiles.toml").read_text(encoding="utf-8")
    (run.cwd / "profiles.toml").write_text(f"{toml}\n[defaults]\nconnect_timeout = 1.5\n", encoding="utf-8")
    with closing(galera[2].connect()) as connection:
        rows(connection, "FLUSH TABLES WITH READ LOCK")
        refused = run("query", "SELECT 1", "--lock", "nightly", "-p", "n2")
        waiting = run.start("query", "SELECT 1", "--lock", "nightly", "--lock-wait", "60", "-p", "n2")
        assert within(60, lambda: "waiting up to 60 s" in waiting.said or waiting.has_ended())
    assert refused.code == 4, str(refused)
    assert 'the lock "nightly" failed: no answer within 1.5 s' in refused.err
    done = waiting()
    assert (done.code, '"nightly", which a server that does not answer holds' in done.err) == (0, True), str(done)


def test_what_it_needs_is_said(galera: Sequence[GaleraNode], shops: Sequence[TestDatabase]) -> None:
    galera[0].create_role("writer", "x")
    galera[0].execute("GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO 'writer'@'%'")
    table: dict[str, object] = {"user": "writer", "password": "x", "connect_timeout": 5}
    profile = profile_of(shops[0], table)
    try:
        with pytest.raises(WorkRefused, match="a table that is not there, and can't be made: CREATE command denied"):
            is_free("nightly", profile)
        with pytest.raises(WorkRefused, match="a lock is a row of a table, and no database is named"):
            is_free("nightly", profile.model_copy(update={"database": None}))
        assert is_free("nightly", profile_of(shops[0]))
        assert is_free("nightly", profile)
    finally:
        galera[0].drop_role("writer")


@pytest.mark.usefixtures("node_to_lose", "shops")
def test_it_is_free_again_when_its_holder_or_its_node_is_gone_and_kept_when_only_a_connection_is(
    galera: Sequence[GaleraNode], shops: Sequence[TestDatabase], profiles: Sequence[Profile]
) -> None:
    """Some time later; who lives keeps it for longer than that, and who has lost it commits nothing."""
    here, there, lost = profiles
    shops[0].execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")

    def commit_under(lock: AdvisoryLock) -> None:
        with one_unit(there) as unit:
            unit.session.connection().exec_driver_sql("INSERT INTO t VALUES (1)")
            lock.check()

    with ExitStack() as held:
        kept = held.enter_context(advisory_lock("connection", there))
        [(session,)] = galera[1].execute("SELECT id FROM information_schema.processlist WHERE user = 'app'")
        galera[1].execute(f"KILL {session:d}")
        gone = held.enter_context(advisory_lock("node", lost))
        child = held_by_child("process", there)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        galera[2].stop("immediate")
        began = time.monotonic()
        assert not is_free("process", here)
        for name in ("process", "node"):
            with advisory_lock(name, here, wait=22 if name == "process" else 0):
                pass
        print(f"both free after {time.monotonic() - began:.1f} s")
        with pytest.raises(ConnectError, match=r"the lock .* was lost, and nothing more is committed"):
            commit_under(gone)
        assert not is_free("connection", here)
        assert shops[0].execute("SELECT x FROM t") == []
        commit_under(kept)
        shops[0].execute("DELETE FROM dbctl_lock WHERE name = 'connection'")
        with pytest.raises(ConnectError, match="does not hold it any more"):
            kept.check()
    until_all_have_it = "SET STATEMENT wsrep_sync_wait = 1 FOR SELECT x FROM shop.t"
    assert galera[0].execute(until_all_have_it) == [(1,)]


def held_by_child(name: str, profile: Profile) -> int:
    """Have a process of its own hold a lock, and return its number."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(60)
        with advisory_lock(name, profile):
            os.write(writing, b"x")
            time.sleep(60)
        os._exit(1)
    os.read(reading, 1)
    return child


def test_on_three_at_once_tables_are_made_and_each_revision_is_run_by_one(
    shops: Sequence[TestDatabase], dbctl: Dbctl
) -> None:
    """The table of locks is none of a service's own: neither drift nor autogenerate makes anything of it."""
    run = on_three(dbctl, shops)
    everywhere = ["n0", "n1", "n2"]
    made = [start() for start in [run.start("init-tables", "--json", "-p", name) for name in everywhere]]
    assert [result.code for result in made] == [0] * 3, "\n".join(map(str, made))
    states = [row["state"] for result in made for row in result.json]
    assert sorted(states) == ["created"] * 3 + ["exists"] * 6
    assert [table for (table,) in shops[2].execute("SHOW TABLES")].count("dbctl_lock") == 1
    run.ok("drift", "-p", "n2")
    run.ok("drop-tables", "--confirm", "shop")
    Service.make(dbctl.cwd, "generic", "shop")
    results = [start() for start in [run.start("migrate", "upgrade", "--json", "-p", name) for name in everywhere]]
    assert [result.code for result in results] == [0] * 3, "\n".join(map(str, results))
    assert sorted(row["revision"] for result in results for row in result.json) == ["a1", "a2", "a3"]
    assert shops[1].execute("SELECT revision FROM runs ORDER BY revision") == [("a2",), ("a3",)]
    told = run("migrate", "check", "--json", "-p", "n1")
    assert "dbctl_lock" not in told.out + told.err


def test_a_node_without_a_majority_is_refused_by_its_name_and_waited_for(
    galera: Sequence[GaleraNode], shops: Sequence[TestDatabase], dbctl: Dbctl
) -> None:
    run, cut_off = on_three(dbctl, shops), galera[2]
    findings = {row["check"]: row for row in run("doctor", "--json", "-p", "n2", "--level", "error").json}
    assert findings["cluster"]["measured"].startswith("Galera cluster of 3; this is ")
    assert [findings[f"cluster_{what}"]["level"] for what in ("locks", "reads", "connections")] == [
        "note",
        "note",
        "ok",
    ]
    shops[2].execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    with ExitStack() as frozen:

        def lose_the_majority(session: Session) -> None:
            session.execute(text("INSERT INTO t VALUES (1)"))
            for node in galera[:2]:
                frozen.enter_context(node.frozen())

        try:
            dbctl_run(lose_the_majority, profile_of(shops[2]), retries=0)
            acknowledged = True
        except OutcomeUnknown:
            acknowledged = False
        while cut_off.status["wsrep_ready"] == "ON":
            time.sleep(0.2)
        for words in (["ping"], ["doctor"]):
            refused = run(*words, "-p", "n2")
            assert refused.code == 4, str(refused)
            assert "takes no part in its Galera cluster: wsrep_cluster_status = non-Primary" in refused.err
        with pytest.raises(ConnectError, match="takes no part"):
            asyncio.run(async_ping(profile_of(shops[2])))
        assert run("init-tables", "-p", "n2", "--retries", "0", "--lock", "nightly").code == 4
        waiting = run.start("ping", "--wait", "60", "-p", "n2")
        time.sleep(0.5)
        assert not waiting.has_ended()
    assert waiting().code == 0
    for node in galera:
        node.wait_until_ready()
    print(f"acknowledged: {acknowledged}")
    assert shops[0].execute("SELECT x FROM t") or not acknowledged
