"""What a constraint of the database refuses is told in one line: the table, the column, and which row of several."""

import asyncio
import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, create_engine, insert, text
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine
from dbctl.errors import BrokenReference, Conflict, DbctlError, Duplicate
from dbctl.sample import SampleModel, add_hero, add_team
from dbctl.work.sessions import async_unit_of_work
from tests.harness.cli import Dbctl
from tests.harness.database import KINDS, SERVER_KINDS, TestDatabase
from tests.harness.forked import forked
from tests.harness.profile import one_unit, profile_of
from tests.harness.shared import make_shared

Row = dict[str, Any]


class Scratch(SQLModel, registry=registry()):
    """Base of this file's tables, away from every other's."""


class Ship(Scratch, table=True):
    """A ship."""

    id: int = Field(primary_key=True)


class Sailor(Scratch, table=True):
    """A sailor, who can be wrong in each of the ways that a database knows."""

    __table_args__ = (CheckConstraint("age >= 0", name="born_already"),)

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=10, unique=True)
    age: int | None = None
    ship_id: int | None = Field(default=None, foreign_key="ship.id")


TABLE: Any = Sailor.__table__  # type: ignore[attr-defined]

CASES: Mapping[str, tuple[type[Conflict], str, Row]] = {
    "unique": (Duplicate, "name", {"name": "first"}),
    "not null": (Conflict, "name", {"name": None}),
    "check": (Conflict, "age", {"age": -1}),
    "foreign key": (BrokenReference, "ship_id", {"ship_id": 7}),
    "too long": (Conflict, "name", {"name": "x" * 11}),
    "out of range": (Conflict, "age", {"age": 2**31}),
}
ON_SERVERS = ("too long", "out of range")  # SQLite stores a text of any length in a VARCHAR, and 64 bits in an INTEGER
# Of which row it was these say nothing, and no value gives it away; SQLite's `add_all` is a statement for each row.
OF_NO_ROW = {("sqlite", "unique"), ("sqlite", "check"), ("sqlite", "foreign key")}
OF_NO_ROW |= {(kind, case) for kind in ("mariadb", "mysql") for case in ("check", "foreign key")}
KINDS_AND_CASES = [(kind, case) for kind in KINDS for case in CASES if kind != "sqlite" or case not in ON_SERVERS]


def good(number: int) -> Row:
    return {"name": f"good {number}", "age": 1, "ship_id": 1}


def second_of_three(bad: Row) -> list[Row]:
    return [good(1), good(2) | bad, good(3)]


ONE: Mapping[str, Callable[[Session, Row], object]] = {
    "add": lambda session, bad: session.add(Sailor(**good(2) | bad)),
    "update": lambda session, bad: session.get_one(Sailor, 1).sqlmodel_update(
        bad if "name" not in bad or bad["name"] != "first" else {"name": "second"}
    ),
}
SEVERAL: Mapping[str, Callable[[Session, Row], object]] = {
    "add_all": lambda session, bad: session.add_all([Sailor(**row) for row in second_of_three(bad)]),
    "add_all with ids": lambda session, bad: session.add_all(
        [Sailor(id=number, **row) for number, row in enumerate(second_of_three(bad), 10)]
    ),
    "values": lambda session, bad: session.execute(insert(Sailor).values(second_of_three(bad))),
    "many": lambda session, bad: session.connection().execute(insert(TABLE), second_of_three(bad)),
}


@pytest.fixture(scope="module")
def crews(request: pytest.FixtureRequest) -> Iterator[Callable[[str], TestDatabase]]:
    """Return a database of a kind, the same for all tests: with a ship and two sailors, and the sample's tables."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def made(kind: str) -> TestDatabase:
            database = stack.enter_context(contextlib.contextmanager(make_shared)(kind, request))
            engine = create_engine(database.url)
            Scratch.metadata.create_all(engine)
            SampleModel.metadata.create_all(engine)
            engine.dispose()
            database.execute("INSERT INTO ship (id) VALUES (1)")
            database.execute("INSERT INTO sailor (name, ship_id) VALUES ('first', 1), ('second', 1)")
            return database

        yield made


@pytest.fixture(params=KINDS)
def crew(request: pytest.FixtureRequest, crews: Callable[[str], TestDatabase]) -> TestDatabase:
    """Such a database, of each kind in turn unless the test says otherwise."""
    return crews(request.param)


@pytest.fixture
def quick(crew: TestDatabase, dbctl: Dbctl) -> Dbctl:
    return forked(dbctl, crew)


def refusal(database: TestDatabase, asynchronous: bool, work: Any) -> DbctlError:
    """Run a unit of work, and return the error that it ends with."""
    profile = profile_of(database)

    async def by_async_driver() -> None:
        engine = build_async_engine(profile)
        try:
            async with async_unit_of_work(Connector(engine, backend_of(profile))) as unit:
                await unit.session.run_sync(work)
        finally:
            await engine.dispose()

    def by_driver() -> None:
        with one_unit(profile) as unit:
            work(unit.session)

    with pytest.raises(DbctlError) as caught:
        asyncio.run(by_async_driver()) if asynchronous else by_driver()
    assert names(database) == ["first", "second"]  # all of it is rolled back
    return caught.value


def names(database: TestDatabase) -> list[str]:
    return [name for (name,) in database.execute("SELECT name FROM sailor ORDER BY id")]


def says(message: str, *words: str) -> bool:
    """Tell whether each of these stands in the message, as a word of its own and on one line."""
    return "\n" not in message and all(re.search(rf"\b{word}\b", message) for word in words)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("form", ONE)
@pytest.mark.parametrize(("crew", "case"), KINDS_AND_CASES, indirect=["crew"])
def test_a_refused_row_is_told_with_its_table_and_column(
    crew: TestDatabase, case: str, form: str, asynchronous: bool
) -> None:
    kind, column, bad = CASES[case]
    error = refusal(crew, asynchronous, lambda session: ONE[form](session, bad))
    assert type(error) is kind
    assert says(str(error), "sailor", column), error


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("form", SEVERAL)
@pytest.mark.parametrize(("crew", "case"), KINDS_AND_CASES, indirect=["crew"])
def test_of_several_rows_the_refused_one_is_named_too(
    crew: TestDatabase, case: str, form: str, asynchronous: bool
) -> None:
    kind, column, bad = CASES[case]
    error = refusal(crew, asynchronous, lambda session: SEVERAL[form](session, bad))
    assert type(error) is kind
    if (crew.kind, form) == ("mysql", "add_all"):  # each row is a statement of its own, which knows of no others
        assert says(str(error), "sailor", column), error
        return
    is_told = (crew.kind, case) not in OF_NO_ROW or (crew.kind, form) == ("sqlite", "add_all")
    assert says(str(error), "sailor", column, *["row 2"] * is_told), error
    assert not re.search(r"\brow (?!2\b)\d", str(error)), error


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_two_rows_of_one_statement_that_are_the_same_are_a_duplicate(crew: TestDatabase, asynchronous: bool) -> None:
    """The database has neither of them yet: it is the second of the two that is refused."""
    twins = [good(1), good(2), good(2)]
    error = refusal(crew, asynchronous, lambda session: session.execute(insert(Sailor).values(twins)))
    assert type(error) is Duplicate
    assert says(str(error), "sailor", "name"), error


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_row_that_others_refer_to_is_told_with_its_table(crew: TestDatabase, asynchronous: bool) -> None:
    error = refusal(crew, asynchronous, lambda session: session.delete(session.get_one(Ship, 1)))
    assert type(error) is BrokenReference
    assert says(str(error), "ship"), error


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("crew", "case"), KINDS_AND_CASES, indirect=["crew"])
def test_of_a_statement_that_is_a_text_it_is_one_line_and_of_its_type(
    crew: TestDatabase, case: str, asynchronous: bool
) -> None:
    """Nobody knows the model of it."""
    kind, _, bad = CASES[case]
    statement = text("INSERT INTO sailor (name, age, ship_id) VALUES (:name, :age, :ship_id)")
    error = refusal(crew, asynchronous, lambda session: session.execute(statement, good(2) | bad))
    assert type(error) is kind
    assert says(str(error))


# --- through the sample -----------------------------------------------------------------------------------------------


def test_a_team_that_is_there_already_is_refused(quick: Dbctl) -> None:
    quick.ok("teams", "add", "Preventers")
    refused(quick, ["teams", "add", "Preventers"], "team", "Preventers")


@pytest.mark.parametrize("crew", SERVER_KINDS, indirect=True)  # SQLite stores it
def test_a_name_that_is_too_long_is_refused(quick: Dbctl) -> None:
    refused(quick, ["heroes", "add", "x" * 300, "--secret-name", "y"], "hero", "name")
    refused(quick, ["heroes", "add", "y", "--secret-name", "x" * 300], "hero", "secret_name")


def test_an_age_out_of_range_is_refused(quick: Dbctl, crew: TestDatabase) -> None:
    age = 2**63 if crew.kind == "sqlite" else 99_999_999_999
    refused(quick, ["heroes", "add", "x", "--secret-name", "y", "--age", str(age)], "hero", "age")


def test_an_age_below_zero_is_refused_by_the_database_too(crew: TestDatabase) -> None:
    """The command line refuses it before; a service's own code may not."""
    error = refusal(crew, False, lambda session: add_hero(session, "x", "y", age=-1))
    assert type(error) is Conflict
    assert says(str(error), "hero", "age"), error


def test_what_a_service_adds_twice_is_refused_whole(crew: TestDatabase) -> None:
    error = refusal(crew, False, lambda session: [add_team(session, name) for name in ("A", "B", "A")])
    assert type(error) is Duplicate
    assert str(error).startswith('there is already a team "A" (id '), error
    assert crew.execute("SELECT count(*) FROM team WHERE name IN ('A', 'B')") == [(0,)]


def refused(quick: Dbctl, args: list[str], *words: str) -> None:
    before = quick.ok("heroes", "list").out
    result = quick(*args)
    assert (result.code, result.out, result.talk.count("\n")) == (1, "", 1), str(result)
    assert result.talk.startswith("dbctl: error: ")
    assert says(result.talk.rstrip("\n"), *words), str(result)
    assert quick.ok("heroes", "list").out == before
