"""A profile's sessions, life and health inside a FastAPI service.

    app = FastAPI(lifespan=lifespan("prod", wait=30))
    install_error_handlers(app)
    app.include_router(health_router())

    @app.post("/heroes/")
    def add_hero(session: SessionDep, hero: HeroCreate) -> HeroPublic: …

A request has one session and one unit of work. It is committed when the handler has returned and before the response
leaves, so that nobody is told of work that is not there; it is rolled back where the handler raised or the client has
gone away. What a handler *returns* is committed, whatever its status; to roll back, raise. FastAPI writes the response
down when the handler returns, so what the database makes, such as an id, is in it only after a `session.flush()`.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.requests import HTTPConnection
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from sqlalchemy import MetaData
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from dbctl import errors
from dbctl.pool.exposition import CONTENT_TYPE, exposition
from dbctl.pool.places import labelled
from dbctl.profiles.model import Isolation
from dbctl.request_errors import RETRY_AFTER, Problem, install_error_handlers, problems
from dbctl.request_overrides import (
    OWN_PROFILE,
    ProfileName,
    access_of,
    async_session_of,
    override,
    profile_of,
    rolled_back,
    session_of,
)
from dbctl.request_pools import pools_of
from dbctl.tables.changes import create_missing

__all__ = [
    "AsyncSessionDep",
    "Problem",
    "ProfileName",
    "SessionDep",
    "async_session_dependency",
    "async_session_of",
    "health_router",
    "install_error_handlers",
    "lifespan",
    "named_route",
    "override",
    "problems",
    "profile_of",
    "rolled_back",
    "session_dependency",
    "session_of",
]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]

_log = logging.getLogger(__name__)
_CLIENT_GONE = 499
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Those that only read (RFC 9110, 9.2.1)."""
_HELD = "dbctl_sessions"
"""Where a request's scope has how many sessions it has, of each database."""


# --- sessions ---------------------------------------------------------------------------------------------------------


def session_dependency(
    profile: ProfileName = None, *, writes: bool | None = None, isolation: Isolation | None = None
) -> Any:
    """Return the dependency that gives a handler its session: `Annotated[Session, session_dependency("prod")]`.

    At most as many requests have a session at a time as the profile's pool has connections. The others wait, without a
    thread, for the pool's timeout; handlers that waited for a connection in their threads would take all there are,
    and who has a connection could not go on to give it back. A second session of the same profile takes a connection
    more, and as many such requests as the pool has connections wait for each other until the pool's timeout.

    Args:
        profile: The profile, its name, or None for the one of the app's (outermost) `lifespan`.
        writes: Whether the unit of work means to write. Where it is False, the database refuses to, at the cost of a
            round trip on a server. Unless it is given, each request means to but GET, HEAD, OPTIONS and TRACE, of
            which SQLite takes no write lock at the start; what such a one writes all the same is committed.
        isolation: The isolation level; the profile's, or else the server's, unless given.
    """
    return _dependency(profile, writes, isolation, asynchronous=False)


def async_session_dependency(
    profile: ProfileName = None, *, writes: bool | None = None, isolation: Isolation | None = None
) -> Any:
    """Return the same for an async session: `Annotated[AsyncSession, async_session_dependency("prod")]`."""
    return _dependency(profile, writes, isolation, asynchronous=True)


def _dependency(profile: ProfileName, writes: bool | None, isolation: Isolation | None, *, asynchronous: bool) -> Any:
    async def request_session(connection: HTTPConnection) -> AsyncIterator[Any]:
        access = access_of(connection.app, profile, asynchronous=asynchronous)
        to_write = connection.scope.get("method") not in _SAFE_METHODS if writes is None else writes
        held = connection.scope.setdefault(_HELD, Counter())
        unit = access.unit(writes=to_write, strict=writes is False, isolation=isolation, held=held)
        with labelled(_route(connection)):
            async with unit as database:
                yield database.session
                if to_write and isinstance(connection, Request) and await connection.is_disconnected():
                    raise HTTPException(_CLIENT_GONE)

    return Depends(request_session, scope="function")


SessionDep = Annotated[Session, session_dependency()]
"""A session on the profile of the app's `lifespan`."""

AsyncSessionDep = Annotated[AsyncSession, async_session_dependency()]
"""An async session on the profile of the app's `lifespan`."""


async def named_route(connection: HTTPConnection) -> AsyncIterator[None]:
    """Have a pool's recorder know the route that takes a connection, in an app that has sessions of its own.

    `FastAPI(dependencies=[Depends(named_route)])`; the dependencies above do it too.
    """
    with labelled(_route(connection)):
        yield


def _route(connection: HTTPConnection) -> str:
    """Return the route as it is declared, of which there are few: `GET /heroes/{hero_id}`."""
    scope, root = connection.scope, connection.scope.get("root_path", "")
    path = getattr(scope.get("route"), "path", "(no route)")
    # Of the mounts that led to it only what they matched is known, after the root that a proxy has given the service.
    declared = {str(value): f"{{{name}}}" for name, value in connection.path_params.items() if f"{{{name}" not in path}
    mount = root.removeprefix(scope.get("app_root_path", root)).split("/")
    return f"{scope.get('method', 'WEBSOCKET')} {'/'.join(declared.get(each, each) for each in mount)}{path}"


# --- life -------------------------------------------------------------------------------------------------------------


def lifespan(
    profile: ProfileName = None,
    own: Lifespan | None = None,
    *,
    asynchronous: bool = False,
    wait: float = 0,
    create_tables: MetaData | None = None,
    metrics_directory: str | os.PathLike[str] | None = None,
) -> Lifespan:
    """Return a lifespan for `FastAPI(lifespan=…)`: the profile's engine is there while the service runs.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.
        own: The service's own lifespan, which runs inside this one and keeps its state.
        asynchronous: Whether the service works by the async driver.
        wait: Seconds for which a database that can't be reached is waited for, before the service starts.
        create_tables: Create those of its tables that are missing.
        metrics_directory: A directory of the service's own by which its workers add up what `/metrics` says.

    Raises:
        ConfigError: At the start: there is no such profile, or it is wrong, or its password's source gives none, or the
            directory can't be written.
        ConnectError: At the start: the database could not be reached, and was to be waited for, or to get its tables;
            else nothing is connected to before the first request.
        OutOfTime: At the start: it could still not be reached when it had been waited for.
    """

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Any]:
        outermost = not hasattr(app.state, OWN_PROFILE)
        if outermost:
            setattr(app.state, OWN_PROFILE, profile)
        access, pools = access_of(app, profile, asynchronous=asynchronous), pools_of(app)
        try:
            await access.ask_password()
            if wait > 0:
                await access.wait(wait)
            if create_tables is not None:
                await access.run(create_missing, [create_tables])
            pools.start(access, metrics_directory)
            async with own(app) if own else nullcontext() as state:
                yield state
        finally:
            await pools.end(access)
            if outermost:
                delattr(app.state, OWN_PROFILE)

    setattr(opened, OWN_PROFILE, profile)  # for an app whose lifespan nobody runs
    return opened


# --- health -----------------------------------------------------------------------------------------------------------


class Readiness(BaseModel):
    """Whether the database answers, or the step at which it failed."""

    ready: bool
    failed_stage: str | None = None


def health_router(profile: ProfileName = None, *, asynchronous: bool = False, timeout: float = 2) -> APIRouter:
    """Return a router with `/livez`, `/readyz` and `/metrics`.

    `/livez` asks nobody. `/readyz` connects anew, beside the pool, so that a pool in full use is no failure; it is 503
    with the step that failed. `/metrics` is the profile's pool in Prometheus' text format, of both drivers
    together where both are used: this worker's, or all workers' where `lifespan` was given a `metrics_directory`.

    Args:
        profile: The profile, its name, or None for the one of the app's (outermost) `lifespan`.
        asynchronous: Whether the service works by the async driver.
        timeout: Seconds after which `/readyz` gives up.
    """
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="Is the service alive?")
    async def livez() -> dict[str, bool]:
        return {"alive": True}

    @router.get("/readyz", summary="Does the database answer?", responses={503: {"model": Readiness}})
    async def readyz(request: Request, response: Response) -> Readiness:
        try:
            await access_of(request.app, profile, asynchronous=asynchronous).ping(timeout)
        except errors.DbctlError as error:
            _log.warning("%s: %s", request.url.path, error)
            response.status_code = 503
            response.headers.update(RETRY_AFTER)
            at_fault = "configuration" if isinstance(error, errors.ConfigError) else "statement"
            return Readiness(ready=False, failed_stage=getattr(error, "stage", at_fault))
        return Readiness(ready=True)

    @router.get("/metrics", summary="The connection pool at work", response_class=PlainTextResponse)
    async def pool_metrics(request: Request) -> PlainTextResponse:
        access = access_of(request.app, profile, asynchronous=asynchronous)
        try:
            snapshot = await pools_of(request.app).snapshot(access)
        except OSError as error:
            _log.error("%s: %s", request.url.path, error)
            return PlainTextResponse("what the workers have counted can't be added up\n", 503, RETRY_AFTER)
        text = exposition(snapshot, {"profile": access.connector.profile.name})
        return PlainTextResponse(text, media_type=CONTENT_TYPE)

    return router
