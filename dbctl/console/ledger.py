"""What an open transaction has written: objects by their kinds, and the statements beside them."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, inspect

from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlmodel import Session

    from dbctl.backends.base import Backend

_NEW, _CHANGED, _DELETED = "new", "changed", "deleted"

_WRITES = re.compile(
    r"\s*(?:INSERT|UPDATE|DELETE|REPLACE|MERGE|COPY|LOAD|CREATE|ALTER|DROP|RENAME|TRUNCATE|COMMENT|GRANT|REVOKE)\b",
    re.IGNORECASE,
)
"""The words that a statement begins with which is seen to write; of others, such as CALL, nobody can tell."""

_log = logging.getLogger("dbctl")


class Ledger:
    """What a session's open transaction has written, as far as it is seen.

    Args:
        session: The session.
        engine: Its engine.
        backend: The backend of its database.
        read_only: Whether what would end the transaction past its session is refused: the next may be written in.
    """

    def __init__(self, session: Session, engine: Engine, backend: Backend, *, read_only: bool) -> None:
        self.connection: Connection | None = None
        """The connection of the open transaction; None where none is open."""
        self.unfinished = False
        """Whether a statement was begun that has not ended well."""
        self._session = session
        self._backend = backend
        self._read_only = read_only
        self._objects: dict[Any, str] = {}
        self._statements = 0
        self._flushing = False
        self._savepoints: dict[Any, tuple[dict[Any, str], int]] = {}
        self._hear_session(session)
        self._hear_engine(engine)

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open at the database, or objects wait to be written."""
        return self.connection is not None or next(self._waiting(), None) is not None

    @property
    def has_written(self) -> bool:
        """Whether anything is known that a rollback would undo."""
        return bool(self._objects or self._statements) or next(self._waiting(), None) is not None

    def told(self) -> str:
        """Return what a rollback would undo, in words: `2 new Hero, 1 statement that wrote`; "" for nothing known."""
        objects = self._with_waiting()
        counts = Counter((word, state.class_.__name__) for state, word in objects.items())
        words = [f"{count} {word} {name}" for (word, name), count in counts.items()]
        if self._statements:
            words.append(f"{self._statements} {'statement' if self._statements == 1 else 'statements'} that wrote")
        return ", ".join(words)

    def _waiting(self) -> Iterator[tuple[Any, str]]:
        """Yield what the session has still to write."""
        session = self._session
        yield from ((inspect(one), _NEW) for one in list(session.new))
        yield from ((inspect(one), _CHANGED) for one in list(session.dirty) if session.is_modified(one))
        yield from ((inspect(one), _DELETED) for one in list(session.deleted))

    def _with_waiting(self) -> dict[Any, str]:
        """Return what was done to each object, once all is written: one that is new and then changed is new."""
        objects = {**self._objects}
        for state, word in self._waiting():
            if objects.get(state) != _NEW:
                objects[state] = word
            elif word == _DELETED:
                del objects[state]
        return objects

    def _hear_session(self, session: Session) -> None:
        listens = event.listens_for

        @listens(session, "after_begin")
        def begin(_session: Session, _transaction: Any, connection: Connection) -> None:
            self.connection = connection

        @listens(session, "before_flush")
        def before_flush(*_flush: Any) -> None:
            self._flushing = True

        @listens(session, "after_flush")
        def after_flush(*_flush: Any) -> None:
            self._flushing = False
            self._objects = self._with_waiting()

        @listens(session, "after_transaction_create")
        def create(_session: Session, transaction: Any) -> None:
            if transaction.nested:
                self._savepoints[transaction] = ({**self._objects}, self._statements)

        @listens(session, "after_soft_rollback")
        def roll_back(_session: Session, transaction: Any) -> None:
            self._flushing = False
            if transaction in self._savepoints:
                self._objects, self._statements = self._savepoints[transaction]

        @listens(session, "after_transaction_end")
        def end(_session: Session, transaction: Any) -> None:
            if transaction.parent is None:
                self.connection = None
                self._savepoints.clear()
                self._forget()

    def _hear_engine(self, engine: Engine) -> None:
        listens = event.listens_for

        @listens(engine, "before_cursor_execute")
        def begin(connection: Connection, _cursor: Any, statement: str, *_more: Any) -> None:
            if connection is not self.connection:
                return
            word = self._backend.commits_by_itself(statement)
            if word and self._read_only:
                raise WorkRefused(f"{word} would end the transaction that is read-only")
            self.unfinished = True

        @listens(engine, "after_cursor_execute")
        def end(connection: Connection, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:
            if connection is not self.connection:
                return
            self.unfinished = False
            if word := self._backend.commits_by_itself(statement):
                _log.warning("%s commits by itself: what was done until there stays, whatever comes after it", word)
                self._forget()
            elif not self._flushing and _has_written(statement, context):
                self._statements += 1

    def _forget(self) -> None:
        self._objects, self._statements = {}, 0


def _has_written(statement: str, context: Any) -> bool:
    known = context is not None and (context.isinsert or context.isupdate or context.isdelete or context.isddl)
    return bool(known or _WRITES.match(statement))
