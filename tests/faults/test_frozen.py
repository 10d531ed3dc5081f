"""A server that has frozen is given up in time, whatever it was doing, and what dbctl then says is true."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from dbctl import sample
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine, build_engine
from dbctl.errors import ConnectError, DbctlError, OutcomeUnknown, OutOfTime
from dbctl.profiles import Profile
from dbctl.work.database import Database
from dbctl.work.sessions import async_unit_of_work, unit_of_work
from tests.faults.watching import within
from tests.faults.witness import Held, Witness, moving, witness_of
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.harness.forked import Forked
from tests.harness.profile import profile_of
from tests.harness.shared import make_shared
from tests.servers.client import rows
from tests.servers.server import Server

CONNECT_TIMEOUT = 1.0
STATEMENT_TIMEOUT = 0.6
"""Seconds."""
ALLOWANCE = 3.5
"""Seconds beyond a bound: one that the bound may be missed by, and the rest for a machine with much to do."""

Work = Callable[[Database], object]


@pytest.fixture(scope="module", params=SERVER_KINDS)
def witness(request: pytest.FixtureRequest) -> Iterator[Witness]:
    for database in make_shared(request.param, request):
        with witness_of(database) as found:
            yield found


class Freezer:
    """Freezes a server at a moment, and tells how long ago that was."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._at: float | None = None

    def __call__(self) -> None:
        self._server.freeze()
        # Until one of a process's threads has seen the signal, another may still answer.
        end = time.monotonic() + 10
        while not self._stands_still() and time.monotonic() < end:
            time.sleep(0.002)
        self._at = time.monotonic()

    def _stands_still(self) -> bool:
        assert self._server.process
        threads = Path(f"/proc/{self._server.process.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)

    def thaw(self) -> None:
        """End the freeze."""
        self._server.thaw()

    @property
    def ago(self) -> float:
        """Seconds since the server was frozen."""
        assert self._at, "the moment has not come"
        return time.monotonic() - self._at


@pytest.fixture
def freeze(witness: Witness) -> Iterator[Freezer]:
    """What freezes the witness's server, which is thawed after the test."""
    server = witness.database.server
    assert server
    yield Freezer(server)
    server.thaw()


# Runs a unit of work on an engine, and returns dbctl's error, or None where it says that all is done.
Run = Callable[[Work, Callable[[], None] | None], DbctlError | None]


def told(run: Callable[[], object]) -> DbctlError | None:
    try:
        run()
    except DbctlError as error:
        return error
    return None


@contextlib.contextmanager
def client_of(profile: Profile) -> Iterator[Run]:
    """Make an engine for several units of work."""
    engine = build_engine(profile)

    def run(work: Work, before_commit: Callable[[], None] | None) -> None:
        with unit_of_work(Connector(engine, backend_of(profile)), strict=True, before_commit=before_commit) as unit:
            work(unit)

    try:
        yield lambda work, before_commit: told(lambda: run(work, before_commit))
    finally:
        engine.dispose()


@contextlib.contextmanager
def async_client_of(profile: Profile) -> Iterator[Run]:
    """Make an engine of the async driver for several units of work, all in one event loop."""
    engine = build_async_engine(profile)

    async def run(work: Work, before_commit: Callable[[], None] | None) -> None:
        async with async_unit_of_work(
            Connector(engine, backend_of(profile)), strict=True, before_commit=before_commit
        ) as unit:
            await unit.run(work)

    with asyncio.Runner() as loop:
        try:
            yield lambda work, before_commit: told(lambda: loop.run(run(work, before_commit)))
        finally:
            loop.run(engine.dispose())


def reading(unit: Database) -> object:
    return sample.list_heroes(unit.session)


def moving_and_freezing(before: Held, freeze: Freezer) -> Work:
    """Return a transfer after which the server is asked for one thing more, and is frozen."""

    def work(unit: Database) -> None:
        moving(before)(unit)
        freeze()
        unit.session.execute(text("SELECT 1"))

    return work


@pytest.mark.parametrize("step", ["connect", "pre-ping", "query", "commit"])
@pytest.mark.parametrize("client", [client_of, async_client_of], ids=["sync", "async"])
def test_it_is_given_up_in_time_and_nothing_untrue_is_said(
    witness: Witness, freeze: Freezer, client: Callable[[Profile], contextlib.AbstractContextManager[Run]], step: str
) -> None:
    bounds = {"connect_timeout": CONNECT_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT}
    before = witness.look()
    with client(profile_of(witness.database, bounds)) as run:
        if step != "connect":
            assert within(10, lambda: run(reading, None) is None)  # whose connection the pool keeps
        if step in {"connect", "pre-ping"}:
            freeze()
        work = moving_and_freezing(before, freeze) if step == "query" else moving(before)
        error = run(work, freeze if step == "commit" else None)
        seconds = freeze.ago
        freeze.thaw()
        assert witness.others >= 0  # waits for the server's answer
        assert within(10, lambda: run(reading, None) is None)
    assert seconds < (STATEMENT_TIMEOUT if step in {"query", "commit"} else CONNECT_TIMEOUT) + ALLOWANCE
    moved = witness.whether_moved(before)
    if step == "commit":
        # What was sent lies before the server, which goes on with it when it is thawed.
        assert isinstance(error, OutcomeUnknown)
    else:
        assert isinstance(error, ConnectError | OutOfTime)
        assert not moved


# --- by the command line ----------------------------------------------------------------------------------------------

# Who waits for the lock on a hero.
_WAITING = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s",
    "mysql": "SELECT id FROM information_schema.processlist WHERE info LIKE 'UPDATE hero%%' AND db = %s",
}


@contextlib.contextmanager
def hero_locked(witness: Witness) -> Iterator[None]:
    with contextlib.closing(witness.database.connect(autocommit=False)) as holder:
        rows(holder, "SELECT id FROM hero FOR UPDATE")
        yield


def wait_until_one_waits(witness: Witness) -> None:
    database = witness.database
    assert database.server
    end = time.monotonic() + 10
    while not database.server.execute(_WAITING[database.dialect], [database.name]):
        assert time.monotonic() < end, "nobody waits for the lock"


def test_the_command_line_ends_in_time(witness: Witness, freeze: Freezer, dbctl: Dbctl) -> None:
    database = witness.database
    toml = database.toml.replace("driver = ", "connect_timeout = 1\ndriver = ", 1)
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{database.profile}"\n{toml}', encoding="utf-8")
    run = Forked(dbctl.cwd, dbctl.home, database.env)
    before = witness.look()
    transfer = ["transfer", "1", "--from", str(before.team), "--to", str(before.other), "--timeout", "1"]
    with hero_locked(witness):
        stuck = run.start(*transfer)
        wait_until_one_waits(witness)
        freeze()
        connecting = run.start("heroes", "list", "--timeout", "1")
        results = [connecting(), stuck()]
        assert freeze.ago < 1 + ALLOWANCE
        freeze.thaw()
    for result, codes in zip(results, [{4}, {4, 5}], strict=True):
        assert result.code in codes, str(result)
        assert result.talk.count("dbctl: error: ") == len(result.talk.splitlines()) == 1, str(result)
    assert not witness.whether_moved(before)
    run.ok(*transfer)
    assert witness.whether_moved(before)
