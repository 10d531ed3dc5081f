"""A run that is killed by SIGKILL, which nobody can hear, has done all of its work or none, and holds no lock after."""

import random
import signal
import statistics
import time
from dataclasses import dataclass, field

import pytest

from tests.faults.watching import Watch, make_writes_slow, within
from tests.harness.forked import Forked
from tests.harness.soak import dose
from tests.servers.client import Row, rows

KILLS = dose(40, 1000)
"""In each database."""
FREE = 2.0
"""Seconds until a killed run's locks are free."""
ADD = ("heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp")
TRANSFER = ("transfer", "1", "--from", "1", "--to", "2")
HERO = (1, "Deadpond", "Dive Wilson", 30, 1)


@dataclass
class Book:
    """What the database must hold, by what became of each run; hero 1 is the one that is moved."""

    team: int = 1
    heroes: list[tuple[str, str, int, int]] = field(default_factory=lambda: [HERO[1:]])
    log: list[Row] = field(default_factory=list)

    def command(self, number: int) -> tuple[str, ...]:
        """Return the command that is run next: a hero is added, or moved from where he is."""
        if number % 2:
            return ("transfer", "1", "--from", str(self.team), "--to", str(3 - self.team), "--json")
        told = {"--secret-name": f"secret {number}", "--age": str(number), "--team": "2"}
        return ("heroes", "add", f"hero {number}", *(word for pair in told.items() for word in pair), "--json")

    def enter(self, number: int) -> None:
        """Enter the command's work as done."""
        if number % 2:
            self.log.append((1, self.team, 3 - self.team))
            self.team = 3 - self.team
            self.heroes[0] = (*HERO[1:4], self.team)
        else:
            self.heroes.append((f"hero {number}", f"secret {number}", number, 2))

    def agrees(self, watch: Watch) -> bool:
        """Tell whether the database holds exactly this."""
        return (watch.transfers(), [row[1:] for row in watch.heroes()]) == (self.log, self.heroes)


def seconds_of_a_run(quick: Forked, book: Book) -> float:
    """Return how long a run takes that is left alone, and enter what was done to measure it."""
    times = []
    for number in range(6):
        start = time.monotonic()
        run = quick.start(*book.command(number))
        assert within(30, run.has_ended)
        times.append(time.monotonic() - start)
        assert run().code == 0
        book.enter(number)
    return statistics.median(times)


@pytest.mark.timeout(dose(120, 1800))
def test_a_run_killed_at_any_moment_has_done_all_or_nothing(watch: Watch, quick: Forked, dice: random.Random) -> None:
    book = Book()
    usual = seconds_of_a_run(quick, book)
    assert book.agrees(watch)
    killed = done = 0
    for number in range(100, 100 + KILLS):
        told = f"run {number}"
        run = quick.start(*book.command(number))
        time.sleep(dice.uniform(0, 1.2 * usual))
        run.send_signal(signal.SIGKILL)
        result = run()
        assert result.code in {0, -signal.SIGKILL}, f"{told}: {result}"
        assert within(FREE, watch.is_free), f"{told}: its locks are not free"
        assert within(FREE, lambda: watch.sessions() == 0), f"{told}: its session is still there"
        killed += result.code != 0
        usual *= 1.05 if result.code else 0.9  # the machine may be busier now, or less, than when it was measured
        if result.out.endswith("}\n"):  # what has been said is done
            book.enter(number)
            done += 1
        elif not book.agrees(watch):
            assert result.code != 0, f"{told}: {result}"
            book.enter(number)
            done += 1
        assert book.agrees(watch), f"{told}: {book}\n{watch.heroes()}\n{watch.transfers()}"
    assert killed > KILLS / 5, f"{killed} of {KILLS} were still running: too few to prove anything"
    assert 0 < done < KILLS, f"{done} of {KILLS} were done: nothing was proved"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("command", [ADD, TRANSFER], ids=["add", "transfer"])
def test_a_statement_under_way_ends_with_its_client(watch: Watch, quick: Forked, command: tuple[str, ...]) -> None:
    make_writes_slow(watch.database)
    kill_in_the_statement(watch, quick, command)
    assert within(FREE, watch.is_free)
    assert within(FREE, lambda: watch.sessions() == 0)
    assert (watch.heroes(), watch.transfers()) == ([HERO], [])


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("command", [ADD, TRANSFER], ids=["add", "transfer"])
def test_mariadb_ends_the_statement_later_and_commits_nothing(
    watch: Watch, quick: Forked, command: tuple[str, ...]
) -> None:
    """It looks after its client when the statement is done: until then the locks are held, at most --timeout long."""
    make_writes_slow(watch.database)
    kill_in_the_statement(watch, quick, (*command, "--timeout", "1.5"))
    assert within(1.5 + FREE, watch.is_free)
    assert within(FREE, lambda: watch.sessions() == 0)
    assert (watch.heroes(), watch.transfers()) == ([HERO], [])


def kill_in_the_statement(watch: Watch, quick: Forked, command: tuple[str, ...]) -> None:
    run = quick.start(*command)
    assert within(20, watch.is_running)
    time.sleep(0.2)
    assert watch.is_running()
    assert not watch.is_free()
    run.send_signal(signal.SIGKILL)
    assert run().code == -signal.SIGKILL


def test_a_run_killed_while_it_waits_for_a_lock_does_nothing_when_it_is_free(watch: Watch, quick: Forked) -> None:
    other = watch.database.connect(autocommit=False)
    try:
        rows(other, "UPDATE hero SET age = 31 WHERE id = 1")
        run = quick.start(*TRANSFER, "--lock-timeout", "30")
        if watch.database.server:
            assert within(20, watch.is_running)
        time.sleep(0.3)
        run.send_signal(signal.SIGKILL)
        assert run().code == -signal.SIGKILL
        other.commit()
    finally:
        other.close()
    assert within(FREE, watch.is_free)
    assert within(FREE, lambda: watch.sessions() == 0)
    assert (watch.heroes(), watch.transfers()) == ([(1, "Deadpond", "Dive Wilson", 31, 1)], [])
