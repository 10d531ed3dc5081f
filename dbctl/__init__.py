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
    from dbctl.database import Database, writes
    from dbctl.engines import async_dispose, async_engine, build_async_engine, build_engine, dispose, engine
    from dbctl.errors import DbctlError
    from dbctl.locks import advisory_lock
    from dbctl.profiles import Profile, Profiles
    from dbctl.profiles import select as profile
    from dbctl.retries import async_run, run
    from dbctl.sessions import async_session, async_unit_of_work, in_async, session, unit_of_work

__version__ = "0.1.0"

_HOMES = {
    "Database": "dbctl.database",
    "DbctlError": "dbctl.errors",
    "Profile": "dbctl.profiles",
    "Profiles": "dbctl.profiles",
    "advisory_lock": "dbctl.locks",
    "async_dispose": "dbctl.engines",
    "async_engine": "dbctl.engines",
    "async_run": "dbctl.retries",
    "async_session": "dbctl.sessions",
    "async_unit_of_work": "dbctl.sessions",
    "build_async_engine": "dbctl.engines",
    "build_engine": "dbctl.engines",
    "dispose": "dbctl.engines",
    "engine": "dbctl.engines",
    "in_async": "dbctl.sessions",
    "profile": "dbctl.profiles:select",
    "run": "dbctl.retries",
    "session": "dbctl.sessions",
    "unit_of_work": "dbctl.sessions",
    "writes": "dbctl.database",
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
