"""A backend that is killed in the middle of a transaction: all is rolled back, dbctl says so in a line, and goes on."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from dbctl.errors import ConnectError, DbctlError, OutcomeUnknown
from tests.faults.killing import kill, kill_waiting, killed_after
from tests.faults.units import Units, backend_id, insert, units
from tests.faults.watching import fill
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked, of_tests
from tests.harness.profile import profile_of
from tests.harness.result import Result
from tests.servers.client import Row, rows

SLEEP = {"postgresql": "SELECT pg_sleep(30)", "mysql": "SELECT SLEEP(30)"}


@pytest.fixture
def table(server_database: TestDatabase) -> TestDatabase:
    server_database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    return server_database


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def one(table: TestDatabase, request: pytest.FixtureRequest) -> Iterator[Units]:
    """Units of work on an engine with one connection."""
    profile = profile_of(table, {"pool.size": 1, "pool.max_overflow": 0})
    with units(profile, request.param) as opened:
        yield opened


def killed_between(database: TestDatabase) -> Callable[[Session], object]:
    def work(session: Session) -> None:
        insert(session, 1)
        kill(database, backend_id(session))
        insert(session, 2)

    return work


def killed_during(database: TestDatabase) -> Callable[[Session], object]:
    def work(session: Session) -> None:
        insert(session, 1)
        killer = threading.Thread(target=kill_waiting, args=[database])
        killer.start()
        try:
            session.execute(text(SLEEP[database.dialect]))
        finally:
            killer.join()

    return work


def is_as_before(one: Units, database: TestDatabase) -> bool:
    """Tell whether nothing is left of a unit of work, and the next one on the same engine works."""
    assert one.checked_out == 0
    assert database.execute("SELECT x FROM t") == []
    one.run(lambda session: insert(session, 3))
    return database.execute("SELECT x FROM t") == [(3,)]


@pytest.mark.parametrize("moment", [killed_between, killed_during])
def test_a_kill_in_a_unit_of_work_rolls_it_back(one: Units, table: TestDatabase, moment: Any) -> None:
    with pytest.raises(DbctlError) as caught:
        one.run(moment(table))
    assert type(caught.value) is ConnectError
    assert "\n" not in str(caught.value)
    assert is_as_before(one, table)


def killed_before_commit(one: Units, database: TestDatabase, work: Any, **terms: Any) -> DbctlError:
    """Kill the backend when all is ready to be committed."""
    backend: list[int] = []

    def work_and_remember(session: Session) -> None:
        work(session)
        backend.append(backend_id(session))

    with pytest.raises(DbctlError) as caught:
        one.run(work_and_remember, before_commit=lambda: kill(database, backend[0]), **terms)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_kill_just_before_commit_rolls_back_and_says_so_where_the_server_can_tell(
    one: Units, table: TestDatabase
) -> None:
    error = killed_before_commit(one, table, lambda session: insert(session, 1))
    if table.kind == "postgresql":
        assert type(error) is ConnectError
        assert "all was rolled back" in str(error)
    else:
        assert type(error) is OutcomeUnknown
    assert is_as_before(one, table)


def test_what_only_reads_leaves_nothing_unknown(one: Units, table: TestDatabase) -> None:
    """It wrote nothing, whatever became of its COMMIT."""
    error = killed_before_commit(one, table, lambda session: session.execute(text("SELECT x FROM t")), writes=False)
    assert type(error) is ConnectError
    assert is_as_before(one, table)


def test_on_postgresql_what_wrote_nothing_leaves_nothing_unknown(
    postgres_database: TestDatabase,
) -> None:
    """It might have written, and has no transaction id: so there is nothing that could be committed."""
    postgres_database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    with units(profile_of(postgres_database), asynchronous=False) as one:
        error = killed_before_commit(one, postgres_database, lambda session: session.execute(text("SELECT x FROM t")))
        assert type(error) is ConnectError
        assert is_as_before(one, postgres_database)


# --- through the command line -----------------------------------------------------------------------------------------


@pytest.fixture
def quick(dbctl: Dbctl, server_database: TestDatabase) -> Forked:
    fill(server_database)
    return forked(dbctl, server_database)


ADD = ["heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp", "--team", "1"]
TRANSFER = ["transfer", "1", "--from", "1", "--to", "2"]


def state(database: TestDatabase) -> list[list[Row]]:
    return [database.execute(f"SELECT * FROM {table} ORDER BY id") for table in ("hero", "transfer_log")]


def is_one_line(result: Result) -> bool:
    return result.out == "" and result.talk.startswith("dbctl: error: ") and result.talk.count("\n") == 1


@pytest.mark.parametrize(("command", "lock"), [(ADD, "team"), (TRANSFER, "hero")], ids=["add", "transfer"])
def test_a_command_whose_backend_is_killed_while_it_waits_for_a_lock_exits_4(
    quick: Forked, server_database: TestDatabase, command: list[str], lock: str
) -> None:
    before = state(server_database)
    with contextlib.closing(server_database.connect(autocommit=False)) as other:
        rows(other, f"SELECT * FROM {lock} WHERE id = 1 FOR UPDATE")
        waiting = quick.start(*command)
        kill_waiting(server_database)
        result = waiting()
        assert result.code == 4, str(result)
        assert is_one_line(result), str(result)
    assert state(server_database) == before
    quick.ok(*command)
    assert state(server_database) != before


def killed_everywhere(quick: Forked, database: TestDatabase, command: list[str], shown: str = "") -> Iterator[Result]:
    """Run a command again and again, its backend killed after one statement more each time, until it succeeds.

    What is only read is `shown` as it comes, before its transaction ends.
    """
    for number in range(1, 50):
        with killed_after(database, number):
            result = of_tests(quick)(*command)
        if result.code == 0:
            return
        assert result.out in {"", shown}, str(result)
        assert is_one_line(replace(result, out="")), str(result)
        yield result
    pytest.fail(f"dbctl {' '.join(command)} never succeeded")


@pytest.mark.parametrize("command", [ADD, TRANSFER], ids=["add", "transfer"])
def test_a_command_whose_backend_is_killed_after_any_of_its_statements_does_nothing(
    quick: Forked, server_database: TestDatabase, command: list[str]
) -> None:
    before = state(server_database)
    codes = []
    for result in killed_everywhere(quick, server_database, command):
        assert state(server_database) == before, str(result)
        codes.append(result.code)
    # Only COMMIT itself leaves open what became of it, and PostgreSQL tells that too.
    assert codes[:-1] == [4] * (len(codes) - 1)
    assert codes[-1] == (4 if server_database.kind == "postgresql" else 9)
    assert len(codes) >= 4
    assert state(server_database) != before


@pytest.mark.parametrize(
    "command", [["ping"], ["heroes", "list"], [*ADD, "--dry-run", "--quiet"]], ids=["ping", "list", "dry-run"]
)
def test_a_command_that_writes_nothing_exits_4_after_whatever_statement_its_backend_is_killed(
    quick: Forked, server_database: TestDatabase, command: list[str]
) -> None:
    shown = quick.ok(*command).out if command == ["heroes", "list"] else ""
    results = list(killed_everywhere(quick, server_database, command, shown))
    assert {result.code for result in results} == {4}
    assert all("the connection was lost" in result.talk for result in results), "\n".join(map(str, results))
    assert len(results) >= 2


def test_what_was_asked_for_in_vain_is_told_though_the_backend_is_killed_then(
    quick: Forked, server_database: TestDatabase
) -> None:
    """The ROLLBACK finds no backend any more: that is nothing that anybody has to know."""
    with killed_after(server_database, 2):
        result = of_tests(quick)("heroes", "show", "Nobody")
    assert result.code == 1, str(result)
    assert result.talk.startswith('dbctl: error: there is no hero "Nobody"')
    assert is_one_line(result), str(result)
