"""The bare unit of work: one session, begun, and then committed whole or rolled back whole.

The rules hold by construction. A session lives in a context manager and for one unit of work; nothing commits but the
unit's end; nothing is printed or computed while it is open but what the unit itself does; any exception rolls it back,
an interrupt too. What the unit wrote is complete before it commits: ids, defaults and whatever else the database made
are loaded inside the transaction, so the objects stay readable after it and no query has to follow a COMMIT.

With a lock, a deadline, retries and a profile's name it is what `dbctl.work.runs` makes of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import event
from sqlmodel import Session

from dbctl.connections.connector import AnyEngine, Connector, async_connector
from dbctl.connections.connector import connector as shared_connector
from dbctl.connections.engines import WRITES
from dbctl.profiles import Profile
from dbctl.profiles.model import checked_isolation
from dbctl.records import record
from dbctl.work.commits import Ending
from dbctl.work.database import Database
from dbctl.work.forks import is_over, is_parents, stays_with_parent

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlmodel.ext.asyncio.session import AsyncSession

    from dbctl.backends.base import Backend
    from dbctl.profiles.model import Isolation
    from dbctl.work.deadlines import Deadline
    from dbctl.work.own_commits import OwnCommits

_FOR_ONE_UNIT: dict[str, Any] = {
    "expire_on_commit": False,
    "close_resets_only": False,
    "join_transaction_mode": "create_savepoint",
}
"""Options of a session that begins nothing behind its unit's end, which nobody would commit, nor give back.

On a connection that is in a transaction already, which a profile's engine never gives, the unit is a savepoint in it.
"""

P = ParamSpec("P")
T = TypeVar("T")


class _Session(Session):
    """The session of one unit of work."""

    ending: Ending


@event.listens_for(_Session, "after_begin")
def _begin(session: _Session, transaction: Any, connection: Connection) -> None:
    """Begin each transaction of a strict unit strictly; nothing is connected before its first statement."""
    ending = session.ending
    if not ending.strict or transaction.nested:  # a savepoint, in one that has begun
        return
    commits, backend = ending.commits, ending.backend
    if commits is not None and not ending.writes:  # what is run may be anything, also what ends the transaction
        backend.keep_from_writing(connection)
    backend.begin_strictly(connection, writes=ending.writes)
    if commits is not None:
        commits.begun(connection, backend)


@event.listens_for(_Session, "before_commit")
def _commit(session: _Session) -> None:
    if not session.in_nested_transaction():
        session.ending.hear_commit()


@contextmanager
def unit_of_work(
    profile: Connector[Engine] | Profile | str | None = None,
    *,
    writes: bool = True,
    dry_run: bool = False,
    strict: bool = False,
    before_commit: Callable[[], None] | None = None,
    deadline: Deadline | None = None,
    commits: OwnCommits | None = None,
    isolation: Isolation | None = None,
) -> Iterator[Database]:
    """Run the block in one session and one transaction, and commit it whole or roll it back whole.

    Args:
        profile: Where to connect: a profile, its name, a connector, or None for the one that `dbctl` itself takes.
        writes: Whether the unit means to write.
        dry_run: Roll back at the end also where all went well.
        strict: Let the database refuse to write where the unit does not mean to, end a statement soon after this
            process has died, and tell what became of a COMMIT that got no answer; each as far as it can. It costs up to
            two round trips.
        before_commit: Called when all is ready to be committed; what it raises rolls all back.
        deadline: By when the COMMIT has to be answered; all before it is ended in time by whoever supervises the unit.
        commits: What hears of the commits of the block's own.
        isolation: The isolation level; the profile's, or else the server's, unless given.
    """
    connector = profile if isinstance(profile, Connector) else shared_connector(profile)
    backend = connector.backend
    session = _Session(_begun(connector.engine, backend, writes, isolation), **_FOR_ONE_UNIT)
    ending = session.ending = Ending(session, backend, dry_run, strict, writes, before_commit, deadline, commits)
    stays_with_parent(session)
    try:
        yield Database(session, backend, backend.profile, dry_run)
        ending.conclude()
    except BaseException as error:
        if is_parents(session):
            raise
        with session:
            translated = ending.abandon(error)
        if translated is None:
            raise
        raise translated from error
    finally:
        is_over(session)
        del session.ending  # or the two would keep each other until garbage is collected


@asynccontextmanager
async def async_unit_of_work(
    profile: Connector[AsyncEngine] | Profile | str | None = None,
    *,
    writes: bool = True,
    dry_run: bool = False,
    strict: bool = False,
    before_commit: Callable[[], None] | None = None,
    deadline: Deadline | None = None,
    commits: OwnCommits | None = None,
    isolation: Isolation | None = None,
) -> AsyncIterator[AsyncDatabase]:
    """Run the block in one async session and one transaction; the parameters are those of `unit_of_work`."""
    from sqlmodel.ext.asyncio.session import AsyncSession

    connector = profile if isinstance(profile, Connector) else async_connector(profile)
    backend = connector.backend
    engine = _begun(connector.engine, backend, writes, isolation)
    session = AsyncSession(engine, sync_session_class=_Session, **_FOR_ONE_UNIT)
    own: Any = session.sync_session
    ending = own.ending = Ending(own, backend, dry_run, strict, writes, before_commit, deadline, commits)
    stays_with_parent(own)
    try:
        yield AsyncDatabase(session, backend, backend.profile, dry_run)
        await session.run_sync(lambda _: ending.conclude())
    except BaseException as error:
        if is_parents(session.sync_session):
            raise
        reason = error  # `error` is unbound when this clause ends
        async with session:  # which closes it also where the task is cancelled once more
            translated = await session.run_sync(lambda _: ending.abandon(reason))
        if translated is None:
            raise
        raise translated from error
    finally:
        is_over(own)
        del own.ending


def in_async(
    function: Callable[Concatenate[Session, P], T],
) -> Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]]:
    """Return a function on a session as one on an async session, to be awaited; there is no second code behind it."""

    @wraps(function)
    async def call(session: AsyncSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        on_session: Any = function
        result: T = await session.run_sync(on_session, *args, **kwargs)
        return result

    return call


@record
class AsyncDatabase:
    """What `Database` is, with an async session."""

    session: AsyncSession
    backend: Backend
    profile: Profile
    dry_run: bool = False

    async def run(self, command: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a command's function, which is a sync one, in this unit of work."""

        def call(session: Any) -> T:
            return command(Database(session, self.backend, self.profile, self.dry_run), *args, **kwargs)

        return await self.session.run_sync(call)


def _begun(engine: AnyEngine, backend: Backend, writes: bool, isolation: Isolation | None) -> AnyEngine:
    """Return the engine, told the isolation level, and where its database must know it from the start, that it writes.

    Once is enough: of an engine with options made from another SQLAlchemy before 2.0.40 tells no events.
    """
    begins = writes and backend.locks_to_write and not engine.get_execution_options().get(WRITES)
    if not begins and isolation is None:
        return engine
    options = backend.isolation_options(checked_isolation(isolation))
    return engine.execution_options(**options, **({WRITES: True} if begins else {}))
