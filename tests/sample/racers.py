"""Processes that do the same thing at the same moment, again and again."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from threading import Barrier
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from dbctl import sample
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_engine
from dbctl.errors import WorkRefused
from dbctl.profiles import Profile
from dbctl.sample import Hero, TransferLog
from dbctl.work.sessions import unit_of_work
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.harness.soak import dose

RACERS = 4
ROUNDS = dose(60, 500)
PATIENCE = 60.0
"""Seconds for which a racer waits for the others."""

Attempt = Callable[[Engine, Profile, int, int], None]
"""Puts a hero (the first number) into a team (the second), or raises WorkRefused."""

_barrier: Barrier


def guarded(engine: Engine, profile: Profile, hero: int, team: int) -> None:
    """Transfer as `dbctl transfer` does."""
    with unit_of_work(Connector(engine, backend_of(profile))) as unit:
        sample.transfer(unit.session, str(hero), "1", str(team))


def obvious(engine: Engine, _profile: Profile, hero: int, team: int) -> None:
    """Transfer as one would write it down: read, check, write, log, commit."""
    with Session(engine) as session:
        found = session.get_one(Hero, hero)
        if found.team_id != 1:
            raise WorkRefused("not in the source team")
        found.team_id = team
        session.add(TransferLog(hero_id=hero, from_team_id=1, to_team_id=team))
        session.commit()


def joining(engine: Engine, profile: Profile, hero: int, team: int) -> None:
    """Give a hero who is in no team one, as `dbctl heroes update` does."""
    with unit_of_work(Connector(engine, backend_of(profile))) as unit:
        sample.update_hero(unit.session, str(hero), team=str(team))


def _run(attempt: Attempt, database: TestDatabase, racer: int, rounds: int) -> list[str]:
    """Race in one process: in each round for another hero, to this racer's own team."""
    profile = profile_of(database)
    engine = build_engine(profile)
    outcomes = []
    try:
        engine.connect().close()
        for number in range(1, rounds + 1):
            _barrier.wait(PATIENCE)
            try:
                attempt(engine, profile, number, racer + 2)
            except WorkRefused:
                outcomes.append("refused")
            except Exception as error:
                outcomes.append(f"{type(error).__name__}: {error}")
            else:
                outcomes.append("moved")
    except BaseException:
        _barrier.abort()
        raise
    finally:
        engine.dispose()
    return outcomes


def _remember(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603  # handed to each process once, when it starts
    _barrier = barrier


class Racers:
    """Processes of their own, which wait for each other before each round."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def race(self, attempt: Attempt, database: TestDatabase, rounds: int) -> Sequence[tuple[str, ...]]:
        """Return for each round the outcome of each racer: "moved", "refused", or the error that was not expected."""
        known = replace(database, server=None)  # the rest of it can be sent to another process
        runs = [self._executor.submit(_run, attempt, known, racer, rounds) for racer in range(RACERS)]
        return list(zip(*(run.result(rounds * PATIENCE) for run in runs), strict=True))


@contextmanager
def racers() -> Iterator[Racers]:
    """Start the processes, as new ones, not as forks of this one."""
    context: Any = get_context("spawn")
    with ProcessPoolExecutor(RACERS, context, _remember, (context.Barrier(RACERS),)) as executor:
        yield Racers(executor)
