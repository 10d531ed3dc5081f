"""THE unit of work: one session, begun, and then committed whole or rolled back whole.

The rules hold by construction. A session lives in a context manager and for one unit of work; nothing commits but the
unit's end; nothing is printed or computed while it is open but what the unit itself does; any exception rolls it back,
an interrupt too. What the unit wrote is complete before it commits: ids, defaults and whatever else the database made
are loaded inside the transaction, so the objects stay readable after it and no query has to follow a COMMIT.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.exc import InvalidRequestError
from sqlmodel import Session

from dbctl.database import Database
from dbctl.engines import WRITES, backend_and_engine
from dbctl.errors import ConnectError, OutcomeUnknown
from dbctl.profiles import Profile

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.backends.base import Backend


@contextmanager
def session(profile: str | Profile | None = None, *, writes: bool = True) -> Iterator[Session]:
    """Open a session on a profile for one unit of work: `with dbctl.session("prod") as session: …`.

    It is committed when the block ends, and rolled back when the block raises.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.
        writes: Whether the unit means to write; on SQLite, one that does takes the write lock at its start.

    Raises:
        DbctlError: What SQLAlchemy or the driver raised, translated; whatever else the block raises passes through.
    """
    backend, engine = backend_and_engine(profile)
    with unit_of_work(engine, backend, writes=writes) as database:
        yield database.session


@contextmanager
def unit_of_work(engine: Engine, backend: Backend, *, writes: bool = True, dry_run: bool = False) -> Iterator[Database]:
    """Run the block in one session and one transaction, and commit it whole or roll it back whole.

    Args:
        engine: Where to connect.
        backend: The engine's backend, which translates errors.
        writes: Whether the unit means to write.
        dry_run: Roll back at the end also where all went well.
    """
    options = {WRITES: writes}
    with Session(engine.execution_options(**options), expire_on_commit=False) as session:
        committing = False
        try:
            yield Database(session, backend, backend.profile, dry_run)
            _complete(session)
            if dry_run:
                session.rollback()
            else:
                committing = True
                session.commit()
        except BaseException as error:
            _roll_back(session, error)
            translated = backend.translate(error)
            if committing and isinstance(translated, ConnectError):
                translated = _outcome_unknown(translated)
            if translated is None:
                raise
            raise translated from error


def _complete(session: Session) -> None:
    """Flush, and load whatever the database made of it that is not loaded yet."""
    session.flush()
    for loaded in list(session.identity_map.values()):
        if expired := inspect(loaded).expired_attributes:
            try:
                session.refresh(loaded, expired)
            except InvalidRequestError:
                continue  # its row is gone by a statement of the unit's own: there is nothing to load


def _roll_back(session: Session, error: BaseException) -> None:
    try:
        session.rollback()
    except Exception as failure:
        # Without a connection there is nothing to roll back with: the server does it by itself.
        error.add_note(f"the rollback failed too: {failure}")


def _outcome_unknown(lost: ConnectError) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"the connection was lost during COMMIT, so the work may or may not be there: {lost.message}",
        "look before you run it again",
    )
