"""What dbctl asks of a database, with the portable answer where there is one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.abilities import Abilities
from dbctl.backends.clusters import Clusters
from dbctl.backends.databases import Databases
from dbctl.backends.errors import Diagnosis
from dbctl.backends.hosts import Hosted
from dbctl.backends.locks import Locks
from dbctl.backends.logins import Source
from dbctl.backends.migrating import Migrating
from dbctl.backends.nodes import Nodes
from dbctl.backends.options import DriverOptions
from dbctl.backends.programs import Programs
from dbctl.backends.queries import Queries
from dbctl.backends.relations import Relations
from dbctl.backends.replicated import Replicated
from dbctl.backends.tunnels import Tunnelled
from dbctl.errors import ConfigError, Unsupported
from dbctl.profiles import Profile
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

    from dbctl.backends.audit import Facts, ServerUsage
    from dbctl.profiles.model import Isolation

_COMMENTS = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
"""What may stand before a statement's first word."""

BEGINS_BARE = "dbctl_begins_bare"
"""The execution option of a connection whose transactions begin without `Backend.begin_statement`."""


@record
class Identity:
    """Who answers at the other end, and as whom this connection is logged in."""

    server: str
    version: str
    user: str | None
    database: str | None


class Missing(Enum):
    """What connecting does where the database is a file that is not there."""

    CREATE = "create it"
    REFUSE = "raise ConnectError"
    PRETEND = "work on an empty database in memory"


class Backend(
    Tunnelled,
    DriverOptions,
    Relations,
    Migrating,
    Queries,
    Programs,
    Databases,
    Abilities,
    Diagnosis,
    Locks,
    Clusters,
    Hosted,
    Nodes,
    Replicated,
):
    """A database that dbctl can work on, bound to a profile. Each subclass is one file beside this one."""

    drivers: ClassVar[Sequence[str]]
    """The names by which a profile or a URL's scheme may ask for this backend and for dbctl's own drivers."""
    needs_host: ClassVar[bool] = True
    transactional_ddl: ClassVar[bool] = True
    """Whether CREATE TABLE is undone by ROLLBACK."""
    locks_to_write: ClassVar[bool] = False
    """Whether a transaction that means to write takes a lock at its start, and so has to be told."""
    check_deferred: ClassVar[str | None] = None
    """The statement that checks now what else a COMMIT would check."""
    committing_words: ClassVar[str] = r"COMMIT|END"
    """A regular expression for the words that a statement begins with which commits what was done before it."""
    ping_statement: ClassVar[str] = "SELECT 1"

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.source = Source(profile.called)
        named = profile.host or profile.hosts or {"host", "hostaddr", "unix_socket"} & set(profile.query)
        if self.needs_host and not named:
            where = profile.origins.get("driver", profile.called)
            raise ConfigError(f"{where}: host: there is none", f"{self.title} needs a host to connect to")
        if found := "\n".join([*self.problems(), *(self.tunnel_problems() if self.needs_host else ())]):
            raise ConfigError(found)

    # --- engine ---

    def url(self, driver: str | None = None) -> URL:
        """Return the URL for who connects by himself, the password in it as it is, never quoted.

        Args:
            driver: The `dialect+driver`, the sync one unless given.

        Raises:
            ConfigError: The password's source gives none.
        """
        return self.engine_url(driver).set(password=self.password)

    def engine_url(self, driver: str | None = None) -> URL:
        """Return the URL of an engine, which asks for a password at each connect: only a written one is in it."""
        from sqlalchemy.engine import URL

        profile = self.profile
        return URL.create(
            driver or self.sync_driver,
            username=profile.user,
            password=self.written_password(),
            host=profile.host,
            port=profile.port,
            database=profile.database,
            query=self.url_query(),
        )

    def connect_args(self) -> dict[str, Any]:
        """Return what the driver's `connect` is given besides the URL's parts: its options, timeouts, names, TLS."""
        raise Unsupported(f"{self.title}: no driver")

    def async_connect_args(self) -> dict[str, Any]:
        """Return what the async driver's `connect` is given besides the URL's parts."""
        raise Unsupported(f"{self.title}: no async driver")

    def isolation_options(self, level: Isolation | None) -> dict[str, Any]:
        """Return the option of an engine by which its transactions have an isolation level; none where it is None."""
        return {"isolation_level": level.upper()} if level else {}

    def pool_options(self) -> dict[str, Any]:
        """Return the pool's options for `create_engine`, exactly as the profile has them."""
        pool = self.profile.pool
        return {
            "pool_size": pool.size,
            "max_overflow": pool.max_overflow,
            "pool_pre_ping": pool.pre_ping,
            "pool_recycle": pool.recycle,
            "pool_timeout": pool.timeout,
        }

    def async_pool_options(self) -> dict[str, Any]:
        """Return the same for `create_async_engine`."""
        return self.pool_options()

    def prepare(self, engine: Engine, missing: Missing) -> None:
        """Attach to a new engine what this database needs at each connect.

        Args:
            engine: The engine, not yet connected.
            missing: What connecting does where the database is a file that is not there.
        """

    # --- what the driver's socket leads to ---

    def addresses(self) -> Sequence[tuple[str, int]]:
        """Return the hosts and ports that the driver tries, in its order; none where it is no matter of TCP."""
        return [(place.host, place.port) for place in self.places() if not place.is_socket]

    def descriptor(self, driver_connection: Any) -> int:
        """Return the file descriptor of the sync driver's socket; below 0 where that is closed."""
        raise Unsupported(f"{self.title} has no socket")

    def transport(self, driver_connection: Any) -> Any:
        """Return the asyncio transport of the async driver's connection, or None where it is the sync driver's."""
        return None

    # --- questions to a connection ---

    def identity(self, connection: Connection) -> Identity:
        """Ask the server who it is and whom it takes us for."""
        raise Unsupported(f"{self.title}: it can't be asked who it is")

    def tls_version(self, driver_connection: Any) -> str | None:
        """Return the TLS version of the client's own socket (`TLSv1.3`), or None where it is plaintext.

        Args:
            driver_connection: The driver's own connection, of the sync driver or of the async one.
        """
        return None

    def usage(self, connection: Connection) -> ServerUsage:
        """Ask the server for its connections and their limit.

        Raises:
            Unsupported: There is no server.
        """
        raise Unsupported(f"{self.title} has no server that counts connections")

    def facts(self, connection: Connection, *, deep: bool = False) -> Facts:
        """Measure what `dbctl.doctor` holds the profile against; nothing is written.

        Args:
            connection: The one connection on which all is asked.
            deep: Whether to read all data, where the database can check them.
        """
        from dbctl.backends.audit import Facts

        return Facts()

    # --- transactions ---

    @property
    def lock_patience(self) -> float:
        """For how many seconds a unit of work may wait for locks that others hold, over all its runs."""
        return self.profile.lock_timeout or math.inf

    def begin_statement(self, *, writes: bool) -> str | None:
        """Return the statement that each transaction must begin with, or None where the driver's own begin will do.

        Args:
            writes: Whether the unit of work means to write; True only where `locks_to_write`.
        """
        return None

    def commits_by_itself(self, statement: str) -> str | None:
        """Return the word that a statement begins with, where it commits the transaction that it stands in."""
        found = re.match(rf"{_COMMENTS}(?P<word>{self.committing_words})\b", statement, re.IGNORECASE | re.DOTALL)
        return found["word"].upper() if found else None

    def has_ended(self, connection: Connection) -> bool:
        """Tell, without asking a server, whether a transaction that its connection takes for open can't be committed.

        Its COMMIT would say nothing of that. It may be for an error past SQLAlchemy, which was passed over.
        """
        return False

    def begin_strictly(self, connection: Connection, *, writes: bool) -> None:
        """Begin a unit of work's transaction further, as `dbctl.work.sessions.unit_of_work` says of a strict one."""

    def transaction_id(self, connection: Connection) -> str | None:
        """Return what the transaction's outcome can be asked by after it, or None where there is no such thing.

        It is "" where the transaction has written nothing, so that its outcome is no matter.
        """
        return None

    def committed(self, connection: Connection, transaction_id: str, *, insist: bool) -> bool | None:
        """Tell whether a transaction was committed, or None as long as that is not known.

        Args:
            connection: Another connection than the transaction's.
            transaction_id: What `transaction_id` returned in it.
            insist: Whether to end it where it is under way, so that it is known soon.
        """
        raise Unsupported(f"{self.title} does not tell what became of a transaction")

    def canceller(self, driver_connection: Any) -> Callable[[], Any]:
        """Return what has the server end whatever runs on a sync driver's connection, for which another thread waits.

        It may be called when the connection is closed already. What the driver raises passes through.
        """
        raise Unsupported(f"{self.title}: what runs can't be ended")

    def stopper(self, driver_connection: Any) -> Callable[[], Any] | None:
        """Return what ends a connection's statement that has outrun its timeout; None where the server does by itself.

        It is called in a thread of its own.
        """
        return None

    def overrun(self, error: Exception | None) -> tuple[object, ...] | None:
        """Return what the driver's error says of a statement that a stopper has ended.

        Args:
            error: How the statement ended, or None: some make nothing of it.

        Returns:
            The arguments of an OperationalError; or None where the error is another one, which stands then.
        """
        return None
