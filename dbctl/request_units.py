"""A profile inside a service that answers many requests at once, whatever the framework.

Needs anyio, which comes with the extra `fastapi`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import RunVar
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dbctl import probe
from dbctl.backends.base import Backend
from dbctl.connections.connector import Connector, async_connector, connector
from dbctl.errors import ConfigError, ConnectError, OutOfTime
from dbctl.pool.recorder import Recorder, is_observed, observe
from dbctl.profiles import Profile
from dbctl.profiles.model import Isolation
from dbctl.records import record
from dbctl.runtime.backoff import Patience
from dbctl.work.database import Database
from dbctl.work.sessions import async_unit_of_work, unit_of_work

T = TypeVar("T")

_ONE_A_REQUEST = (
    "the request has a session of it already, and as many such as the pool has connections wait for each other: do "
    "with one session of a profile a request, or raise pool.size"
)


@record
class _Queues:
    """Where one waits for an engine: for a connection of the pool, and to ping beside the pool, one after the other."""

    places: anyio.Semaphore
    pings: anyio.Lock


_queues: RunVar[WeakKeyDictionary[Backend, _Queues]] = RunVar("dbctl_queues")
"""Each event loop's own: what waits in one can't be woken from another."""


@record
class Access:
    """A profile's engine, that of the sync driver or of the async one, as a service works with it."""

    connector: Connector[Any]

    @classmethod
    def to(cls, profile: str | Profile | None, *, asynchronous: bool) -> Access:
        """Return the access to a profile by the engine that this process, or this event loop, has for it.

        Raises:
            ConfigError: There is no such profile, or it is wrong, or the extra `async` is not installed.
        """
        return cls(async_connector(profile) if asynchronous else connector(profile))

    @property
    def is_async(self) -> bool:
        """Whether it is by the async driver."""
        return not isinstance(self.connector.engine, Engine)

    @property
    def recorder(self) -> Recorder:
        """What counts what the engine's pool does, from the first use of this on."""
        engine = self.connector.engine
        return observe(engine, None if is_observed(engine) else self.connector.profile.name)

    @property
    def places(self) -> float:
        """How many may have a session at a time: as many as the pool has connections."""
        return self.connector.capacity

    @asynccontextmanager
    async def unit(
        self,
        *,
        writes: bool,
        strict: bool = False,
        isolation: Isolation | None = None,
        held: Counter[Backend] | None = None,
    ) -> AsyncIterator[Any]:
        """Run the block in a unit of work, as soon as the pool has a connection for one more.

        The block gets a `Database` or an `AsyncDatabase`. Without a connection it is waited for here, for the pool's
        timeout, and not in a thread: requests that wait in all the threads there are would wait for those that have a
        connection and need a thread to go on and give it back.

        Args:
            writes: Whether it means to write.
            strict: Whether the database is to refuse to write where it does not mean to.
            isolation: The isolation level; the profile's, or else the server's, unless given.
            held: How many sessions of each database the request has already, which is kept here.

        Raises:
            OutOfTime: No connection came free.
            ConfigError: None can: the request itself has all that the pool may have.
        """
        held, backend = Counter() if held is None else held, self.connector.backend
        places = await self._take_place(held[backend])
        held[backend] += 1
        try:
            async with self._unit_of_work(writes=writes, strict=strict, isolation=isolation) as database:
                try:
                    yield database
                except OutOfTime as error:  # of another unit, in the block
                    if isinstance(pool := error.__cause__, PoolTimeout) and backend.translate(pool):
                        error.hint = _ONE_A_REQUEST
                    raise
        finally:
            held[backend] -= 1
            places.release()

    async def _take_place(self, held: int) -> anyio.Semaphore:
        """Take one of the places, and return what to give it back to.

        Args:
            held: How many the request has already.
        """
        places, backend = self._queues.places, self.connector.backend
        if held >= self.places:
            raise self._waits_for_itself()
        try:
            places.acquire_nowait()
        except anyio.WouldBlock:
            try:
                with self.recorder.queue(), anyio.fail_after(backend.profile.pool.timeout):
                    await places.acquire()
            except TimeoutError:
                error = backend.pool_exhausted()
                error.hint = _ONE_A_REQUEST if held else error.hint
                raise error from None
        return places

    def _waits_for_itself(self) -> ConfigError:
        profile = self.connector.profile
        if profile.in_memory:
            return ConfigError(
                f"{profile.called}: a request asks for a second session in memory, where there is one connection, "
                "and would wait for itself",
                "override each profile by one of its own, override(app, {NAME: …, NAME: …}), or test on a file",
            )
        return ConfigError(
            f"{profile.called}: a request asks for one session more than the pool may have connections "
            f"({self.places:g}), and would wait for itself",
            "do with one session of a profile a request, or raise pool.size",
        )

    @property
    def _queues(self) -> _Queues:
        queues = _queues.get(None)
        if queues is None:
            _queues.set(queues := WeakKeyDictionary())
        # In memory the engines of both drivers have one backend, and one queue: neither waits for the other's lock.
        if self.connector.backend not in queues:
            _ = self.recorder  # what the pool does is counted from its first use on
            limit = int(min(self.places, sys.maxsize))
            queues[self.connector.backend] = _Queues(anyio.Semaphore(limit, fast_acquire=True), anyio.Lock())
        return queues[self.connector.backend]

    def _unit_of_work(self, **terms: Any) -> AbstractAsyncContextManager[Any]:
        if self.is_async:
            return async_unit_of_work(self.connector, **terms)
        return ended_in_thread(unit_of_work(self.connector, **terms))

    async def run(self, command: Callable[..., Any], *args: Any) -> Any:
        """Run a command's function in a unit of work, and return its result."""
        async with self.unit(writes=True) as database:
            if isinstance(database, Database):
                return await anyio.to_thread.run_sync(command, database, *args)
            return await database.run(command, *args)

    async def ask_password(self) -> None:
        """Ask the password's source, if there is one: a service whose source gives none should not start.

        Raises:
            ConfigError: It gives none.
        """
        backend = self.connector.backend
        if backend.asks:
            await anyio.to_thread.run_sync(lambda: backend.password)

    async def ping(self, seconds: float) -> None:
        """Connect anew, beside the pool, and run `SELECT 1`; one at a time, so that many who ask open no connections.

        Raises:
            ConnectError: It failed, or took longer.
        """
        profile = self.connector.backend.profile
        bounded = profile.model_copy(update={"connect_timeout": min(seconds, profile.connect_timeout)})
        try:
            with anyio.fail_after(seconds):
                async with self._queues.pings:
                    await self._ping(bounded)
        except TimeoutError as error:
            raise ConnectError(f"{profile.called}: no answer within {seconds:g} s", transient=True) from error

    async def _ping(self, profile: Profile) -> None:
        if self.is_async:
            await probe.async_ping(profile)
        else:
            # Not one of the service's threads, which may all be busy; it is left alone where it takes too long.
            one = anyio.CapacityLimiter(1)
            await anyio.to_thread.run_sync(probe.ping, profile, abandon_on_cancel=True, limiter=one)

    async def wait(self, seconds: float) -> None:
        """Ping until it succeeds, with growing pauses, for so many seconds; a file is not waited for.

        Raises:
            ConnectError: It fails in a way that no waiting heals.
            OutOfTime: It still fails when the time is over.
        """
        if not self.connector.backend.needs_host:
            return
        patience = Patience(seconds)
        while True:
            try:
                await self.ping(patience.time_for_a_try(seconds))
                return
            except ConnectError as error:
                pause = patience.pause_after(error)
            await anyio.sleep(pause)

    async def dispose(self) -> None:
        """Close the idle connections."""
        closing = self.connector.engine.dispose()
        if self.is_async:
            await closing


@asynccontextmanager
async def ended_in_thread(unit: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Run an async block in a sync unit of work, which waits for the database at its end alone.

    The thread for that is none of the service's limited number: they may be waiting for this unit's connection.
    """
    entered = unit.__enter__()
    try:
        yield entered
    except BaseException as error:
        if not await _exit_in_thread(unit, error):
            raise
    else:
        await _exit_in_thread(unit, None)


async def _exit_in_thread(unit: AbstractContextManager[Any], error: BaseException | None) -> bool:
    reason = (type(error), error, error.__traceback__) if error else (None, None, None)
    with anyio.CancelScope(shield=True):
        handled = await anyio.to_thread.run_sync(unit.__exit__, *reason, limiter=anyio.CapacityLimiter(1))
    return bool(handled)
