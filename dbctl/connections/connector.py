"""A profile's engine together with all that is known of its database: what work is handed from room to room.

SQLAlchemy is imported where an engine is built, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.profiles import Profile
from dbctl.records import record
from dbctl.runtime.versions import sqlalchemy_is_before

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from dbctl.backends.base import Backend

_log = logging.getLogger(__name__)

AnyEngine = TypeVar("AnyEngine", "Engine", "AsyncEngine")


@record
class Connector(Generic[AnyEngine]):
    """The engine of a profile, that of the sync driver or of the async one.

    Args:
        engine: The engine.
        backend: What differs between databases, bound to the profile.
    """

    engine: AnyEngine
    backend: Backend

    @property
    def profile(self) -> Profile:
        """Where the engine connects to."""
        return self.backend.profile

    @property
    def sync_engine(self) -> Engine:
        """The engine, or the one inside an async engine: whose pool it is."""
        engine: Any = self.engine
        return getattr(engine, "sync_engine", engine)  # type: ignore[no-any-return]

    @property
    def capacity(self) -> float:
        """How many connections the pool may have at a time; infinity where it has no limit."""
        if "pool_size" not in self.backend.pool_options():
            return 1  # SQLite in memory is one connection that all share
        return self.profile.pool.capacity


def build_connector(
    profile: Profile, missing: Missing = Missing.CREATE, *, beside: Connector[Any] | None = None
) -> Connector[Engine]:
    """Build a new engine for a profile; nothing is connected yet.

    Args:
        profile: The profile.
        missing: What connecting does where the database is a file that is not there.
        beside: Another connector of the profile, with whose engine it is to share a database in memory.

    Raises:
        ConfigError: A certificate can't be loaded. That the password's source gives none is told by each connect.
    """
    from dbctl.connections.engines import engine_on

    backend = beside.backend if beside else backend_of(profile)
    return Connector(engine_on(backend, missing), backend)


def build_async_connector(
    profile: Profile, missing: Missing = Missing.CREATE, *, beside: Connector[Any] | None = None
) -> Connector[AsyncEngine]:
    """Build a new async engine for a profile, as `build_connector` does.

    Raises:
        ConfigError: Also where the extra `async` is not installed.
    """
    from dbctl.connections.engines import async_engine_on

    backend = beside.backend if beside else backend_of(profile)
    return Connector(async_engine_on(backend, missing), backend)


def connector(profile: str | Profile | None = None) -> Connector[Engine]:
    """Return this process's one connector for a profile, which is built when it is first asked for.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.

    Raises:
        ConfigError: There is no such profile, or it is wrong.
    """
    if profile not in _shared:
        found = _profile(profile)
        # setdefault lets one thread win where two build the same engine; the loser's has connected to nothing.
        _shared[profile] = _shared.get(found) or _shared.setdefault(found, _told(_beside_others(found)))
    return _shared[profile]


def async_connector(profile: str | Profile | None = None) -> Connector[AsyncEngine]:
    """Return the running event loop's one connector for a profile by its async driver.

    Connections belong to the loop that opened them, so each loop has engines of its own. Their idle connections are
    closed when `asyncio.run`, or whoever else runs the loop, shuts its asynchronous generators down.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.

    Raises:
        ConfigError: There is no such profile, or it is wrong, or the extra `async` is not installed.
        RuntimeError: No event loop is running.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    if loop not in _shared_by_loop:
        _forget_closed_loops()
        shared = _shared_by_loop[loop] = {}
        _ends[loop] = _begun(_disposed_at_end(shared))
    shared = _shared_by_loop[loop]
    if profile not in shared:
        found = _profile(profile)
        beside = _shared.get(found) if found.in_memory else None
        built = shared.get(found) or _told(build_async_connector(found, beside=beside), loop)
        shared[profile] = shared.setdefault(found, built)
        _tell_what_cancelling_leaves()
    return shared[profile]


def _beside_others(profile: Profile) -> Connector[Engine]:
    """Build the sync connector; in memory it leads to the database that the newest loop's async one leads to."""
    loops = reversed([*_shared_by_loop.values()]) if profile.in_memory else ()
    others = (shared.get(profile) for shared in loops)
    return build_connector(profile, beside=next(filter(None, others), None))


def shared_with(profile: Profile) -> list[Connector[Any]]:
    """Return the connectors that this process and the running event loop have for a profile until now, two at most.

    Raises:
        RuntimeError: No event loop is running.
    """
    import asyncio

    by_loop = _shared_by_loop.get(asyncio.get_running_loop(), {})
    return [each for each in (_shared.get(profile), by_loop.get(profile)) if each]


@contextmanager
def following(profile: Profile, told: Callable[[Connector[Any]], None]) -> Iterator[None]:
    """Have a function told of `shared_with(profile)`: those there are, and in the block each before its first use.

    Raises:
        RuntimeError: No event loop is running.
    """
    import asyncio

    follower = profile, asyncio.get_running_loop(), told
    _followers.append(follower)
    try:
        for each in shared_with(profile):
            told(each)
        yield
    finally:
        _followers.remove(follower)


def _told(built: Connector[AnyEngine], loop: AbstractEventLoop | None = None) -> Connector[AnyEngine]:
    for profile, own_loop, told in list(_followers):
        if profile == built.profile and loop in (None, own_loop):
            told(built)
    return built


@cache
def _tell_what_cancelling_leaves() -> None:
    """Say once what an older SQLAlchemy does not do for a task that is cancelled, and dbctl can't do for it."""
    import sqlalchemy

    if sqlalchemy_is_before(2, 0, 55):
        _log.warning(
            "SQLAlchemy %s leaves the connection open, with its transaction, that the pool was opening when a task was "
            "cancelled; 2.0.55 closes it",
            sqlalchemy.__version__,
        )


def engine(profile: str | Profile | None = None) -> Engine:
    """Return the engine of `connector(profile)`."""
    return connector(profile).engine


def async_engine(profile: str | Profile | None = None) -> AsyncEngine:
    """Return the engine of `async_connector(profile)`."""
    return async_connector(profile).engine


def dispose() -> None:
    """Close the idle connections of all engines that `connector` has handed out, and forget them."""
    for shared in {id(each): each for each in list(_shared.values())}.values():
        shared.engine.dispose()
    _shared.clear()


async def async_dispose() -> None:
    """Close the idle connections of the running loop's engines, and forget the engines."""
    import asyncio

    loop = asyncio.get_running_loop()
    _shared_by_loop.pop(loop, None)
    if end := _ends.pop(loop, None):
        await end.aclose()


async def _disposed_at_end(shared: dict[_Named, Connector[AsyncEngine]]) -> AsyncGenerator[None, None]:
    """Close the idle connections of a loop's engines when this generator is closed: at the latest by the loop's end."""
    try:
        yield
    finally:
        for each in {id(each): each for each in shared.values()}.values():
            await each.engine.dispose()
        shared.clear()


def _begun(end: AsyncGenerator[None, None]) -> AsyncGenerator[None, None]:
    """Run a generator up to its `yield`, by which the running loop knows it, and closes it at its end."""
    with suppress(StopIteration):
        end.__anext__().send(None)
    return end


def _forget_closed_loops() -> None:
    """Let go what loops had that were closed without more ado: their connections keep them alive, and they those."""
    for loop in [each for each in _shared_by_loop if each.is_closed()]:
        del _shared_by_loop[loop], _ends[loop]


@contextmanager
def opened(profile: Profile, missing: Missing = Missing.REFUSE) -> Iterator[Connector[Engine]]:
    """Have an engine of its own for the block, and translate what its driver raises there."""
    built = build_connector(profile, missing)
    try:
        with built.backend.translating():
            yield built
    finally:
        built.engine.dispose()
        built.engine.clear_compiled_cache()  # which is large, and would stay until a cycle of objects is looked for


@asynccontextmanager
async def async_opened(profile: Profile, missing: Missing = Missing.REFUSE) -> AsyncIterator[Connector[AsyncEngine]]:
    """Have an async engine of its own for the block, and translate what its driver raises there."""
    built = build_async_connector(profile, missing)
    try:
        with built.backend.translating():
            yield built
    finally:
        await built.engine.dispose()


_Named = str | Profile | None
_shared: dict[_Named, Connector[Engine]] = {}
_shared_by_loop: WeakKeyDictionary[AbstractEventLoop, dict[_Named, Connector[AsyncEngine]]] = WeakKeyDictionary()
_ends: WeakKeyDictionary[AbstractEventLoop, AsyncGenerator[None, None]] = WeakKeyDictionary()
_followers: list[tuple[Profile, AbstractEventLoop, Callable[[Connector[Any]], None]]] = []


def _profile(profile: _Named) -> Profile:
    from dbctl.connections.asking import profile_named  # which opens engines itself

    if isinstance(profile, Profile):
        return profile
    if not isinstance(profile, str | None):
        raise TypeError(f"a profile, its name or None, not {type(profile).__qualname__}: {profile!r}")
    return profile_named(profile)
