"""Database profiles, engines and sessions for SQLModel services, and the command that administers them.

    dbctl.profile("prod")                       the frozen, validated profile; "tenants/acme" is one of a fleet's
    dbctl.engine("prod")                        this process's one engine for it
    with dbctl.session("prod") as session: …    one unit of work: committed, or rolled back
    dbctl.pool.observe(engine)                  what a connection pool does, counted and timed
    dbctl.run(function, "prod", lock="nightly", deadline=60)
                                                the same, run again where a deadlock or the like ended it
    with dbctl.advisory_lock("n", "prod"): …    at most one at a time, on all machines

and `async_engine`, `async_session` and `async_run` for asyncio.

Importing this package loads nothing else; each name is loaded when it is first used (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbctl import errors, pool
    from dbctl.connections.asking import profile_named as profile
    from dbctl.connections.connector import (
        Connector,
        async_connector,
        async_dispose,
        async_engine,
        build_async_connector,
        build_connector,
        connector,
        dispose,
        engine,
    )
    from dbctl.connections.engines import build_async_engine, build_engine
    from dbctl.errors import DbctlError
    from dbctl.profiles import Profile, Profiles
    from dbctl.results import Rows
    from dbctl.work.database import Database
    from dbctl.work.effects import owns_terminal, writes
    from dbctl.work.locks import advisory_lock, async_advisory_lock
    from dbctl.work.progress import report as report_progress
    from dbctl.work.runs import async_run, async_session, run, session
    from dbctl.work.sessions import async_unit_of_work, in_async, unit_of_work
    from dbctl.work.streaming import stream, stream_rows
    from dbctl.work.terms import Terms

__version__ = "0.1.0"

_HOMES = {
    "Connector": "dbctl.connections.connector",
    "Database": "dbctl.work.database",
    "DbctlError": "dbctl.errors",
    "Profile": "dbctl.profiles",
    "Profiles": "dbctl.profiles",
    "Rows": "dbctl.results",
    "Terms": "dbctl.work.terms",
    "advisory_lock": "dbctl.work.locks",
    "async_advisory_lock": "dbctl.work.locks",
    "async_connector": "dbctl.connections.connector",
    "async_dispose": "dbctl.connections.connector",
    "async_engine": "dbctl.connections.connector",
    "async_run": "dbctl.work.runs",
    "async_session": "dbctl.work.runs",
    "async_unit_of_work": "dbctl.work.sessions",
    "build_async_connector": "dbctl.connections.connector",
    "build_async_engine": "dbctl.connections.engines",
    "build_connector": "dbctl.connections.connector",
    "build_engine": "dbctl.connections.engines",
    "connector": "dbctl.connections.connector",
    "dispose": "dbctl.connections.connector",
    "engine": "dbctl.connections.connector",
    "in_async": "dbctl.work.sessions",
    "owns_terminal": "dbctl.work.effects",
    "profile": "dbctl.connections.asking:profile_named",
    "report_progress": "dbctl.work.progress:report",
    "run": "dbctl.work.runs",
    "session": "dbctl.work.runs",
    "stream": "dbctl.work.streaming",
    "stream_rows": "dbctl.work.streaming",
    "unit_of_work": "dbctl.work.sessions",
    "writes": "dbctl.work.effects",
}

_ROOMS = frozenset({"errors", "pool"})
"""Packages and modules that are part of the face as a whole."""

__all__ = [
    "Connector",
    "Database",
    "DbctlError",
    "Profile",
    "Profiles",
    "Rows",
    "Terms",
    "advisory_lock",
    "async_advisory_lock",
    "async_connector",
    "async_dispose",
    "async_engine",
    "async_run",
    "async_session",
    "async_unit_of_work",
    "build_async_connector",
    "build_async_engine",
    "build_connector",
    "build_engine",
    "connector",
    "dispose",
    "engine",
    "errors",
    "in_async",
    "owns_terminal",
    "pool",
    "profile",
    "report_progress",
    "run",
    "session",
    "stream",
    "stream_rows",
    "unit_of_work",
    "writes",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
