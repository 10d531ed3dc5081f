"""What the revisions of a schema need of a database, and databases do each in its own way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.errors import Diagnosis
from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Engine


class Migrating(Diagnosis):
    """The part of a backend that migrations ask."""

    drivers: ClassVar[Sequence[str]]
    lock_timeouts: ClassVar[Collection[Any]] = ()
    """The codes of errors that say that a lock, which others hold, was not had in time."""

    def foreign(self, dialect: Dialect) -> str:
        """Return the name of a dialect that is another database's; "" where it is this one's."""
        return "" if dialect.name in {driver.partition("+")[0] for driver in self.drivers} else dialect.name

    def is_lock_timeout(self, error: BaseException) -> bool:
        """Tell whether an error of SQLAlchemy's says that a lock was not had in time."""
        return self.error_code(getattr(error, "orig", None) or error) in self.lock_timeouts

    def prepare_migrations(self, engine: Engine) -> None:
        """Attach to a new engine what revisions expect of a connection, where this backend's are otherwise."""

    def refuse_drift(self) -> None:
        """Do nothing where what models declare can be declared once more, and read back.

        Raises:
            Unsupported: It can't.
        """

    def leads_here(self, connection: Connection, other: Connection) -> bool:
        """Tell whether another connection, of whichever engine, leads to the database that one of this profile is on.

        What is asked begins a transaction on both, as any statement does.
        """
        raise Unsupported(f"{self.title}: a connection can't be asked where it leads")

    def shares_tables(self, connection: Connection, other: Connection) -> bool:
        """Tell the same, and also of another machine of a cluster whether it has the very tables; asked likewise."""
        return self.leads_here(connection, other)

    def in_transaction(self, driver_connection: Any) -> bool:
        """Tell, without asking a server, whether a transaction is open on the sync driver's or the async one's own."""
        raise Unsupported(f"{self.title}: a connection can't be asked for its transaction")

    def task_canceller(self, driver_connection: Any) -> Callable[[], Any] | None:
        """Return what has the server end what an async connection runs; None where to cancel its task will do.

        It may be called in another thread.
        """
        return None

    def remains_of(self, statement: str) -> str:
        """Return what a statement that fails may leave in spite of that, and what to do with it; "" for nothing."""
        return ""

    def remains(self, connection: Connection, statement: str) -> str:
        """Return what such a statement has left, and what takes it away, asked in another session; "" for nothing."""
        return ""

    def refresh_status(self, connection: Connection) -> None:
        """Have `in_transaction` tell the truth after an error, where an error says nothing of the transaction."""

    def limit_lock_waits(self, connection: Connection, seconds: float | None) -> None:
        """Bound what is waited for locks from now on: in the transaction where that can be, else in the session.

        Args:
            connection: In a transaction.
            seconds: How long; 0 for as long as it takes, None for what the server itself has.
        """
        raise Unsupported(f"{self.title}: the wait for locks can't be bounded")
