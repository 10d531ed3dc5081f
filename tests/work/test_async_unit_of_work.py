"""The async unit of work ends as the sync one does."""

import asyncio
from datetime import datetime

import pytest
from sqlalchemy import event, text
from sqlmodel import select

import dbctl
from dbctl import sample
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine
from dbctl.errors import Conflict, MissingTable
from dbctl.profiles import Profile, Profiles
from dbctl.sample import Hero, Team, aio
from dbctl.work.sessions import async_unit_of_work
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.harness.sample import create_tables


@pytest.fixture
def profile(database: TestDatabase) -> Profile:
    """The profile of a fresh database with the sample's tables."""
    create_tables(database)
    return profile_of(database)


def names(database: TestDatabase) -> list[str]:
    return [name for (name,) in database.execute("SELECT name FROM team ORDER BY id")]


def test_committed_whole_at_the_end_and_not_before(profile: Profile, database: TestDatabase) -> None:
    async def work() -> None:
        async with dbctl.async_session(profile) as session:
            session.add(Team(name="Preventers"))
            await session.flush()
            assert names(database) == []
        await dbctl.async_dispose()

    asyncio.run(work())
    assert names(database) == ["Preventers"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_rolled_back_when_the_block_raises(
    profile: Profile, database: TestDatabase, error: type[BaseException]
) -> None:
    async def work() -> int:
        engine = build_async_engine(profile)

        async def fail() -> None:
            async with async_unit_of_work(Connector(engine, backend_of(profile))) as opened:
                opened.session.add(Team(name="Preventers"))
                await opened.session.flush()
                raise error

        with pytest.raises(error):
            await fail()
        left: int = engine.pool.checkedout()  # type: ignore[attr-defined]
        await engine.dispose()
        return left

    assert asyncio.run(work()) == 0
    assert names(database) == []


def test_a_dry_run_is_rolled_back(profile: Profile, database: TestDatabase) -> None:
    async def work() -> None:
        engine = build_async_engine(profile)
        async with async_unit_of_work(Connector(engine, backend_of(profile)), dry_run=True) as opened:
            added = await opened.run(lambda given: sample.add_team(given.session, "Preventers"))
            assert added.name == "Preventers"
        await engine.dispose()

    asyncio.run(work())
    assert names(database) == []


def test_what_it_wrote_is_complete_without_a_query_after_the_commit(profile: Profile) -> None:
    async def work() -> None:
        engine = build_async_engine(profile)
        async with async_unit_of_work(Connector(engine, backend_of(profile))) as opened:
            hero = Hero(name="Spider-Boy", secret_name="Pedro Parqueador")
            opened.session.add(hero)
        statements: list[str] = []
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        assert hero.id is not None
        assert hero.age is None
        assert statements == []
        await engine.dispose()

    asyncio.run(work())


def test_errors_are_translated_with_the_driver_s_as_their_cause(profile: Profile) -> None:
    async def work() -> None:
        async with dbctl.async_session(profile) as session:
            session.add(Team(name="Preventers"))
        with pytest.raises(Conflict) as caught:
            async with dbctl.async_session(profile) as session:
                session.add(Team(name="Preventers"))
        assert caught.value.__cause__ is not None
        with pytest.raises(MissingTable):
            async with dbctl.async_session(profile) as session:
                await session.exec(text("SELECT * FROM no_such_table"))  # type: ignore[call-overload]
        await dbctl.async_dispose()

    asyncio.run(work())


def test_a_command_s_own_function_runs_under_it(profile: Profile) -> None:
    async def work() -> datetime:
        engine = build_async_engine(profile)
        async with async_unit_of_work(Connector(engine, backend_of(profile))) as opened:
            await opened.run(lambda given: sample.add_team(given.session, "Preventers"))
            await aio.add_team(opened.session, "Z-Force")
            await aio.add_hero(opened.session, "Spider-Boy", "Pedro", team="Preventers")
            moved = await aio.transfer(opened.session, "Spider-Boy", "Preventers", "Z-Force")
        async with async_unit_of_work(Connector(engine, backend_of(profile)), writes=False) as opened:
            (hero,) = (await opened.session.exec(select(Hero))).all()
            assert hero.team_id == moved.to_team_id
            assert await aio.heroes_by_team(opened.session, moved.to_team_id) == [hero]
            assert await aio.hero_by_id(opened.session, moved.hero_id) is hero
            assert await aio.hero_by_id(opened.session, moved.hero_id + 1) is None
        await engine.dispose()
        return moved.at

    assert asyncio.run(work()).tzinfo is not None


def test_in_memory_sqlite_is_one_database_for_all_sessions_of_a_loop() -> None:
    testing = Profiles(name="testing", environ={}).select()

    async def work() -> list[str]:
        async with dbctl.async_session(testing) as session:
            await (await session.connection()).run_sync(sample.SampleModel.metadata.create_all)
            session.add(Team(name="Preventers"))
        async with dbctl.async_session(testing) as session:
            found = [team.name for team in (await session.exec(select(Team))).all()]
        await dbctl.async_dispose()
        return found

    assert asyncio.run(work()) == ["Preventers"]
    assert asyncio.run(work()) == ["Preventers"], "another loop has a database of its own"


def test_one_engine_a_profile_and_loop(profile: Profile) -> None:
    async def work() -> None:
        first = dbctl.async_engine(profile)
        assert dbctl.async_engine(profile) is first
        await dbctl.async_dispose()
        assert dbctl.async_engine(profile) is not first
        await dbctl.async_dispose()

    asyncio.run(work())
