"""A service's own function that commits by itself: the unit of work's promise is gone with that, and it is told.

SQLAlchemy tells of each COMMIT on an engine's connections; of statements that end a transaction the backend knows some,
and of the others the connection's status tells. What is done past SQLAlchemy is noticed when the unit ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.errors import DbctlError, WorkRefused
from dbctl.runtime.foreign_errors import place_of_call

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.base import Backend

T = TypeVar("T")

_log = logging.getLogger(__name__)


class OwnCommits:
    """The commits of a function that is run in a unit of work.

    Args:
        refuse: Whether one is an error, and all before it is rolled back.
        writes: Whether the unit means to write; where it does not, there is nothing to commit.
    """

    def __init__(self, *, refuse: bool, writes: bool = True) -> None:
        self.places: list[str] = []
        """Where it has committed: file and line."""
        self._refuse = refuse
        self._writes = writes
        self._refused: DbctlError | None = None
        self._concluding = False
        self._mark: object = None
        self._told = True
        """Whether the end of the transaction is told, or there is none yet."""

    def watch(self, engine: Engine, backend: Backend) -> None:
        """Hear of all commits on a new engine's connections."""
        from sqlalchemy import event

        if not self._writes:
            return

        @event.listens_for(engine, "commit")
        def commit(_connection: Connection) -> None:
            self._note("commits by itself")

        was_open = False

        @event.listens_for(engine, "before_cursor_execute")
        def execute(connection: Connection, _cursor: Any, statement: str, *_more: Any) -> None:
            nonlocal was_open
            if word := backend.commits_by_itself(statement):
                self._note(f"commits by itself, as {word} does")
            was_open = backend.in_transaction(connection.connection.driver_connection)

        @event.listens_for(engine, "after_cursor_execute")
        def executed(connection: Connection, *_statement: Any) -> None:
            if was_open and not self._told and not backend.in_transaction(connection.connection.driver_connection):
                self._note_end(place_of_call())

    def begun(self, connection: Connection, backend: Backend) -> None:
        """Mark a transaction of the unit's session, which has just begun."""
        if not self._writes or connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return
        self._mark, self._told = backend.mark(connection), False

    def look(self, connection: Connection, backend: Backend) -> None:
        """Look at the unit's end whether its transaction is still the one that was begun.

        Raises:
            WorkRefused: It was ended past the session, and that is refused, or the database can't go on.
        """
        if not self._told and not backend.lasts(connection, self._mark):
            self._note_end("", goes_on=not backend.has_ended(connection))

    def recall(self, connection: Connection, backend: Backend) -> None:
        """Look at that after the function has failed by itself, for what is told to stay."""
        if not self._told and not backend.lasts(connection, self._mark):
            self._told = True
            self.places.append("the driver's own connection")

    def watching(self, work: Callable[[Any], T]) -> Callable[[Any], T]:
        """Return what calls the function, once or again, and lets no commit that was refused be passed over."""

        def run(needed: Any) -> T:
            self._concluding = False
            self._refused = None
            result = work(needed)
            self.check()
            return result

        return run

    def check(self) -> None:
        """Do nothing where no commit was refused; the function may have passed over that.

        Raises:
            WorkRefused: One was.
        """
        if self._refused is not None:
            raise self._refused

    def conclude(self, before_commit: Callable[[], None]) -> None:
        """Let the unit of work commit.

        Args:
            before_commit: What else has to be asked before.
        """
        self.check()
        before_commit()
        self._concluding = True

    def tell_what_stays(self) -> None:
        """Say of a run that has failed what of it is not rolled back."""
        if self.places:
            _log.warning("what was committed at %s stays", " and at ".join(self.places))

    def _note(self, what: str) -> None:
        if self._concluding:
            return
        self._told = True
        self.check()  # after the one that was refused nothing is committed either
        place = place_of_call() or "the function"
        if self._refuse:
            self._refused = WorkRefused(f"{place} {what}, which is refused here; all of it is rolled back")
            raise self._refused
        if place not in self.places:
            self.places.append(place)
            _log.warning("%s %s: what was done until there stays, whatever comes after it", place, what)

    def _note_end(self, place: str, *, goes_on: bool = True) -> None:
        self._told = True
        place = place or "the function"
        what = "has ended the transaction past its session"
        if self._refuse or not goes_on:
            self._refused = WorkRefused(
                f"{place} {what}: what was committed by that stays, and all else is rolled back",
                "leave the commit to dbctl, which makes it at the end",
            )
            raise self._refused
        self.places.append(place)
        _log.warning("%s %s: what was committed by that stays, whatever comes after it", place, what)
