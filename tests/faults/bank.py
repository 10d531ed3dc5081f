"""A bank of heroes: processes move them from team to team at random, and afterwards every hero is accounted for."""

import asyncio
import logging
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import create_engine, insert, text
from sqlmodel import Session, col, select

import dbctl
from dbctl import sample
from dbctl.errors import ConnectError, Contention, DbctlError, OutcomeUnknown, OutOfTime, WorkRefused
from dbctl.profiles import Profile
from dbctl.sample import Hero, Team
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.harness.sample import create_tables

PROCESSES = 8
HEROES = 30
TEAMS = 6
PAIRS = 0.25
"""The share of units that move two heroes, in any order, so that deadlocks come by themselves."""

Move = tuple[int, int, int]
"""A hero, the team to leave, the team to join."""

_OUTCOMES: Sequence[tuple[type[DbctlError], str]] = (
    (OutcomeUnknown, "unknown"),
    (ConnectError, "lost"),
    (OutOfTime, "late"),
    (Contention, "contention"),
    (WorkRefused, "refused"),
)
_UNDONE = "the server says that all was rolled back"
_NOTES = {"; retry ": "retries", "the server says that it is committed": "lost COMMITs found done"}


@dataclass(frozen=True)
class Unit:
    """A unit of work, and what dbctl said of it: "done", "refused", "contention", "late", "lost" or "unknown"."""

    mark: str
    moves: Sequence[Move]
    outcome: str
    logs: Sequence[int]
    said: str = ""


@dataclass
class Tally:
    """What one process or all were told: of their units of work, on the log, and what nobody should be told."""

    units: list[Unit] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(unit.outcome for unit in self.units)

    def add(self, other: "Tally") -> None:
        self.units += other.units
        self.notes += other.notes
        self.errors += other.errors

    def __str__(self) -> str:
        return f"{len(self.units)} units of work: {dict(self.outcomes)}, {dict(self.notes)}"


class Teller:
    """One process's part: it moves heroes from where it last saw them, and looks again when it did not succeed."""

    def __init__(self, profile: Profile, number: int, seed: int) -> None:
        self._profile = profile
        self._number = number
        self._dice = random.Random(seed)
        self._seen: dict[int, int] = {}
        self.tally = Tally()

    def work(self, units: int) -> Tally:
        """Run so many units of work, in one process of four by the async driver."""
        with asyncio.Runner() as runner:

            def by_async_driver(work: Callable[[Session], Any], **terms: Any) -> Any:
                return runner.run(dbctl.async_run(dbctl.in_async(work), self._profile, **terms))

            by_driver = partial(dbctl.run, profile=self._profile)
            for each in range(units):
                self._do(f"{self._number}.{each}", by_async_driver if self._number % 4 == 3 else by_driver)
            runner.run(dbctl.async_dispose())
        dbctl.dispose()
        return self.tally

    def note(self, record: logging.LogRecord) -> bool:
        """Count what is said on the log."""
        said = record.getMessage()
        self.tally.notes.update(note for words, note in _NOTES.items() if words in said)
        return True

    def _do(self, mark: str, run: Callable[..., Any]) -> None:
        moves: Sequence[Move] = ()
        logs: Sequence[int] = ()
        said = ""
        try:
            if not self._seen:
                self._seen = run(where_all_are, writes=False)
            moves = self._plan()
            logs = run(partial(move_all, mark=mark, moves=moves))
            outcome = "done"
        except DbctlError as error:
            said = str(error)
            outcome = next((name for kind, name in _OUTCOMES if isinstance(error, kind)), type(error).__name__)
            self.tally.notes["lost COMMITs found undone"] += _UNDONE in said
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
            self.tally.errors.append(outcome)
        self._seen = self._seen | {hero: target for hero, _, target in moves} if outcome == "done" else {}
        self.tally.units.append(Unit(mark, moves, outcome, logs, said))

    def _plan(self) -> Sequence[Move]:
        chosen = self._dice.sample(sorted(self._seen), 2 if self._dice.random() < PAIRS else 1)
        teams = range(1, TEAMS + 1)
        return [
            (hero, at, self._dice.choice([team for team in teams if team != at]))
            for hero in chosen
            if (at := self._seen[hero])
        ]


def where_all_are(session: Session) -> dict[int, int]:
    """Return each hero's team."""
    found: Any = session.exec(select(col(Hero.id), col(Hero.team_id)))
    return dict(found.all())


def move_all(session: Session, mark: str, moves: Sequence[Move]) -> list[int]:
    """Do what one unit of work does: the moves, and a mark for each by which the unit is found again."""
    logs = []
    for hero, source, target in moves:
        log = sample.transfer(session, hero, source, target).id
        session.execute(text("INSERT INTO mark VALUES (:unit, :hero, :log)"), {"unit": mark, "hero": hero, "log": log})
        logs.append(log)
    return logs


def open_bank(database: TestDatabase) -> None:
    """Create the tables, the heroes, all of them in team 1, and the table of marks."""
    create_tables(database)
    engine = create_engine(database.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE mark (unit VARCHAR(40), hero INTEGER, log INTEGER, UNIQUE (unit, hero))"))
        connection.execute(insert(Team), [{"id": number, "name": f"team {number}"} for number in range(1, TEAMS + 1)])
        # With their ids, for Galera would leave gaps between them.
        everyone = [
            {"id": number, "name": f"hero {number}", "secret_name": "x", "team_id": 1}
            for number in range(1, HEROES + 1)
        ]
        connection.execute(insert(Hero), everyone)
    engine.dispose()


def run_bank(
    database: TestDatabase,
    units: int,
    dice: random.Random,
    changes: Mapping[str, Any] | None = None,
    patience: float = 200,
    fire: Sequence[AbstractContextManager[Any]] = (),
) -> Tally:
    """Let all processes do so many units of work each, all at the same time, and return what they were told.

    Args:
        database: The opened bank.
        units: How many units of work each process does.
        dice: What decides who is moved where.
        changes: What the profile has besides.
        patience: Seconds that all of it may take.
        fire: What they are put under.
    """
    context = multiprocessing.get_context("fork")
    go = context.Event()
    tellers = []
    end = time.monotonic() + patience
    whole = Tally()
    with ExitStack() as stack:
        for number in range(PROCESSES):
            here, there = context.Pipe(duplex=False)
            teller = Teller(profile_of(database, changes), number, dice.randrange(2**32))
            process = context.Process(target=_work, args=(teller, units, go, there), daemon=True)
            process.start()
            there.close()
            stack.callback(_end, process, here)
            tellers.append(here)
        # Threads and connections come after the forks, which would inherit their locks and their sockets.
        for each in fire:
            stack.enter_context(each)
        go.set()
        for number, here in enumerate(tellers):
            assert here.poll(max(0, end - time.monotonic())), f"process {number} is not done within {patience:g} s"
            whole.add(here.recv())
    return whole


def _end(process: Any, pipe: Any) -> None:
    process.kill()
    process.join()
    pipe.close()


def _work(teller: Teller, units: int, go: Any, answer: Any) -> None:
    log = logging.getLogger("dbctl")
    log.setLevel(logging.INFO)
    log.addFilter(teller.note)
    assert go.wait(60)
    answer.send(teller.work(units))
