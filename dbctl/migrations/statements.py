"""What a revision has the database do, statement by statement: how many, and which of them no rollback undoes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from dbctl.errors import ConnectError, Contention, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

# What only looks, or is about the session, is not counted: to go on with a revision it has to be run again.
_UNCOUNTED = re.compile(
    r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*(?:SELECT|SHOW|DESC|DESCRIBE|EXPLAIN|SET|USE|PRAGMA"
    r"|BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|DO\s+0)\b",
    re.IGNORECASE | re.DOTALL,
)

_NOTHING = "SELECT 1"
"""What is run in the place of a statement that has been run before."""


class Statements:
    """The statements of one revision, as they are run on a connection.

    Args:
        backend: The connection's.
        done: How many of them an earlier run has done for good; they are not run again.
        digest: The `digest` of those.
        lasting: Called when more of them are there for good, with a revision that is not at its end yet.
    """

    def __init__(
        self, backend: Backend, done: int = 0, digest: str = "", lasting: Callable[[Statements], None] | None = None
    ) -> None:
        self.texts: list[str] = []
        self.lasting = done
        """How many of them no rollback undoes."""
        self.begins: Callable[[], None] | None = None
        """What is called once, before the first of them is run."""
        self.ended_early = False
        """Whether there were fewer than an earlier run has done, of which no line of a script is the place."""
        self._backend = backend
        self._done = done
        self._digest = digest
        self._told = lasting

    @property
    def digest(self) -> str:
        """What tells whether the statements that are there for good are still those of the revision."""
        return self._digest if self.lasting == self._done else digest_of(self.texts[: self.lasting])

    @property
    def went_on(self) -> bool:
        """Whether any was begun that an earlier run has not done."""
        return len(self.texts) > self._done

    def begin_again(self) -> None:
        """Have the revision run again, but for what is there for good."""
        self._done, self._digest = self.lasting, self.digest
        self.texts.clear()

    @contextmanager
    def noted(self, connection: Connection) -> Iterator[None]:
        """Take note of what is run on a connection in the block.

        Raises:
            WorkRefused: The statements are not those that an earlier run has done.
        """
        driver_connection = connection.connection.driver_connection

        def before(running: Any, cursor: Any, text: str, parameters: Any, *_: Any) -> tuple[str, Any]:
            return self._before(driver_connection, text, parameters)

        def after(running: Any, cursor: Any, text: str, *_: Any) -> None:
            self._after(driver_connection, text)

        event.listen(connection, "before_cursor_execute", before, retval=True)
        event.listen(connection, "after_cursor_execute", after)
        try:
            yield
        except DBAPIError as error:
            self._note_failure(connection, error)
            raise
        else:
            self.ended_early = len(self.texts) < self._done
            if self.ended_early:
                raise self._changed()
        finally:
            event.remove(connection, "before_cursor_execute", before)
            event.remove(connection, "after_cursor_execute", after)

    def _before(self, driver_connection: Any, text: str, parameters: Any) -> tuple[str, Any]:
        if not is_counted(text):
            return text, parameters
        if begins := self.begins:
            self.begins = None
            begins()
        if not self._backend.in_transaction(driver_connection):
            self._note(len(self.texts))
        self.texts.append(text)
        if len(self.texts) > self._done:
            return text, parameters
        if len(self.texts) == self._done and digest_of(self.texts) != self._digest:
            raise self._changed()
        return _NOTHING, ()

    def _after(self, driver_connection: Any, text: str) -> None:
        if is_counted(text) and not self._backend.in_transaction(driver_connection):
            self._note(len(self.texts))

    def _note(self, count: int) -> None:
        if count > self.lasting:
            self.lasting = count
            if self._told:
                self._told(self)

    def _note_failure(self, connection: Connection, error: DBAPIError) -> None:
        """See whether the statement that failed has committed those before it, as DDL does that commits by itself."""
        meaning = self._backend.meaning(error.orig) if error.orig else None
        undone = meaning is not None and issubclass(meaning.error, Contention | ConnectError)  # or nobody can be asked
        if undone or connection.invalidated or not self.texts:
            return
        self._backend.refresh_status(connection)
        if not self._backend.in_transaction(connection.connection.driver_connection):
            self._note(len(self.texts) - 1)

    def _changed(self) -> WorkRefused:
        """Say so of what has been run: it may be another script, or the same that goes by rows which are others now."""
        told = f"its first {self._done} statements are not those that an earlier run has done"
        if self.ended_early:
            return WorkRefused(
                f"{told}: it has only {len(self.texts)} now, as where it goes by rows that the earlier run has changed",
                "mend the database by hand and stamp it; or if its script was changed, put that back as it was",
            )
        return WorkRefused(told, "put the revision's script back as it was, or mend the database by hand and stamp it")


def digest_of(texts: Sequence[str]) -> str:
    """Return what tells statements from others."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def is_counted(text: str) -> bool:
    """Tell whether a statement changes something, and is no session's or transaction's matter."""
    return not _UNCOUNTED.match(text)
