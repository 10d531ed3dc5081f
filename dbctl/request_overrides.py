"""Which database an app works on: the one that its parts name, or another in its place, as in tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import replace
from inspect import isfunction, unwrap
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint
from fastapi import FastAPI
from fastapi.requests import HTTPConnection
from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import await_only
from sqlmodel import Session
from starlette.datastructures import State

from dbctl.backends.base import Missing
from dbctl.connections.asking import profile_named
from dbctl.connections.connector import Connector, async_connector, opened
from dbctl.errors import ConfigError, WorkRefused
from dbctl.profiles import Profile
from dbctl.records import record
from dbctl.request_units import Access, ended_in_thread
from dbctl.work.database import Database
from dbctl.work.runs import async_session as dbctl_async_session
from dbctl.work.runs import session as dbctl_session
from dbctl.work.sessions import AsyncDatabase, async_unit_of_work, unit_of_work

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from dbctl.profiles.model import Isolation

ProfileName = str | Profile | None

OWN_PROFILE = "dbctl_profile"
"""The attribute of an app's state, and of its lifespan, that says on which profile it works."""


def access_of(app: FastAPI, named: ProfileName, *, asynchronous: bool) -> Access:
    """Return the access to the profile that a part of the app names, or that the app is made to work on.

    Raises:
        ConfigError: There is no such profile, or it is wrong, or the app's override is by names, and not of this one.
    """
    instead = _override_of(app)
    if isinstance(instead, RolledBack):
        return replace(instead, asynchronous=asynchronous)
    return Access.to(profile_of(app, named), asynchronous=asynchronous)


def profile_of(app: FastAPI | HTTPConnection, named: ProfileName = None) -> ProfileName:
    """Return what an app works on, for what is done beside its requests: `dbctl.run(tidy, profile_of(app))`.

    `override` holds for it, as it does not for a name.

    Args:
        app: The app, or a request or a websocket of it.
        named: The profile or its name; None for the one of the app's (outermost) `lifespan`.

    Returns:
        The profile, its name, or None for the one that `dbctl` itself would take: what `dbctl.run` and the like take.

    Raises:
        ConfigError: The app's override is by names, and not of this one.
    """
    instead = _override_of(app)
    own = named or _own_profile_of(app.app if isinstance(app, HTTPConnection) else app)
    if isinstance(instead, RolledBack):
        return instead.connector.profile
    if not isinstance(instead, Mapping):
        return instead or own
    name = own if isinstance(own, str) else (own or profile_named()).name
    if name not in instead:
        raise ConfigError(
            f'the app is overridden by names, which are {", ".join(instead) or "none"}, and works on "{name}" too',
            f'say it as well: override(app, {{…, "{name}": …}}), with "{name}" itself where that is meant',
        )
    return instead[name]  # type: ignore[no-any-return]


@contextmanager
def session_of(
    app: FastAPI | HTTPConnection, named: ProfileName = None, *, writes: bool = True, isolation: Isolation | None = None
) -> Iterator[Session]:
    """Open a session on what an app works on, where no dependency reaches: `with session_of(app) as session: …`.

    That is a background task, a body that is streamed, a message of a websocket. It is `dbctl.session`, but that
    `override` and `rolled_back` hold for it.

    Args:
        app: The app, or a request or a websocket of it.
        named: The profile or its name; None for the one of the app's (outermost) `lifespan`.
        writes: Whether the unit of work means to write; the database refuses to where it does not.
        isolation: The isolation level; the profile's, or else the server's, unless given.

    Raises:
        DbctlError: What `profile_of` and `dbctl.session` raise.
    """
    instead = _override_of(app)
    if isinstance(instead, RolledBack):
        with instead.savepoint() as database:
            yield database.session
    else:
        with dbctl_session(profile_of(app, named), writes=writes, isolation=isolation) as session:
            yield session


@asynccontextmanager
async def async_session_of(
    app: FastAPI | HTTPConnection, named: ProfileName = None, *, writes: bool = True, isolation: Isolation | None = None
) -> AsyncIterator[AsyncSession]:
    """Open an async session as `session_of` does: `async with async_session_of(websocket) as session: …`."""
    instead = _override_of(app)
    if isinstance(instead, RolledBack):
        async with instead.async_savepoint() as database:
            yield database.session
    else:
        async with dbctl_async_session(profile_of(app, named), writes=writes, isolation=isolation) as session:
            yield session


def _own_profile_of(app: FastAPI) -> ProfileName:
    """Return the profile of an app's (outermost) lifespan, also where that is not run, as that of a mounted app."""
    if hasattr(app.state, OWN_PROFILE):
        return getattr(app.state, OWN_PROFILE)  # type: ignore[no-any-return]
    return _declared_by(app.router.lifespan_context)


def _declared_by(life: Any) -> ProfileName:
    """Return the profile that a lifespan is for; FastAPI puts one around it for each router that an app includes."""
    while not hasattr(life, OWN_PROFILE):
        inner = unwrap(life)
        outer = zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=False) if isfunction(inner) else ()
        cell = dict(outer).get("original_context")
        if cell is None:
            return None
        life = cell.cell_contents
    return getattr(life, OWN_PROFILE)  # type: ignore[no-any-return]


def _state(app: FastAPI | HTTPConnection) -> State:
    return (app.app if isinstance(app, HTTPConnection) else app).state


def _override_of(app: FastAPI | HTTPConnection) -> Any:
    return getattr(_state(app), "dbctl_override", None)


def override(app: FastAPI, profile: ProfileName | Mapping[str, ProfileName]) -> AbstractContextManager[Any]:
    """Make an app work on another profile, whichever its parts name: `override(app, "testing")` before a test.

    It holds from the call on; used as a context manager, as in `with override(app, "testing"), TestClient(app): …`, to
    the end of the block. What opens sessions by `dbctl.session("prod")` is out of its reach: see `session_of`.

    Args:
        app: The app.
        profile: The profile, its name, or for an app that works on several one for each of their names, such as
            `{"prod": "testing", "reports": dbctl.profile(url="sqlite://")}`; then one that is not named is refused.
    """
    return _overridden(app, profile)


def _overridden(app: FastAPI, instead: object) -> ExitStack:
    undo = ExitStack()
    undo.callback(setattr, app.state, "dbctl_override", _override_of(app))
    app.state.dbctl_override = instead
    return undo


@contextmanager
def rolled_back(app: FastAPI, profile: ProfileName = None) -> Iterator[Session]:
    """Make an app work in one transaction of a profile, which is rolled back at the end: for each test anew.

        with rolled_back(app, "tests") as session, TestClient(app) as client:
            session.add(Order(item="cape"))
            session.commit()
            assert client.get("/orders/cape").status_code == 200

    The block's session and those of the app's dependencies, whichever profile and driver they name, are on one
    connection, by the sync driver, and each is a savepoint: what one commits the next sees, and nobody else. Requests
    take turns; those of one request, and the block's, end in the reverse order of their beginning.

    What differs: constraints that are deferred are looked at when the block ends; `isolation` and `writes=False` are
    not obeyed; sequences and AUTO_INCREMENT are not set back; a statement that commits by itself, as DDL does on MySQL
    and MariaDB, is refused (WorkRefused). `dbctl.session` is out of its reach. The tables that
    `lifespan(create_tables=…)` creates stay; on SQLite they go too.

    Args:
        app: The app.
        profile: The profile, its name, or None for the one that `dbctl` itself would take.

    Raises:
        ConfigError: There is no such profile, or it is wrong.
        ConnectError: There is no connection.
        BrokenReference: At the end: a deferred constraint does not hold; or another error of the kind.
    """
    found = profile if isinstance(profile, Profile) else profile_named(profile)
    with opened(found, Missing.CREATE) as connector, unit_of_work(connector, dry_run=True) as outer:
        connection = outer.session.connection()
        _refuse_commits(connector)
        with (
            _overridden(app, RolledBack(connector, connection)),
            Session(connection, join_transaction_mode="create_savepoint") as session,
        ):
            yield session


def _refuse_commits(connector: Connector[Engine]) -> None:
    """Refuse what would commit by itself what is to be rolled back."""

    @event.listens_for(connector.engine, "before_cursor_execute")
    def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if word := connector.backend.commits_by_itself(statement):
            raise WorkRefused(
                f"{connector.profile.called}: {word} commits by itself, and with it what is to be rolled back",
                "do it before rolled_back, or test it under override",
            )


@record
class RolledBack(Access):
    """A connection in a transaction that will be rolled back, with a savepoint in it for each unit of work.

    The sessions of an async part are on it too, over the sync driver, so that one transaction is all there is.
    """

    connector: Connector[Engine]
    connection: Connection
    asynchronous: bool = False

    @property
    def is_async(self) -> bool:
        """Whether it is for a part that works by the async driver."""
        return self.asynchronous

    @property
    def places(self) -> int:
        """One: requests take turns."""
        return 1

    async def run(self, command: Callable[..., Any], *args: Any) -> Any:
        """Run it beside, committed, so that DDL ends no transaction of a test; inside where nothing is beside."""
        if self.connector.backend.locks_to_write:
            return await super().run(command, *args)
        return await Access.to(self.connector.profile, asynchronous=self.asynchronous).run(command, *args)

    async def dispose(self) -> None:
        """Leave the connection to whoever rolls it back."""

    async def _take_place(self, held: int) -> anyio.Semaphore:
        """Have a request's further sessions stand in its first one's place: theirs are savepoints inside of it."""
        return anyio.Semaphore(0) if held else await super()._take_place(held)

    # Each begins at once, not by its first statement: a savepoint that is released takes later ones with it. The
    # transaction around it knows that it writes.

    @contextmanager
    def savepoint(self) -> Iterator[Database]:
        """Run the block in a unit of work that is a savepoint."""
        bind: Any = self.connection
        with unit_of_work(Connector(bind, self.connector.backend), writes=False) as database:
            database.session.connection()
            yield database

    @asynccontextmanager
    async def async_savepoint(self) -> AsyncIterator[AsyncDatabase]:
        """Run the block in an async one, which refuses what an async driver does."""
        from sqlalchemy.ext.asyncio import AsyncConnection

        front: Any = AsyncConnection(async_connector(self.connector.profile).engine, self.connection)
        async with async_unit_of_work(Connector(front, self.connector.backend), writes=False) as database:
            event.listen(database.session.sync_session, "do_orm_execute", _await_as_async_drivers_do)
            await database.session.connection()
            yield database

    def _unit_of_work(self, **_terms: Any) -> AbstractAsyncContextManager[Any]:
        return self.async_savepoint() if self.asynchronous else ended_in_thread(self.savepoint())


def _await_as_async_drivers_do(_state: object) -> None:
    """Raise MissingGreenlet where an async driver would, as for an attribute that is loaded when it is looked at."""
    await_only(checkpoint())
