"""A signal during COMMIT, or between two runs of a unit of work: what is said is true, and nothing is run again."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.faults.watching import Watch, fill, watching, within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, Run, forked
from tests.harness.result import Result

SOON = 1.5
"""Seconds: the second that it may take, and what a busy machine adds."""

SIGNALS = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupted", "terminated"]
)
ADD = ("heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp")
AWAITED = "dbctl: a COMMIT is under way, and its outcome is waited for; a second signal does not wait\n"
SAID = "dbctl: interrupted: what was not committed is rolled back\n"

SERIALIZATION_FAILURE = "RAISE EXCEPTION USING ERRCODE = ''40001'', MESSAGE = ''could not serialize''"
REFUSAL = "RAISE EXCEPTION USING ERRCODE = ''23514'', MESSAGE = ''no such hero may be''"


@pytest.fixture
def watch(postgres_database: TestDatabase) -> Iterator[Watch]:
    """A PostgreSQL database with the sample's tables, which counts the COMMITs that began."""
    fill(postgres_database)
    postgres_database.execute("CREATE SEQUENCE commits MINVALUE 0")
    with watching(postgres_database) as watched:
        yield watched


@pytest.fixture
def quick(dbctl: Dbctl, postgres_database: TestDatabase) -> Forked:
    return forked(dbctl, postgres_database)


def at_commit(watch: Watch, *statements: str) -> None:
    """Have the server do something at the COMMIT of who adds a hero."""
    body = "; ".join(("PERFORM nextval(''commits'')", *statements, "RETURN NULL"))
    for statement in (
        f"CREATE FUNCTION last() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body}; END'",
        "CREATE CONSTRAINT TRIGGER last AFTER INSERT ON hero DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION last()",
    ):
        watch.database.execute(statement)


def commits(watch: Watch) -> int:
    ((last, called),) = watch.database.execute("SELECT last_value, is_called FROM commits")
    return int(last) + 1 if called else 0


def until_it_commits(watch: Watch) -> None:
    assert within(20, lambda: commits(watch) > 0)


def ended(run: Run, seconds: float) -> Result:
    """See the run end in so many seconds."""
    in_time = within(seconds, run.has_ended)
    run.send_signal(signal.SIGKILL)
    result = run()
    assert in_time, str(result)
    return result


@SIGNALS
def test_a_commit_under_way_is_waited_for_and_its_outcome_told(
    watch: Watch, quick: Forked, number: int, code: int
) -> None:
    at_commit(watch, "PERFORM pg_sleep(1)")
    run = quick.start(*ADD, "--json")
    until_it_commits(watch)
    run.send_signal(number)
    result = ended(run, 1 + SOON)
    assert (result.code, result.json["name"], result.talk) == (0, "Rusty-Man", AWAITED)
    assert [name for _, name, *_ in watch.heroes()] == ["Deadpond", "Rusty-Man"]


@SIGNALS
def test_a_second_signal_does_not_wait_and_says_that_the_outcome_is_unknown(
    watch: Watch, quick: Forked, number: int, code: int
) -> None:
    at_commit(watch, "PERFORM pg_sleep(5)")
    run = quick.start(*ADD, "--json")
    until_it_commits(watch)
    run.send_signal(number)
    time.sleep(0.1)
    assert not run.has_ended()
    run.send_signal(number)
    result = ended(run, SOON)
    assert (result.code, result.out) == (9, "")
    error = result.talk.removeprefix(AWAITED)
    assert error.count("\n") == 1
    assert error.startswith("dbctl: error: ")
    assert "unknown" in error
    assert within(5 + SOON, watch.is_free)
    assert commits(watch) == 1


@SIGNALS
def test_a_signal_during_a_commit_that_others_get_in_the_way_of_ends_the_work(
    watch: Watch, quick: Forked, number: int, code: int
) -> None:
    at_commit(watch, "PERFORM pg_sleep(0.7)", SERIALIZATION_FAILURE)
    run = quick.start(*ADD, "--json", "--retries", "9")
    until_it_commits(watch)
    run.send_signal(number)
    result = ended(run, 0.7 + SOON)
    assert (result.code, result.out) == (code, "")
    assert result.talk.splitlines(keepends=True)[-1] == SAID
    assert commits(watch) == 1, "it was run again"
    assert [name for _, name, *_ in watch.heroes()] == ["Deadpond"]


@SIGNALS
def test_a_signal_during_a_commit_that_is_refused_hides_no_refusal(
    watch: Watch, quick: Forked, number: int, code: int
) -> None:
    at_commit(watch, "PERFORM pg_sleep(0.7)", REFUSAL)
    run = quick.start(*ADD, "--json")
    until_it_commits(watch)
    run.send_signal(number)
    result = ended(run, 0.7 + SOON)
    assert (result.code, result.out) == (1, "")
    assert result.talk == AWAITED + "dbctl: error: no such hero may be\n"
    assert [name for _, name, *_ in watch.heroes()] == ["Deadpond"]


@SIGNALS
def test_a_signal_between_two_runs_ends_the_work(watch: Watch, quick: Forked, number: int, code: int) -> None:
    at_commit(watch, SERIALIZATION_FAILURE)
    run = quick.start(*ADD, "--json", "--retries", "30")
    assert within(20, lambda: commits(watch) == 5)  # then it pauses for the better part of a second, or longer
    time.sleep(0.2)
    run.send_signal(number)
    result = ended(run, SOON)
    assert (result.code, result.out) == (code, "")
    *retries, last = result.talk.splitlines(keepends=True)
    assert len(retries) == 5
    assert all("retry" in line for line in retries)
    assert last == SAID
    assert commits(watch) == 5, "it was run again"
    assert within(SOON, lambda: watch.sessions() == 0)


@SIGNALS
def test_a_signal_during_a_further_run_ends_the_work(watch: Watch, quick: Forked, number: int, code: int) -> None:
    at_commit(watch, SERIALIZATION_FAILURE)
    for statement in (
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
        " IF (SELECT is_called FROM commits) THEN PERFORM pg_sleep(30); END IF; RETURN NEW; END'",
        "CREATE TRIGGER slow AFTER INSERT ON hero FOR EACH ROW EXECUTE FUNCTION slowly()",
    ):
        watch.database.execute(statement)
    run = quick.start(*ADD, "--json", "--retries", "9")
    until_it_commits(watch)
    assert within(20, watch.is_running)
    time.sleep(0.3)
    assert watch.is_running()
    run.send_signal(number)
    result = ended(run, SOON)
    assert (result.code, result.out) == (code, "")
    assert result.talk.splitlines(keepends=True)[1:] == [SAID]
    assert within(SOON, watch.is_free)
    assert commits(watch) == 1, "it was run again"
