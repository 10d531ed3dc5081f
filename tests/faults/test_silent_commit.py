"""A server that falls silent at COMMIT: the deadline ends that too, a signal ends what only reads, and all is told."""

import re
import signal
import time
from collections.abc import Iterator, Sequence

import pytest

from dbctl.errors import OutcomeUnknown, OutOfTime
from dbctl.work.deadlines import Deadline
from tests.faults.behind import behind, through
from tests.faults.cuts import CommitLost, ReplyLost
from tests.faults.units import insert, units
from tests.faults.watching import Watch, within
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.forked import Forked, forked
from tests.servers.proxy import Conversation, End, Proxy

DEADLINE = 2
SOON = 1.5
"""Seconds: the second that it may take, and what a busy machine adds."""
ALLOWANCE = 4
"""Seconds beyond the deadline: one that it may be missed by, and the rest for a machine with much to do."""
ADD = ("heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp", "--json")
READERS: Sequence[Sequence[str]] = (
    ("heroes", "list"),
    ("heroes", "show", "Deadpond"),
    ("teams", "list"),
    ("init-tables", "--check", "--quiet"),
)
LATE = f"dbctl: error: not done within the deadline of {DEADLINE} s; what was not committed is rolled back\n"
LOCKED = pytest.mark.parametrize("lock", [(), ("--lock", "nightly")], ids=["free", "locked"])
SIGNALS = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupted", "terminated"]
)

pytestmark = pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)


@pytest.fixture
def proxy(watch: Watch) -> Iterator[Proxy]:
    assert watch.database.server
    with Proxy(watch.database.server.port) as proxy:
        yield proxy


@pytest.fixture
def run(proxy: Proxy, database: TestDatabase, dbctl: Dbctl) -> Forked:
    return forked(dbctl, behind(proxy, database))


def silent_at_commit(proxy: Proxy, *, answered: bool, locked: bool) -> None:
    """Have the connection that commits fall silent then; that of the lock, which is the first, is spared."""
    fault = ReplyLost(End.SILENCE) if answered else CommitLost(End.SILENCE)
    proxy.expect(*([Spared(End.SILENCE)] if locked else []), fault)


class Spared(CommitLost):
    """No fault."""

    def strikes(self, conversation: Conversation, way: object, data: bytes) -> None:
        """Never."""


def until_it_commits(proxy: Proxy) -> None:
    assert within(20, lambda: any(conversation.struck for conversation in proxy.conversations))


@LOCKED
@pytest.mark.parametrize("answered", [False, True], ids=["lost", "done"])
def test_the_deadline_ends_a_commit_and_tells_what_became_of_it(
    watch: Watch, run: Forked, proxy: Proxy, answered: bool, lock: Sequence[str]
) -> None:
    silent_at_commit(proxy, answered=answered, locked=bool(lock))
    began = time.monotonic()
    result = run(*ADD, "--deadline", f"{DEADLINE}", *lock)
    assert time.monotonic() - began < DEADLINE + ALLOWANCE
    if watch.database.kind != "postgresql":
        assert result.code == 9, str(result)
        assert "the outcome is unknown, the work may or may not be there" in result.talk
        assert re.search(r"no answer within [\d.]+ s; look before you run it again\n\Z", result.talk)
    elif answered:
        assert (result.code, result.json["name"]) == (0, "Rusty-Man"), str(result)
        assert result.talk.endswith("the server says that it is committed\n")
    else:
        assert (result.code, result.talk) == (5, LATE)
    assert not re.search(r"[a-z][A-Z]|\(", result.talk), "no name of a class"
    if not answered and watch.database.kind == "postgresql":
        assert within(SOON, watch.is_free)
    assert run(*ADD[:2], "Black-Lion", *ADD[3:], *(lock or ("--lock", "other"))).code == 0, "the lock is still held"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_so_it_does_in_the_library(watch: Watch, proxy: Proxy, asynchronous: bool) -> None:
    watch.database.execute("CREATE TABLE t (x INTEGER)")
    with units(through(proxy, watch.database), asynchronous) as engine:
        silent_at_commit(proxy, answered=False, locked=False)
        began = time.monotonic()
        with pytest.raises((OutcomeUnknown, OutOfTime)) as caught:
            engine.run(lambda session: insert(session, 1), deadline=Deadline(1))
        assert time.monotonic() - began < 1 + ALLOWANCE
    assert isinstance(caught.value, OutOfTime) is (watch.database.kind == "postgresql")


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_the_deadline_ends_what_only_reads_and_nothing_is_unknown(
    run: Forked, proxy: Proxy, command: Sequence[str]
) -> None:
    silent_at_commit(proxy, answered=False, locked=False)
    began = time.monotonic()
    result = run(*command, "--deadline", f"{DEADLINE}")
    assert time.monotonic() - began < DEADLINE + ALLOWANCE
    assert (result.code, result.talk) == (5, LATE), str(result)


@SIGNALS
@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_signal_ends_what_only_reads(
    run: Forked, proxy: Proxy, command: Sequence[str], number: int, code: int
) -> None:
    silent_at_commit(proxy, answered=False, locked=False)
    reading = run.start(*command)
    until_it_commits(proxy)
    reading.send_signal(number)
    in_time = within(SOON, reading.has_ended)
    reading.send_signal(signal.SIGKILL)
    result = reading()
    assert in_time
    assert (result.code, result.talk) == (code, "dbctl: interrupted\n")


@SIGNALS
def test_after_a_signal_what_writes_says_that_it_waits_for_its_commit(
    run: Forked, proxy: Proxy, number: int, code: int
) -> None:
    silent_at_commit(proxy, answered=False, locked=False)
    writing = run.start(*ADD)
    until_it_commits(proxy)
    writing.send_signal(number)
    time.sleep(1)
    assert not writing.has_ended()
    writing.send_signal(number)
    in_time = within(SOON, writing.has_ended)
    writing.send_signal(signal.SIGKILL)
    result = writing()
    assert in_time
    waits, unknown = result.talk.splitlines()
    assert (result.code, result.out) == (9, "")
    assert waits == "dbctl: a COMMIT is under way, and its outcome is waited for; a second signal does not wait"
    assert unknown.startswith("dbctl: error: ended by a signal during COMMIT: the outcome is unknown")
