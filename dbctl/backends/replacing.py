"""Replacing a database: what a new one has of the one that was there, and how it gets its name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Replacing:
    """The part of a backend that makes a database in the place of another one; each server's own is an override."""

    title: ClassVar[str]
    database_bound: ClassVar[Collection[Any]] = ()
    """The codes of the errors that say that a database is not dropped for what `unbinding` does away with."""

    def properties(self, connection: Connection) -> Mapping[str, Any]:
        """Return what the database is like by itself, and no tool writes: owner, encoding, grants, settings."""
        return {}

    def give_properties(self, file: Path, found: Mapping[str, Any]) -> None:
        """Give a new database that is a file what `properties` returned of the one that was backed up."""

    def at_hand(self, connection: Connection, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return of what a database was like all that this server can make one with, and tell what it can't.

        Args:
            connection: A connection to the server.
            found: What `properties` returned, maybe on another server.
        """
        return found

    def with_properties(self, name: str, found: Mapping[str, Any], *, owner: bool) -> tuple[str, Sequence[str]]:
        """Return the statement that creates such a database, and those that give it all else once it has its rows.

        Args:
            name: Its name.
            found: What `properties` returned.
            owner: Whether it gets the owner that it had; the one who creates it is that else.
        """
        raise Unsupported(f"{self.title} has no server")

    def refuse_unmovable(self, connection: Connection, name: str) -> None:
        """Do nothing where a new database can come in the place of what has a name, or get that of none.

        Raises:
            WorkRefused: It can't.
        """

    def swap(self, connection: Connection, new: str, name: str, old: str | None, *, force: bool) -> bool:
        """Give a new database the name of another one, which gets a name for old ones.

        Args:
            connection: A connection to the server, on which each statement commits.
            new: The new database.
            name: The name that it gets.
            old: The name that the one gets which has it; None where none has.
            force: Whether other sessions on that one are ended.

        Returns:
            Whether nothing has the new one's first name any more.
        """
        raise Unsupported(f"{self.title} can't give a database another name")

    def unbinding(self, connection: Connection, name: str) -> Iterable[str]:
        """Return the statements after which a database can be dropped that was filled, and never had its name.

        Args:
            connection: A connection to that database, on which each statement commits.
            name: The database.
        """
        return ()

    def databases_like(self, connection: Connection, beginning: str) -> Sequence[str]:
        """Return the names of databases that begin so."""
        raise Unsupported(f"{self.title} has no server")
