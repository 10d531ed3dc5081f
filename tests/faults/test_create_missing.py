"""Ten tasks that create the missing tables at once, in one empty database: all succeed, each table is made once."""

import asyncio
from collections import Counter

import dbctl
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine
from dbctl.sample import SampleModel
from dbctl.tables.changes import TableState, create_missing
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of

TASKS = 10


def test_ten_tasks_at_once_create_each_table_once(database: TestDatabase) -> None:
    profile = profile_of(database, {"pool.size": TASKS, "lock_timeout": 30})

    async def create() -> list[list[TableState]]:
        engine = build_async_engine(profile)
        ready = asyncio.Barrier(TASKS)

        async def one() -> list[TableState]:
            async with dbctl.async_unit_of_work(Connector(engine, backend_of(profile)), writes=False) as unit:
                await unit.session.connection()  # connecting is not what they race for
            await ready.wait()
            async with dbctl.async_unit_of_work(Connector(engine, backend_of(profile)), strict=True) as unit:
                return await unit.run(create_missing, [SampleModel.metadata])

        try:
            return await asyncio.gather(*(one() for _ in range(TASKS)))
        finally:
            await engine.dispose()

    states = Counter((state.table, state.state) for each in asyncio.run(create()) for state in each)
    tables = ("team", "hero", "transfer_log")
    assert states == Counter({(table, "created"): 1 for table in tables}) + Counter(
        {(table, "exists"): TASKS - 1 for table in tables}
    )
    for table in tables:
        assert database.execute(f"SELECT count(*) FROM {table}") == [(0,)]
