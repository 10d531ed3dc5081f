"""What dbctl says where COMMIT got no answer: what PostgreSQL knows of it, and on MariaDB that nobody knows."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from dbctl import sample
from dbctl.errors import ConnectError, DbctlError, OutcomeUnknown
from dbctl.runtime.deadlines import time_to_connect
from dbctl.work.database import Database
from tests.faults.behind import through
from tests.faults.cuts import CommitLost, Cut, CutAfter, ReplyLost
from tests.faults.witness import Witness, moving, run, said_of, witness_of
from tests.harness.database import SERVER_KINDS
from tests.harness.profile import profile_of
from tests.harness.shared import make_shared
from tests.servers.proxy import End, Proxy, Way

CONNECT_TIMEOUT = 1.0
"""Seconds."""
STATEMENT_TIMEOUT = 1.5
"""Seconds; only where it is set, a COMMIT ends to which the server is silent."""
ALLOWANCE = 4.0
"""Seconds beyond a bound: one that the bound may be missed by, and the rest for a machine with much to do."""
NOT_READY = "WSREP has not yet prepared node for application use"
ENDS = pytest.mark.parametrize("end", End, ids=lambda end: end.value)
HARD = pytest.mark.parametrize("end", [End.RESET, End.CLOSE], ids=lambda end: end.value)
DRIVERS = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@pytest.fixture(scope="module", params=SERVER_KINDS)
def witness(request: pytest.FixtureRequest) -> Iterator[Witness]:
    for database in make_shared(request.param, request):
        with witness_of(database) as found:
            yield found


on_postgresql = pytest.mark.parametrize("witness", ["postgresql"], indirect=True)
on_mariadb = pytest.mark.parametrize("witness", ["mariadb"], indirect=True)


@dataclass(frozen=True)
class Outcome:
    """What came of a unit of work: dbctl's error, if any, whether the hero has moved, and how many seconds it took."""

    error: DbctlError | None
    moved: bool
    seconds: float


def outcome(witness: Witness, *faults: Cut, work: Callable[[Database], object] | None = None, **how: bool) -> Outcome:
    """Run work, or else a transfer, with a fault at its COMMIT, which must be sent once, and more at what follows."""
    assert witness.database.server
    before = witness.look()
    # At the proxy's end the connections end that it has kept silent, and what was not committed is rolled back.
    with Proxy(witness.database.server.port) as proxy:
        proxy.expect(*faults)
        bounds = {"connect_timeout": CONNECT_TIMEOUT} if faults[0].refusing else {}
        if faults[0].end is End.SILENCE:
            bounds["statement_timeout"] = STATEMENT_TIMEOUT
        profile = through(proxy, witness.database, **bounds)
        began = time.monotonic()
        error = said_of(profile, work or moving(before), **how)
        seconds = time.monotonic() - began
        assert proxy.conversations[0].struck, error
        assert sum(conversation.commits for conversation in proxy.conversations) == 1
    return Outcome(error, witness.whether_moved(before), seconds)


# --- the answer is lost, or COMMIT itself -----------------------------------------------------------------------------


@ENDS
@DRIVERS
@on_postgresql
def test_where_postgresql_has_committed_all_is_well(
    witness: Witness, asynchronous: bool, end: End, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dbctl")
    found = outcome(witness, ReplyLost(end), asynchronous=asynchronous)
    assert found.error is None
    assert found.moved
    [note] = [record.getMessage() for record in caplog.records if record.name == "dbctl"]
    assert "lost during COMMIT" in note
    assert note.endswith("the server says that it is committed")


@DRIVERS
@on_postgresql
def test_it_is_asked_again_where_the_answer_to_that_is_lost_too(witness: Witness, asynchronous: bool) -> None:
    again = [CutAfter(end, Way.TO_CLIENT, 400) for end in (End.RESET, End.CLOSE)]
    found = outcome(witness, ReplyLost(End.RESET), *again, asynchronous=asynchronous)
    assert found.error is None
    assert found.moved


@HARD
@DRIVERS
@on_postgresql
def test_where_it_has_not_it_says_so(witness: Witness, asynchronous: bool, end: End) -> None:
    found = outcome(witness, CommitLost(end), asynchronous=asynchronous)
    assert isinstance(found.error, ConnectError)
    assert "the server says that all was rolled back" in str(found.error)
    assert not found.moved


@DRIVERS
@on_postgresql
def test_a_commit_that_could_still_arrive_is_kept_from_it(witness: Witness, asynchronous: bool) -> None:
    """The server knows the transaction as one in progress, and would commit it at any moment: it is ended first."""
    found = outcome(witness, CommitLost(End.SILENCE), asynchronous=asynchronous)
    assert isinstance(found.error, ConnectError)
    assert "the server says that all was rolled back" in str(found.error)
    assert found.seconds < STATEMENT_TIMEOUT + 1 + ALLOWANCE
    assert not found.moved


@DRIVERS
@on_postgresql
def test_a_server_that_can_t_be_asked_is_given_up_in_time(witness: Witness, asynchronous: bool) -> None:
    found = outcome(witness, ReplyLost(End.RESET, refusing=True), asynchronous=asynchronous)
    assert isinstance(found.error, OutcomeUnknown)
    assert found.seconds < CONNECT_TIMEOUT + ALLOWANCE
    assert found.moved


@on_postgresql
def test_the_next_connect_is_not_short_of_the_time_that_asking_took(witness: Witness) -> None:
    outcome(witness, ReplyLost(End.RESET), asynchronous=False)
    assert time_to_connect(60) == 60


@HARD
@DRIVERS
@pytest.mark.parametrize("fault", [ReplyLost, CommitLost])
@on_mariadb
def test_on_mariadb_it_is_unknown_and_never_run_again(
    witness: Witness, asynchronous: bool, end: End, fault: type[ReplyLost | CommitLost]
) -> None:
    found = outcome(witness, fault(end), asynchronous=asynchronous)
    assert isinstance(found.error, OutcomeUnknown)
    assert "may or may not be there" in found.error.message
    assert "look before you run it again" in found.error.hint
    assert found.moved == (fault is ReplyLost)


@DRIVERS
@on_mariadb
def test_it_is_unknown_in_time_where_the_server_is_silent(witness: Witness, asynchronous: bool) -> None:
    found = outcome(witness, ReplyLost(End.SILENCE), asynchronous=asynchronous)
    assert isinstance(found.error, OutcomeUnknown)
    assert found.seconds < STATEMENT_TIMEOUT + ALLOWANCE
    assert found.moved


# --- nothing was written ----------------------------------------------------------------------------------------------


@DRIVERS
@on_postgresql
def test_a_unit_that_wrote_nothing_has_no_unknown_outcome(witness: Witness, asynchronous: bool) -> None:
    found = outcome(witness, ReplyLost(End.RESET), work=reading, asynchronous=asynchronous)
    assert not isinstance(found.error, OutcomeUnknown), found.error


@DRIVERS
def test_nor_has_one_that_may_not_write(witness: Witness, asynchronous: bool) -> None:
    found = outcome(witness, ReplyLost(End.RESET), work=reading, asynchronous=asynchronous, writes=False)
    assert not isinstance(found.error, OutcomeUnknown), found.error


def reading(unit: Database) -> object:
    return sample.list_heroes(unit.session)


# --- a Galera node that does not take part ----------------------------------------------------------------------------


def refused(work: Callable[[Database], object], times: int, connections: list[int]) -> Callable[[Database], object]:
    """Return work that the node refuses the first so many times, as one does that has lost its cluster."""

    def run(unit: Database) -> object:
        connections.append(unit.session.execute(text("SELECT connection_id()")).scalar_one())
        if len(connections) <= times:
            unit.session.execute(text(f"SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = 1047, MESSAGE_TEXT = '{NOT_READY}'"))
        return work(unit)

    return run


@on_mariadb
def test_a_node_that_is_not_ready_is_waited_for(witness: Witness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dbctl")
    before = witness.look()
    connections: list[int] = []
    run(profile_of(witness.database), refused(moving(before), 2, connections))
    assert witness.whether_moved(before)
    notes = [record.getMessage() for record in caplog.records if record.name == "dbctl"]
    assert [f"retry {number} of 3" in note for number, note in enumerate(notes, 1)] == [True, True]
    assert all(NOT_READY in note for note in notes)
    assert len(set(connections)) == 3, "the same connection leads to the same node"


@on_mariadb
def test_and_given_up_in_the_end(witness: Witness) -> None:
    before = witness.look()
    connections: list[int] = []
    error = said_of(profile_of(witness.database), refused(moving(before), 9, connections))
    assert isinstance(error, ConnectError)
    assert str(error).endswith("4 times in a row")
    assert not witness.whether_moved(before)
