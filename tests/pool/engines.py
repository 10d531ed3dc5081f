"""Engines of SQLAlchemy's own, by a sync driver or an async one, and what their recorders have counted."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import greenlet_spawn

from dbctl.backends import backend_of
from dbctl.pool import Recorder
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of

Script = Callable[[Engine], Any]


def run_on(database: TestDatabase, asynchronous: bool, script: Script, **options: Any) -> Any:
    """Call a script with an engine on a database; by an async driver it runs where such an engine works."""
    backend = backend_of(profile_of(database))
    if not asynchronous:
        engine = create_engine(backend.url(), connect_args=backend.connect_args(), **options)
        try:
            return script(engine)
        finally:
            engine.dispose()

    async def run() -> Any:
        url = backend.url(backend.async_driver)
        engine = create_async_engine(url, connect_args=backend.async_connect_args(), **options)
        try:
            return await greenlet_spawn(script, engine.sync_engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def counted(recorder: Recorder, **expected: int | None) -> None:
    """Check some of the counters and gauges: those that are named."""
    values = recorder.as_dict()
    wrong = {name: values[name] for name in expected if values[name] != expected[name]}
    assert not wrong, f"{wrong}, and not {expected}"


def adds_up(recorder: Recorder) -> None:
    """Check what has to fit together when nobody has a connection or waits for one."""
    values = recorder.as_dict()
    times = values["histograms"]
    assert (values["in_use"], values["requests_waiting"], values["overflow"]) == (0, 0, 0)
    assert values["requests_num"] == values["checkouts"] + values["requests_errors"] == times["wait"]["count"]
    assert values["checkouts"] == times["usage"]["count"]
    assert values["connections_num"] == values["connections_opened"] + values["connections_errors"]
    assert values["connections_opened"] == times["connect"]["count"]
