"""MySQL as a replication group, with one member that takes writes, and with three."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

import dbctl
from dbctl.errors import LockHeld, WorkRefused
from dbctl.sample import TransferLog
from dbctl.work.locks import advisory_lock
from tests.faults.bank import open_bank
from tests.faults.groups import GroupMember, Replica
from tests.faults.test_galera import move_on
from tests.faults.test_galera_locks import on_three
from tests.faults.test_haproxy import through
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.profile import profile_of
from tests.harness.soak import dose
from tests.migrations.service import Service
from tests.servers.authority import Authority
from tests.servers.client import rows
from tests.servers.haproxy import HAProxy
from tests.servers.system import ServerMissing

ROUNDS = dose(3, 100)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def group(authority: Authority) -> Iterator[Sequence[GroupMember]]:
    """Three members, the first of which takes writes."""
    try:
        first = GroupMember(authority)
        others = [GroupMember(authority, first) for _ in range(2)]
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with ExitStack() as running:
        yield [running.enter_context(member) for member in (first, *others)]
        for member in (first, *others):
            member.stop("immediate")  # in good order each takes leave of the rest, for seconds


@pytest.fixture
def banks(group: Sequence[GroupMember]) -> Iterator[Sequence[TestDatabase]]:
    """A new database with heroes, as each member has it."""
    group[0].create_database("bank")
    databases = [TestDatabase.on_server(member, "bank") for member in group]
    open_bank(databases[0])
    wait_for(group)
    yield databases
    dbctl.dispose()
    group[0].drop_database("bank")
    wait_for(group)


@pytest.fixture
def all_write(group: Sequence[GroupMember]) -> Iterator[None]:
    """Have all members take writes."""
    group[0].execute("SELECT group_replication_switch_to_multi_primary_mode()")
    yield
    group[0].execute("SELECT group_replication_switch_to_single_primary_mode(@@server_uuid)")


def wait_for(group: Sequence[GroupMember]) -> None:
    """Let all members have what the first has committed."""
    [(done,)] = group[0].execute("SELECT @@global.gtid_executed")
    for member in group[1:]:
        assert member.execute("SELECT wait_for_executed_gtid_set(%s, 30)", [done]) == [(0,)]


def test_a_member_that_takes_no_writes_says_so_and_one_that_has_left_is_refused_by_its_name(
    group: Sequence[GroupMember], banks: Sequence[TestDatabase], dbctl: Dbctl
) -> None:
    run = on_three(dbctl, banks)
    for member in group:
        assert member.members() == group[0].members()
    assert run("ping", "-p", "n1").code == 0
    assert [row["state"] for row in run.ok("init-tables", "--json", "-p", "n1").json] == ["exists"] * 3
    for words in (["transfer", "1", "--from", "1", "--to", "2"], ["teams", "list", "--lock", "nightly"]):
        refused = run(*words, "-p", "n1")
        assert (refused.code, "read-only" in refused.err or "read only" in refused.err) == (1, True), str(refused)
    with advisory_lock("nightly", profile_of(banks[0])):
        assert "process" in run("teams", "list", "--lock", "nightly").err
    seen = run("doctor", "--json", "-p", "n1").json
    assert {"cluster": "note"}.items() <= {row["check"]: row["level"] for row in seen}.items()
    untold = run.ok("topology", "--json", "-p", "n1")
    assert ([row["role"] for row in untold.json], "GRANT SELECT ON performance" in untold.err) == (["standby"], True)
    assert "or does not tell this user" in run("query", "SELECT 1", "--max-lag", "30", "-p", "n1").err
    group[0].execute("GRANT SELECT ON performance_schema.* TO %s", [group[0].app_user])
    wait_for(group)
    how_far_behind_it_is_bounds_what_is_read(group, banks, run)
    findings = {row["check"]: row for row in run("doctor", "--json", "-p", "n1").json}
    where = f"127.0.0.1:{group[1].port}"
    assert findings["cluster"]["measured"] == f"replication group of 3; this is {where}: ONLINE, SECONDARY"
    assert [findings[f"cluster_{what}"]["level"] for what in ("locks", "reads")] == ["note", "note"]
    group[1].execute("STOP GROUP_REPLICATION")
    refused = run("ping", "-p", "n1")
    waiting = run.start("ping", "--wait", "60", "-p", "n1")
    group[1].execute("START GROUP_REPLICATION")
    group[1].wait_until_online()
    assert refused.code == 4
    assert f"{where} takes no part in its replication group: member_state = OFFLINE" in refused.err
    assert waiting().code == 0


def test_no_rows_are_copied_between_servers_that_replicate(
    group: Sequence[GroupMember], banks: Sequence[TestDatabase], dbctl: Dbctl, authority: Authority
) -> None:
    with Replica(authority, group[1]) as replica:
        [(done,)] = group[0].execute("SELECT @@global.gtid_executed")
        assert replica.execute("SELECT wait_for_executed_gtid_set(%s, 30)", [done]) == [(0,)]
        run = on_three(dbctl, [*banks, TestDatabase.on_server(replica, banks[0].name)])

        def copied(source: str, target: str) -> tuple[int, bool]:
            result = run("copy", "hero", "--from", source, "--to", target)
            return result.code, "lead to the same database" in result.err

        same, others = (2, True), (1, False)  # rows of the same keys are refused there
        assert copied("n2", "n0") == same
        replica.execute("SET GLOBAL read_only = 1")  # by which a replica is known where it tells no more
        assert copied("n3", "n0") == same
        replica.execute("SET GLOBAL read_only = 0")
        replica.execute("GRANT REPLICATION CLIENT ON *.* TO app@'%'")  # which no other server hears of
        assert [copied("n3", "n0"), copied("n0", "n3")] == [same] * 2
        for statement in ("STOP REPLICA", "RESET REPLICA ALL"):
            replica.execute(statement)
        assert copied("n3", "n0") == others


def how_far_behind_it_is_bounds_what_is_read(
    group: Sequence[GroupMember], banks: Sequence[TestDatabase], run: Forked
) -> None:
    """Keep a member from applying what another one has committed."""
    read = ("query", "SELECT 1", "-p", "n1", "--max-lag")
    run.ok(*read, "30")
    with closing(group[1].connect(database=banks[1].name)) as connection:
        rows(connection, "LOCK TABLES hero READ")
        banks[0].execute("UPDATE hero SET age = 99")
        assert within(20, lambda: re.search(r"behind by \d", run(*read, "0.01").err))
        assert within(20, lambda: run.ok("topology", "--json", "-p", "n1").json[0]["lag_s"] > 1)
        [lag] = [row for row in run("doctor", "--json", "-p", "n1").json if row["check"] == "lag"]
        assert (lag["level"], lag["value"] > 1) == ("ok", True)
    assert within(20, lambda: run(*read, "0.01").code == 0)


def test_behind_a_balancer_it_is_said_who_answers_and_the_right_server_s_statement_is_ended(
    group: Sequence[GroupMember], banks: Sequence[TestDatabase], dbctl: Dbctl
) -> None:
    with HAProxy(group[1], group[0]) as balancer:
        run = forked(dbctl, through(balancer, banks[0], 'target = "primary"'))
        refused = run("ping")
        assert (refused.code, f":{group[1].port} answers: it is a standby" in refused.err) == (4, True), str(refused)
        assert run.ok("ping", "--json").json["role"] == "primary"
    sleeping = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
    with HAProxy(*group) as balancer:
        run = forked(dbctl, through(balancer, banks[0]))
        result = run("query", "SELECT SLEEP(60)", "--deadline", "1")
        assert (result.code, "the deadline of 1 s" in result.err) == (5, True), str(result)
        assert within(20, lambda: group[0].execute(sleeping) == [(0,)])


@pytest.mark.usefixtures("all_write")
def test_of_three_members_at_once_one_has_the_lock_and_each_revision_is_run_by_one(
    banks: Sequence[TestDatabase], dbctl: Dbctl
) -> None:
    begin, all_have_tried = Barrier(3), Barrier(3)

    def wins(database: TestDatabase) -> list[bool]:
        won = [False] * ROUNDS
        for turn in range(ROUNDS):
            with ExitStack() as stack:
                begin.wait(30)
                with suppress(LockHeld):
                    stack.enter_context(advisory_lock("turn", profile_of(database))).check()
                    won[turn] = True
                all_have_tried.wait(30)
        return won

    with ThreadPoolExecutor(3) as executor:
        won = list(executor.map(wins, banks))
    assert [sum(each) for each in zip(*won, strict=True)] == [1] * ROUNDS
    run = on_three(dbctl, banks)
    banks[1].execute("CREATE TABLE without (x INTEGER)")
    found = [row["measured"] for row in run("doctor", "--json").json if row["check"] == "cluster_tables"]
    assert found == ["no primary key, or not InnoDB's: mark, without"]
    with pytest.raises(WorkRefused, match="takes writes for tables of InnoDB's that have a primary key"):
        run_on(banks[2], False, lambda session: session.execute(text("INSERT INTO without VALUES (1)")))
    run.ok("drop-tables", "--confirm", "bank")
    service = Service.make(dbctl.cwd, "generic", "shop")
    service.edit("migrations/versions/a2_runs.py", "nullable=False", "primary_key=True")
    everywhere = ["n0", "n1", "n2"]
    results = [start() for start in [run.start("migrate", "upgrade", "--json", "-p", name) for name in everywhere]]
    assert [result.code for result in results] == [0] * 3, "\n".join(map(str, results))
    assert sorted(row["revision"] for result in results for row in result.json) == ["a1", "a2", "a3"]


@pytest.mark.usefixtures("all_write")
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("passes", [False, True], ids=["at once", "when it has come through"])
def test_what_another_member_got_in_the_way_of_is_run_again_whole(
    group: Sequence[GroupMember], banks: Sequence[TestDatabase], asynchronous: bool, passes: bool
) -> None:
    """The conflict is told at COMMIT; or at the next statement, whereupon a raw COMMIT would do the rest alone."""
    here, there, _ = banks
    others = iter([there])
    runs = list[int]()

    def work(session: Session) -> None:
        runs.append(1)
        move_on(session)
        for other in others:
            with ThreadPoolExecutor(1) as executor:  # an event loop runs in this one
                executor.submit(run_on, other, asynchronous, move_on).result(30)
            if passes:
                wait_for([group[1], group[0]])
                time.sleep(0.2)
                with suppress(Exception):
                    session.exec(select(TransferLog)).all()

    run_on(here, asynchronous, work)
    assert len(runs) == 2
    assert here.execute("SELECT from_team_id, to_team_id FROM transfer_log ORDER BY id") == [(1, 2), (2, 3)]


def run_on(database: TestDatabase, asynchronous: bool, work: Callable[[Session], Any]) -> Any:
    profile = profile_of(database)

    async def by_async_driver() -> Any:
        try:
            return await dbctl.async_run(dbctl.in_async(work), profile)
        finally:
            await dbctl.async_dispose()

    return asyncio.run(by_async_driver()) if asynchronous else dbctl.run(work, profile)


def test_without_a_majority_a_member_is_apart_and_a_lock_says_that_it_was_not_answered(
    group: Sequence[GroupMember], banks: Sequence[TestDatabase], dbctl: Dbctl
) -> None:
    """It is the last test: the group may be gone with it."""
    run = on_three(dbctl, banks)
    run.ok("init-tables", "--quiet")
    group[0].execute("GRANT SELECT ON performance_schema.* TO %s", [group[0].app_user])
    (run.cwd / "profiles.toml").write_text(f"[defaults]\nconnect_timeout = 3\n{banks[0].toml}", encoding="utf-8")
    run.ok("teams", "list", "--lock", "nightly")
    with group[1].frozen(), group[2].frozen():
        assert within(60, lambda: [state for _, state, _ in group[0].members()].count("UNREACHABLE") == 2)
        [own] = [row for row in run.ok("topology", "--json").json if row["asked"]]
        assert (own["role"], own["state"]) == ("apart", "online, without a majority")
        refused = run("teams", "list", "--lock", "nightly")
        assert refused.code == 4, str(refused)
        assert 'the lock "nightly" failed: no answer within 3 s' in refused.err
