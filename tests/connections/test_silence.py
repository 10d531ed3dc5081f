"""A server that falls silent after whatever message of login and first questions is given up in `connect_timeout`."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import pytest
from sqlalchemy import Engine, event

from dbctl.backends import backend_of
from dbctl.connections.engines import build_async_engine, build_engine
from dbctl.profiles import Profile
from tests.faults.behind import behind, through
from tests.faults.cuts import CutAfter
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.forked import forked
from tests.harness.profile import profile_of
from tests.harness.shared import make_shared
from tests.servers.client import rows
from tests.servers.pgbouncer import PgBouncer
from tests.servers.proxy import Conversation, End, Proxy, Way

T = 1.0
"""The profiles' `connect_timeout`."""
TIMEOUT = 2.0
"""The commands' statement timeout."""
GRACE = 1.5
"""Seconds beyond it: 0.7 to name the step at which the server is silent, and the rest for a machine with much to do."""
AT_ONCE = 10
"""Connections at once: more would wait for the processor, and not for the server."""
COMMANDS_AT_ONCE = 5
GRACE_OF_COMMANDS = 8.0
"""Seconds beyond the longest of their bounds, from the first one's start to the last one's end."""
SILENT = re.compile(f"no answer within {T:g} s|timeout expired")
"""What is said of it: by dbctl, or by libpq."""

Note = Callable[[], object]
Take = Callable[[Note], None]


class Taker(Protocol):
    """Makes, for a profile, what takes a connection; it tells when the driver has logged in."""

    def __call__(self, profile: Profile, logged_in: Note = ..., /) -> Take:
        """Return it."""


@pytest.fixture(scope="module", params=SERVER_KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    yield from make_shared(request.param, request)


@pytest.fixture
def proxy(database: TestDatabase) -> Iterator[Proxy]:
    assert database.server
    with Proxy(database.server.port) as proxy:
        yield proxy


# --- by the library ---------------------------------------------------------------------------------------------------


def tell(engine: Engine, logged_in: Note) -> None:
    event.listen(engine, "connect", lambda _connection, _record: logged_in(), insert=True)


def taking(profile: Profile, logged_in: Note = lambda: None) -> Take:
    """Return what takes a connection of a new engine, and gives it back."""
    engine = build_engine(profile)
    tell(engine, logged_in)

    def take(handed_out: Note) -> None:
        try:
            with backend_of(profile).translating(), engine.connect():
                handed_out()
        finally:
            engine.dispose()

    return take


def taking_asynchronously(profile: Profile, logged_in: Note = lambda: None) -> Take:
    engine = build_async_engine(profile)
    tell(engine.sync_engine, logged_in)

    async def take(handed_out: Note) -> None:
        try:
            with backend_of(profile).translating():
                async with engine.connect():
                    handed_out()
        finally:
            await engine.dispose()

    return lambda handed_out: asyncio.run(take(handed_out))


@dataclass(frozen=True)
class Outcome:
    """What became of a try to take a connection."""

    said: str
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether it ended in time, and if without a connection then with the error that says so."""
        told = self.said.startswith("ConnectError: ") and SILENT.search(self.said)
        return self.seconds < T + GRACE and (self.said == "done" or told is not None)


def outcome_of(take: Take) -> Outcome:
    began, said = time.monotonic(), "done"
    try:
        take(lambda: None)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    return Outcome(said, time.monotonic() - began)


def outcomes_of(takes: Sequence[Take]) -> Sequence[Outcome]:
    with ThreadPoolExecutor(len(takes)) as threads:
        return list(threads.map(outcome_of, takes))


def message_ends(kind: str, said: bytes) -> Iterator[int]:
    """Return where each message of a server's ends.

    https://www.postgresql.org/docs/current/protocol-message-formats.html,
    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
    """
    place = 0
    while place < len(said):
        if kind == "postgresql":
            place += 1 + int.from_bytes(said[place + 1 : place + 5])
        else:
            place += 4 + int.from_bytes(said[place : place + 3], "little")
        yield place


def turn_ends(conversation: Conversation) -> Iterator[int]:
    """Return where each of a server's turns ends, of whose messages nothing can be read where they are encrypted."""
    place = 0
    for way, piece in conversation.pieces:
        if way is Way.TO_CLIENT:
            place += len(piece)
            yield place


def talk(taker: Taker, profile: Profile, proxy: Proxy) -> tuple[Conversation, int, int]:
    """Take a connection with no fault.

    Returns:
        The conversation, and how much the server had said when the driver had logged in, and when it was handed out.
    """
    said: list[int] = []

    def note() -> None:
        said.append(proxy.conversations[-1].passed[Way.TO_CLIENT])

    proxy.expect()
    taker(profile, note)(note)
    logged_in, handed_out = said
    return proxy.conversations[-1], logged_in, handed_out


def in_turn(proxy: Proxy, places: Sequence[int], at_once: int) -> Iterator[int]:
    """Have the server fall silent on the next connections after so much of what it says; return how many they are."""
    for first in range(0, len(places), at_once):
        some = places[first : first + at_once]
        proxy.expect(*(CutAfter(End.SILENCE, Way.TO_CLIENT, place) for place in some))
        yield len(some)


@pytest.mark.parametrize("mode", ["disable", "require"])
@pytest.mark.parametrize("taker", [taking, taking_asynchronously], ids=["sync", "async"])
def test_a_connection_is_had_or_given_up_in_time(database: TestDatabase, proxy: Proxy, taker: Taker, mode: str) -> None:
    profile = through(proxy, database, **{"ssl.mode": mode, "connect_timeout": T})
    taker(profile)(lambda: None)  # an account's first login has more turns, with MySQL's caching_sha2_password
    conversation, _, handed_out = talk(taker, profile, proxy)
    assert database.server
    said = b"".join(piece for way, piece in conversation.pieces if way is Way.TO_CLIENT)
    ends = turn_ends(conversation) if mode == "require" else message_ends(database.kind, said)
    places = [0, *ends]
    outcomes: list[Outcome] = []
    for first in range(0, len(places), AT_ONCE):
        with contextlib.ExitStack() as proxies:
            takes = []
            for place in places[first : first + AT_ONCE]:
                silent = proxies.enter_context(Proxy(database.server.port, CutAfter(End.SILENCE, Way.TO_CLIENT, place)))
                takes.append(taker(profile.model_copy(update={"port": silent.port})))
            outcomes += outcomes_of(takes)
    assert [outcome for outcome in outcomes if not outcome.is_right] == []
    # TLS may need some bytes more or fewer, so the last place before may be one after.
    before = sum(place < handed_out for place in places) - (1 if mode == "require" else 0)
    assert sum(outcome.said != "done" for outcome in outcomes) >= before > 8
    assert any("SELECT 1 failed" in outcome.said for outcome in outcomes), "no first question was asked"


@pytest.mark.parametrize("taker", [taking, taking_asynchronously], ids=["sync", "async"])
def test_who_waits_for_another_to_ask_the_first_questions_has_no_more_time(
    database: TestDatabase, proxy: Proxy, taker: Taker
) -> None:
    profile = through(proxy, database, connect_timeout=T)
    _, logged_in, _ = talk(taker, profile, proxy)
    assert list(in_turn(proxy, [logged_in + 1] * 5, 5)) == [5]
    if taker is taking:
        shared = build_engine(profile)
        outcomes = outcomes_of([lambda _: shared.connect().close()] * 5)
        shared.dispose()
    else:
        outcomes = asyncio.run(outcomes_in_one_loop(profile, 5))
    wrong = [outcome for outcome in outcomes if outcome.seconds > T + GRACE or outcome.said == "done"]
    assert wrong == []


async def outcomes_in_one_loop(profile: Profile, count: int) -> Sequence[Outcome]:
    engine = build_async_engine(profile)

    async def outcome() -> Outcome:
        began, said = time.monotonic(), "done"
        try:
            async with engine.connect():
                pass
        except Exception as error:
            said = str(error)
        return Outcome(said, time.monotonic() - began)

    try:
        return await asyncio.gather(*(outcome() for _ in range(count)))
    finally:
        await engine.dispose()


def test_a_services_own_first_question_is_one_too(database: TestDatabase) -> None:
    profile = profile_of(database, {"connect_timeout": 0.5})
    engine = build_engine(profile)

    @event.listens_for(engine, "connect")
    def ask(connection: object, _record: object) -> None:
        with contextlib.closing(connection.cursor()) as cursor:  # type: ignore[attr-defined]
            cursor.execute("SELECT pg_sleep(60)" if database.kind == "postgresql" else "SELECT SLEEP(60)")

    outcome = outcome_of(lambda _: engine.connect().close())
    engine.dispose()
    assert outcome.said != "done"
    assert outcome.seconds < 0.5 + GRACE


def test_a_services_own_way_to_connect_is_heard(database: TestDatabase) -> None:
    profile = profile_of(database, {"password": "none that the server knows"})
    engine = build_engine(profile)
    right = profile_of(database).password
    assert right

    @event.listens_for(engine, "do_connect")
    def provide_token(_dialect: object, _record: object, _args: object, kwargs: dict[str, object]) -> None:
        kwargs["password"] = right.get_secret_value()

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()


# --- by the command line ----------------------------------------------------------------------------------------------

COMMANDS = (["ping"], ["ping", "--driver", "async"], ["heroes", "list", "--timeout", f"{TIMEOUT:g}"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_ends_in_time_after_whatever_turn_of_the_server(
    database: TestDatabase, proxy: Proxy, dbctl: Dbctl, command: Sequence[str]
) -> None:
    there = behind(proxy, database)
    run = forked(dbctl, replace(there, toml=there.toml.replace("connect_timeout = 5", f"connect_timeout = {T}")))
    proxy.expect()
    run(*command)  # `heroes list` of a database without tables is refused when all has been said
    results = []
    for count in in_turn(proxy, [0, *turn_ends(proxy.conversations[-1])], COMMANDS_AT_ONCE):
        began = time.monotonic()
        results += [wait() for wait in [run.start(*command) for _ in range(count)]]
        assert time.monotonic() - began < (TIMEOUT if "--timeout" in command else T) + GRACE_OF_COMMANDS
    for result in results:
        assert result.code in {0, 1, 4}, str(result)
        assert result.err.count("dbctl: error: ") == len(result.err.splitlines()) == (result.code != 0), str(result)
    assert sum(result.code == 4 for result in results) > 8


def test_a_pooler_whose_places_are_all_taken_is_given_up_in_time(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    database = postgres_database
    assert database.server
    with PgBouncer(database.server) as pooler, contextlib.ExitStack() as held:
        at_pooler = database.toml.replace(f"port = {database.server.port}\n", f"port = {pooler.port}\n")
        plain = at_pooler.partition("[profiles.pg.ssl]")[0]
        run = forked(dbctl, replace(database, toml=f"{plain}connect_timeout = {T}\n"))
        assert run("ping").code == 0
        for _ in range(PgBouncer.places):
            client = held.enter_context(contextlib.closing(pooler.connect(database.name)))
            rows(client, "SELECT 1")  # in a transaction, for whose length it has a place
        began = time.monotonic()
        results = [wait() for wait in [run.start(*command) for command in COMMANDS]]
        assert time.monotonic() - began < T + GRACE_OF_COMMANDS
    for result in results:
        assert result.code == 4, str(result)
        assert f"no answer within {T:g} s" in result.err, str(result)
