"""Databases and roles as such: where a server is reached while one isn't there yet, and how they are made and ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.locks import Holder
from dbctl.errors import Unsupported, UsageError
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection


@record
class Wanted:
    """What a new database is to be like; what is None is the server's to choose.

    Args:
        encoding: How it stores text, as the database itself calls it.
        collation: How it sorts text, as the database itself calls it.
        owner: The role that is to own it.
        template: The database that it is to be a copy of.
    """

    encoding: str | None = None
    collation: str | None = None
    owner: str | None = None
    template: str | None = None


class Purpose(StrEnum):
    """What a role is for."""

    APP = "app"
    READONLY = "readonly"
    MIGRATOR = "migrator"


class Databases:
    """The part of a backend that makes and ends databases and roles; each database's own answers are overrides."""

    title: ClassVar[str]

    maintenance: ClassVar[Sequence[str | None]] = ()
    """The databases, in their order, by which a server is reached when the profile's is not there; None for none."""
    system_databases: ClassVar[Collection[str]] = ()
    """The server's own databases, which it would let a superuser drop, and not outlive."""
    longest_name: ClassVar[int | None] = None
    """How many bytes of a name the server keeps, where it cuts off the rest and says no more than a warning."""
    wishes: ClassVar[Collection[str]] = ()
    """Which of `Wanted`'s fields can be had here."""
    database_exists: ClassVar[Collection[Any]] = ()
    """The codes of the errors that say that a database that was to be created is there."""
    database_missing: ClassVar[Collection[Any]] = ()
    """The codes of the errors that say that a database that was to be dropped is not there."""
    session_missing: ClassVar[Collection[Any]] = ()
    """The codes of the errors that say that a session that was to be ended has ended by itself."""
    template_busy: ClassVar[Collection[Any]] = ()
    """The codes of the errors that say that another run copies the same template: it is over in a moment."""

    def database_file(self) -> Path | None:
        """Return the file that is the database, or None where a server has it.

        Raises:
            WorkRefused: It is in memory.
        """
        return None

    beside: ClassVar[Sequence[str]] = ()
    """The ends of the names of what the database keeps beside its file."""

    def is_broken(self, error: BaseException | None) -> bool:
        """Tell whether an error came from a file that is no database, or not any more."""
        return False

    def be_alone(self, driver_connection: Any) -> None:
        """Do nothing where no other process is at work in the file; else the driver's own error says so.

        Args:
            driver_connection: The sync driver's, in no transaction.
        """
        raise Unsupported(f"{self.title} has no file")

    def refuse_name(self, name: str) -> None:
        """Do nothing where a database or a role can be called so.

        Raises:
            UsageError: None can.
        """
        if not name.strip():
            raise UsageError("the name is empty", "give one")
        if self.longest_name is not None and len(name.encode()) > self.longest_name:
            raise UsageError(
                f"{name}: a name has at most {self.longest_name} bytes in {self.title}, which would cut it off"
            )

    def identifier(self, name: str) -> str:
        """Return a name as an identifier in SQL."""
        raise Unsupported(f"{self.title} has no server")

    def refuse_pooler(self, connection: Connection) -> None:
        """Do nothing where it is the server itself that answers.

        Raises:
            WorkRefused: It is a pooler, which would hold on to what is dropped, or does not pass it on.
        """

    def has_database(self, connection: Connection, name: str) -> bool:
        """Tell whether the server has a database, as far as this role may see."""
        raise Unsupported(f"{self.title} has no server")

    def creating(self, name: str, wanted: Wanted) -> str:
        """Return the statement that creates a database."""
        raise Unsupported(f"{self.title} has no server")

    def create_right(self, name: str, role: str) -> str:
        """Return the statement that lets a role create a database of this name."""
        raise Unsupported(f"{self.title} has no roles")

    def refuse_wishes(self, wanted: Wanted) -> None:
        """Refuse what can't be had here, before anything is connected.

        Raises:
            Unsupported: The message says what.
        """
        asked = [field.name for field in fields(wanted) if getattr(wanted, field.name) is not None]
        if refused := [name for name in asked if name not in self.wishes]:
            raise Unsupported(f"{self.title}: a database has no {' and no '.join(refused)} of its own there")

    def users_of(self, connection: Connection, name: str) -> Sequence[Holder]:
        """Return the other sessions on a database, as far as this role may see."""
        raise Unsupported(f"{self.title} has no server")

    def dropping(self, connection: Connection, name: str, users: Sequence[Holder], *, force: bool) -> Sequence[str]:
        """Return the statements that drop a database.

        Args:
            connection: The connection that will run them, of which the server is known.
            name: The database.
            users: The other sessions on it.
            force: Whether they are ended.
        """
        raise Unsupported(f"{self.title} has no server")

    def has_role(self, connection: Connection, name: str) -> bool:
        """Tell whether a role is there.

        Raises:
            Unsupported: The database has none.
        """
        raise Unsupported(f"{self.title} has no roles: who may do what is a matter of the file's permissions")

    def role_creating(self, connection: Connection, name: str, password: str) -> str:
        """Return the statement that creates a role; of the password it has what proves it, and never itself."""
        raise Unsupported(f"{self.title} has no roles")

    def role_grants(self, connection: Connection, name: str, purpose: Purpose) -> Sequence[str]:
        """Return the statements by which a role may do what it is for, in this database, with tables to come too.

        Args:
            connection: A connection to the database.
            name: The role.
            purpose: What it is for.
        """
        raise Unsupported(f"{self.title} has no roles")

    def role_remarks(self, connection: Connection, name: str, purpose: Purpose) -> Sequence[str]:
        """Return what such a role can't do all the same, each as a sentence part."""
        return ()
