"""MariaDB as a Galera cluster: what a node that takes no part answers, and transactions that the cluster refuses."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

import dbctl
from dbctl import sample
from dbctl.errors import Contention
from dbctl.sample import Hero
from tests.faults.bank import TEAMS, open_bank
from tests.faults.galera import GaleraNode
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.profile import profile_of
from tests.harness.soak import dose

MOVES = dose(25, 1000)
"""Of each of two that move the same hero, each on a node of its own."""


@pytest.fixture
def nodes(galera: Sequence[GaleraNode]) -> tuple[GaleraNode, GaleraNode]:
    """Two nodes of a cluster."""
    return galera[0], galera[1]


@pytest.fixture
def bank(nodes: tuple[GaleraNode, GaleraNode]) -> Iterator[tuple[TestDatabase, TestDatabase]]:
    """A new database with heroes, as each node has it."""
    first, second = nodes
    first.create_database("bank")
    here, there = TestDatabase.on_server(first, "bank"), TestDatabase.on_server(second, "bank")
    open_bank(here)
    until_it_has_all(there)
    yield here, there
    dbctl.dispose()
    first.drop_database("bank")


def until_it_has_all(database: TestDatabase) -> None:
    """Let the node catch up: a causal read waits for what the cluster has committed before it."""
    assert database.server
    [(heroes_there,)] = database.server.execute("SET STATEMENT wsrep_sync_wait = 15 FOR SELECT count(*) FROM bank.hero")
    assert heroes_there > 0


def run(database: TestDatabase, asynchronous: bool, work: Callable[[Session], Any], **terms: Any) -> Any:
    profile = profile_of(database)

    async def by_async_driver() -> Any:
        try:
            return await dbctl.async_run(dbctl.in_async(work), profile, **terms)
        finally:
            await dbctl.async_dispose()

    return asyncio.run(by_async_driver()) if asynchronous else dbctl.run(work, profile, **terms)


def move_on(session: Session) -> None:
    """Move hero 1 to the next team, from wherever the hero is."""
    team = session.exec(select(Hero.team_id).where(col(Hero.id) == 1).with_for_update()).one()
    assert team
    sample.transfer(session, 1, team, team % TEAMS + 1)


def log_of(database: TestDatabase) -> list[tuple[Any, ...]]:
    until_it_has_all(database)
    return database.execute("SELECT from_team_id, to_team_id FROM transfer_log ORDER BY id")


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_tables_are_made_and_heroes_moved_on_any_node(
    nodes: tuple[GaleraNode, GaleraNode], bank: tuple[TestDatabase, TestDatabase], dbctl: Dbctl
) -> None:
    here, there = bank
    for table in ("mark", "transfer_log", "hero", "team"):
        here.execute(f"DROP TABLE {table}")
    profiles = here.toml + there.toml.replace("[profiles.my", "[profiles.there")
    (dbctl.cwd / "profiles.toml").write_text(f'default = "my"\n\n{profiles}', encoding="utf-8")
    forked = Forked(cwd=dbctl.cwd, home=dbctl.home, env=here.env)
    assert [row["state"] for row in forked.ok("init-tables", "--json").json] == ["created"] * 3
    for command in ("teams add one", "teams add two", "heroes add Deadpond --secret-name Dive --team one"):
        forked.ok(*command.split())
    until_it_has_all(there)
    forked.ok("transfer", "Deadpond", "--from", "one", "--to", "two", "-p", "there")
    until_it_has_all(here)
    [moved] = forked.ok("transfers", "list", "--json").json
    assert (moved["from_team"], moved["to_team"]) == ("one", "two")


class Rejoining(logging.Handler):
    """Has the node take part again when dbctl says that it tries again."""

    def __init__(self, node: GaleraNode) -> None:
        super().__init__(logging.INFO)
        self._node = node
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        self._node.take_part()


def test_a_node_that_takes_no_part_is_tried_again_on_a_new_connection(
    nodes: tuple[GaleraNode, GaleraNode], bank: tuple[TestDatabase, TestDatabase], asynchronous: bool
) -> None:
    """A new one, for a balancer would lead it to another node."""
    node, (_, database), connections = nodes[1], bank, list[int]()

    def work(session: Session) -> None:
        connections.append(session.execute(text("SELECT connection_id()")).scalar_one())
        if len(connections) == 1:
            node.take_no_part()
        move_on(session)

    log, rejoining = logging.getLogger("dbctl"), Rejoining(node)
    log.setLevel(logging.INFO)
    log.addHandler(rejoining)
    try:
        run(database, asynchronous, work)
    finally:
        node.take_part()
        log.removeHandler(rejoining)
        log.setLevel(logging.NOTSET)
    [said] = rejoining.said
    assert "WSREP has not yet prepared node" in said
    assert "; retry 1 of 3 in " in said
    assert len(connections) == len(set(connections)) == 2
    assert log_of(database) == [(1, 2)]


def test_a_node_that_goes_on_taking_no_part_exits_4(
    nodes: tuple[GaleraNode, GaleraNode], bank: tuple[TestDatabase, TestDatabase], dbctl: Dbctl
) -> None:
    node, (here, there) = nodes[1], bank
    (dbctl.cwd / "profiles.toml").write_text(f'default = "my"\n\n{there.toml}', encoding="utf-8")
    forked = Forked(cwd=dbctl.cwd, home=dbctl.home, env=there.env)
    node.take_no_part()
    try:
        result = forked("transfer", "1", "--from", "1", "--to", "2", "--retries", "2")
    finally:
        node.take_part()
    *notes, error = result.talk.splitlines()
    assert (result.code, result.out) == (4, ""), str(result)
    assert len(notes) == 2, result.err
    assert error.startswith("dbctl: error: ")
    assert log_of(here) == []


def test_what_another_node_got_in_the_way_of_is_run_again_whole(
    bank: tuple[TestDatabase, TestDatabase], asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Each node takes the other's transaction for a conflict not before the COMMIT of its own."""
    caplog.set_level("INFO", "dbctl")
    here, there = bank
    others = iter([there])

    def work(session: Session) -> None:
        move_on(session)
        for other in others:
            with ThreadPoolExecutor(1) as executor:  # an event loop runs in this one
                executor.submit(run, other, asynchronous, move_on).result(30)

    run(here, asynchronous, work)
    assert log_of(here) == log_of(there) == [(1, 2), (2, 3)]
    notes = [record.getMessage() for record in caplog.records if record.name == "dbctl"]
    assert notes
    assert all("deadlock" in note.lower() for note in notes)


def test_a_conflict_that_was_passed_over_commits_nothing(
    bank: tuple[TestDatabase, TestDatabase], asynchronous: bool
) -> None:
    """A COMMIT after it would succeed, and have committed nothing."""
    here, there = bank
    passed_over: list[DBAPIError] = []

    def work(session: Session) -> None:
        move_on(session)
        with ThreadPoolExecutor(1) as executor:
            executor.submit(run, there, asynchronous, move_on).result(30)
        until_it_has_all(here)  # whereupon the node has ended this transaction
        try:
            session.execute(text("SELECT count(*) FROM hero"))
        except DBAPIError as error:
            passed_over.append(error)

    with pytest.raises(Contention):
        run(here, asynchronous, work, retries=0)
    assert len(passed_over) == 1
    assert log_of(here) == log_of(there) == [(1, 2)]


@pytest.mark.timeout(dose(120, 1200))
def test_on_two_nodes_at_the_same_time_no_move_is_lost_and_none_done_in_half(
    bank: tuple[TestDatabase, TestDatabase],
) -> None:
    def keep_moving(database: TestDatabase) -> int:
        return sum(moved(database) for _ in range(MOVES))

    def moved(database: TestDatabase) -> bool:
        try:
            run(database, False, move_on, retries=5)
        except Contention:
            return False
        return True

    with ThreadPoolExecutor(2) as executor:
        done = sum(executor.map(keep_moving, bank))
    print(f"{done} of {2 * MOVES} moves done")
    assert done > MOVES / 2
    log = log_of(bank[0])
    assert sorted(log) == sorted((each % TEAMS + 1, (each + 1) % TEAMS + 1) for each in range(done))
    assert log_of(bank[1]) == log
    assert bank[1].execute("SELECT team_id FROM hero WHERE id = 1") == [(done % TEAMS + 1,)]
