"""A standby takes over while units of work run: what was said to be done is there, and nothing is there twice."""

import threading
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import text
from sqlmodel import Session

import dbctl
from dbctl.connections.connector import opened
from dbctl.doctor.diagnosis import examine
from dbctl.errors import ConnectError, DbctlError, OutcomeUnknown
from dbctl.profiles import Profile
from dbctl.topology import topology
from tests.faults.pairs import Pair, address, postgres_pair, server_of
from tests.faults.standby import Standby
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.harness.soak import dose
from tests.servers.authority import Authority
from tests.servers.postgres import PostgresServer

FAIL_OVERS = dose(2, 20)
TRANSFERS = dose(20, 50)
"""For each time that a standby takes over."""


@dataclass
class Work:
    """Transfers, one after the other, each of which adds a row and counts it elsewhere."""

    profile: Profile
    acknowledged: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    wrong: list[BaseException] = field(default_factory=list)

    def __call__(self, stop: threading.Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                dbctl.run(partial(move, number=number), self.profile)
            except OutcomeUnknown:
                self.unknown.add(number)
            except ConnectError:
                self.refused.add(number)
                stop.wait(0.02)
            except DbctlError as error:
                self.wrong.append(error)
                stop.set()
            else:
                self.acknowledged.add(number)


def move(session: Session, number: int) -> None:
    session.execute(text(f"INSERT INTO moved VALUES ({number})"))
    session.execute(text("UPDATE tally SET n = n + 1"))


def fail_over(servers: list[PostgresServer], authority: Authority) -> None:
    """Kill the primary, promote its standby, and have a new standby follow that where the first one was."""
    old, new = servers
    old.stop("immediate")
    new.execute("SELECT pg_promote()")
    port = old.port
    old.remove()
    standby = Standby(new, authority)
    standby.port = port
    standby.start()
    servers[:] = [new, standby]


def until(work: Work, more: int, stop: threading.Event) -> None:
    goal = len(work.acknowledged) + more
    while len(work.acknowledged) < goal and not stop.wait(0.02):
        pass
    assert not work.wrong


def test_what_is_acknowledged_is_there_once_whichever_server_takes_over(authority: Authority) -> None:
    """Each COMMIT waits for the standby, so that what is acknowledged is on both."""
    with postgres_pair(authority) as pair:
        pair.primary.execute("CREATE TABLE moved (i INTEGER)")
        pair.primary.execute("CREATE TABLE tally (n INTEGER)")
        pair.primary.execute("INSERT INTO tally VALUES (0)")
        first = server_of(pair.primary)
        first.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        first.execute("SELECT pg_reload_conf()")
        servers = [server_of(pair.primary), server_of(pair.standby)]
        profile = pair.profile(target="primary", connect_timeout=20.0)
        work, stop = Work(profile), threading.Event()
        thread = threading.Thread(target=work, args=(stop,))
        thread.start()
        try:
            for _ in range(FAIL_OVERS):
                until(work, TRANSFERS, stop)
                fail_over(servers, authority)  # type: ignore[arg-type]
            until(work, TRANSFERS, stop)
        finally:
            stop.set()
            thread.join()
            dbctl.dispose()
        primary, standby = (TestDatabase.on_server(server, "pair") for server in servers)
        moved = [number for (number,) in primary.execute("SELECT i FROM moved")]
        assert len(moved) == len(set(moved)), "one was done twice"
        assert work.acknowledged <= set(moved)
        assert not work.refused & set(moved)
        assert primary.execute("SELECT n FROM tally") == [(len(moved),)]
        two_primaries_are_told(Pair(primary, standby))
        for server in servers:
            server.remove()


def two_primaries_are_told(pair: Pair) -> None:
    """Promote the standby of a primary that goes on."""
    profile = pair.profile(target="primary")
    server_of(pair.primary).execute("ALTER SYSTEM RESET synchronous_standby_names")
    server_of(pair.standby).execute("SELECT pg_promote()")
    [found] = [each for each in examine(profile) if each.check == "primaries"]
    assert (found.level, address(pair.primary) in found.measured) == ("error", True)
    timelines = {node.timeline for node in topology(profile).nodes if node.role == "primary"}
    assert len(timelines) == 2, timelines
    with (
        opened(profile_of(pair.primary)) as one,
        opened(profile_of(pair.standby)) as two,
        one.engine.connect() as here,
        two.engine.connect() as there,
    ):
        assert not one.backend.shares_tables(here, there)  # a copy that takes writes is a database of its own
