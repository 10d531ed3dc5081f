"""Database profiles, engines and sessions for SQLModel services, and the command that administers them.

    dbctl.profile("prod")                       the frozen, validated profile
    dbctl.engine("prod")                        this process's one engine for it
    with dbctl.session("prod") as session: …    one unit of work: committed, or rolled back
    dbctl.run(function, "prod")                 the same, run again where a deadlock or the like ended it
    with dbctl.advisory_lock("n", "prod"): …    at most one at a time, on all machines

and `async_engine`, `async_session` and `async_run` for asyncio.

Importing this package loads nothing else; each name is loaded when it is first used (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbctl.connections.engines import async_dispose, async_engine, build_async_engine, build_engine, dispose, engine
    from dbctl.errors import DbctlError
    from dbctl.profiles import Profile, Profiles
    from dbctl.profiles import select as profile
    from dbctl.work.database import Database
    from dbctl.work.effects import writes
    from dbctl.work.locks import advisory_lock
    from dbctl.work.retries import async_run, run
    from dbctl.work.sessions import async_session, async_unit_of_work, in_async, session, unit_of_work

__version__ = "0.1.0"

_HOMES = {
    "Database": "dbctl.work.database",
    "DbctlError": "dbctl.errors",
    "Profile": "dbctl.profiles",
    "Profiles": "dbctl.profiles",
    "advisory_lock": "dbctl.work.locks",
    "async_dispose": "dbctl.connections.engines",
    "async_engine": "dbctl.connections.engines",
    "async_run": "dbctl.work.retries",
    "async_session": "dbctl.work.sessions",
    "async_unit_of_work": "dbctl.work.sessions",
    "build_async_engine": "dbctl.connections.engines",
    "build_engine": "dbctl.connections.engines",
    "dispose": "dbctl.connections.engines",
    "engine": "dbctl.connections.engines",
    "in_async": "dbctl.work.sessions",
    "profile": "dbctl.profiles:select",
    "run": "dbctl.work.retries",
    "session": "dbctl.work.sessions",
    "unit_of_work": "dbctl.work.sessions",
    "writes": "dbctl.work.effects",
}

__all__ = [
    "Database",
    "DbctlError",
    "Profile",
    "Profiles",
    "advisory_lock",
    "async_dispose",
    "async_engine",
    "async_run",
    "async_session",
    "async_unit_of_work",
    "build_async_engine",
    "build_engine",
    "dispose",
    "engine",
    "in_async",
    "profile",
    "run",
    "session",
    "unit_of_work",
    "writes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
