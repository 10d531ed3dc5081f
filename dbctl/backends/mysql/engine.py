"""MySQL and MariaDB, by PyMySQL."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.base import Backend, Missing
from dbctl.backends.cursors import marking
from dbctl.backends.mysql.databases import MySQLDatabases
from dbctl.backends.mysql.errors import QUERY_KILLED, STATEMENT_TIMEOUT, MySQLErrors, hear_all_errors
from dbctl.backends.mysql.greeting import offers_tls
from dbctl.backends.mysql.hosts import MySQLHosts
from dbctl.backends.mysql.locks import MySQLLocks
from dbctl.backends.mysql.options import FOUND_ROWS, LOCAL_FILES, OPTIONS
from dbctl.backends.mysql.peers import MySQLNodes
from dbctl.backends.mysql.programs import MySQLPrograms
from dbctl.backends.mysql.queries import MySQLQueries
from dbctl.backends.mysql.relations import MySQLRelations
from dbctl.backends.mysql.relatives import MySQLRelatives, is_mariadb
from dbctl.backends.tls import ssl_context
from dbctl.errors import ConfigError
from dbctl.profiles.query import as_list
from dbctl.profiles.secrets import SOURCES

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.audit import Facts, ServerUsage

_BACKSTOP = 1000
"""Milliseconds after the statement timeout at which MySQL ends a SELECT by itself."""

_LONGEST_LOCK_WAIT = 31_536_000
"""Seconds, the server's own limit: a year."""

# asyncmy logs what a statement warns of, which Python prints as it stands where nobody has set up logging.
logging.getLogger("asyncmy").addHandler(logging.NullHandler())

_ASKING = ("execute", "executemany", "callproc")
"""What the drivers' cursors ask the server by."""


def _prefers_tls() -> bool:
    """Tell whether PyMySQL begins TLS by itself, and lets no server talk it out of what it was told to do."""
    import pymysql

    return tuple(pymysql.VERSION[:2]) >= (1, 2)


class MySQL(
    MySQLHosts,
    MySQLErrors,
    MySQLNodes,
    MySQLLocks,
    MySQLRelations,
    MySQLQueries,
    MySQLPrograms,
    MySQLDatabases,
    MySQLRelatives,
    Backend,
):
    """MySQL and MariaDB."""

    title: ClassVar[str] = "MySQL"
    drivers = ("mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql", "mysql+asyncmy", "mariadb+asyncmy")
    sync_driver = "mysql+pymysql"
    async_driver = "mysql+asyncmy"
    other_drivers = (
        *("mysql2", "mysql+aiomysql", "mysql+mysqldb"),
        *("mysql+mysqlconnector", "mysql+cymysql", "mysql+mariadbconnector"),
        *("mariadb+aiomysql", "mariadb+mysqldb", "mariadb+mysqlconnector", "mariadb+mariadbconnector"),
    )
    default_port = 3306
    options = OPTIONS
    transactional_ddl = False
    # https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html; a temporary table is made and dropped without one.
    committing_words = (
        r"COMMIT|(?:CREATE|DROP)(?!\s+TEMPORARY)|ALTER|RENAME|TRUNCATE|GRANT|REVOKE|ANALYZE|OPTIMIZE|REPAIR|CHECK\s+TABLE"
        r"|LOCK\s+TABLES|UNLOCK\s+TABLES|BEGIN|START\s+TRANSACTION"
    )
    lock_timeouts = (1205,)

    def told(self, *, asynchronous: bool = False) -> dict[str, Any]:
        """Let PyMySQL's server know that a file may be sent."""
        told = super().told(asynchronous=asynchronous)
        return told if asynchronous else told | {"client_flag": told.get("client_flag", FOUND_ROWS) | LOCAL_FILES}

    def connect_args(self) -> dict[str, Any]:
        """Return PyMySQL's keywords (https://pymysql.readthedocs.io/en/latest/modules/connections.html)."""
        from pymysql.connections import DEFAULT_USER
        from pymysql.cursors import Cursor

        profile = self.profile
        if not profile.user and not DEFAULT_USER:
            raise ConfigError(f"{profile.called}: user: none is named, and the system has no name for who runs this")
        return {
            **self._options(asynchronous=False),
            "cursorclass": marking(Cursor, _ASKING, profile),
            # PyMySQL takes whole seconds.
            "connect_timeout": math.ceil(profile.connect_timeout),
            "read_timeout": math.ceil(profile.connect_timeout),  # of greeting and login, until `prepare` lifts it
            "program_name": profile.application_name,
            "charset": "utf8mb4",
            "autocommit": False,
            **self._tls(),
        }

    def _options(self, *, asynchronous: bool) -> dict[str, Any]:
        """Return the profile's options that the driver has keywords for; asyncmy writes an sql_mode as it stands."""
        told = self.told(asynchronous=asynchronous)
        if asynchronous and "sql_mode" in told:
            told["sql_mode"] = f"'{told['sql_mode']}'"
        return told

    def problems(self) -> Iterator[str]:
        """Yield also several hosts, of which MySQL's drivers take one."""
        if "host" in self.profile.query or "," in (self.profile.host or ""):
            origins, key = self.profile.origins, "query" if "host" in self.profile.query else "host"
            where = origins.get(key, self.profile.called)
            yield f"{where}: host: MySQL's drivers take one, and there are several; a profile's key for them is hosts"
            return
        if "passwd" in self.profile.query and any(getattr(self.profile, source) is not None for source in SOURCES):
            where = self.profile.origins.get("query", self.profile.called)
            yield f"{where}: query.passwd: the password is given twice; take one away"
        yield from super().problems()

    def written_password(self) -> str | None:
        """Return the password that is written in the profile, which may be `passwd` in the URL's query."""
        said = self.profile.query.get("passwd")
        return super().written_password() if said is None else as_list(said)[-1]

    def login_args(self, password: str | None) -> dict[str, Any]:
        """Return the password as bytes: PyMySQL writes one that is text in Latin-1, which no server expects."""
        return {} if password is None else {"password": password.encode()}

    def _tls(self) -> dict[str, Any]:
        if self.profile.ssl.mode == "disable":
            return {"ssl_disabled": True}
        if self.profile.ssl.mode == "prefer":
            # TLS where the server offers it, and plaintext only where it does not: from 1.2 on PyMySQL's own default,
            # and before that what it makes of a context in any mode: only the socket's proof refuses plaintext then.
            return {} if _prefers_tls() else {"ssl": ssl_context(self.profile)}
        # Of an `ssl={"ssl_mode": …}` PyMySQL would read nothing and verify nothing: it gets the context itself.
        return {"ssl": ssl_context(self.profile)}

    def async_connect_args(self) -> dict[str, Any]:
        """Return asyncmy's keywords, which are PyMySQL's but for TLS: without a context it does none."""
        from dbctl.backends.mysql.async_cursors import StatusCursor

        args = self.connect_args()
        for option in self.told():
            args.pop(option, None)
        args |= self._options(asynchronous=True) | {"ssl": ssl_context(self.profile), "async_creator_fn": self._connect}
        args["cursor_cls"] = marking(StatusCursor, _ASKING, self.profile, asynchronous=True)
        del args["read_timeout"], args["cursorclass"]
        if self.profile.ssl.mode == "disable":
            args["ssl"] = args.pop("ssl_disabled") and None
        return args

    async def _connect(self, *args: Any, **kwargs: Any) -> Any:
        import asyncmy

        if self.profile.ssl.mode == "prefer" and not await self.opening(offers_tls(kwargs)):
            kwargs["ssl"] = None
        return await self.opening(asyncmy.connect(*args, **kwargs))

    def prepare(self, engine: Engine, missing: Missing) -> None:
        """Bound each statement and each lock, and the wait for an answer no longer as while connecting."""
        from sqlalchemy import event

        from dbctl.backends.mysql.packets import doubt_large_statements
        from dbctl.backends.mysql.unknown_types import pass_over

        # Whether `ping` takes its argument SQLAlchemy 2.0 finds out by itself, and with asyncmy it finds wrong.
        vars(engine.dialect)["_send_false_to_ping"] = True
        if engine.dialect.is_async:
            from dbctl.backends.mysql.cancelling import end_by

            end_by(engine, self.canceller)
        else:
            from dbctl.backends.mysql.streaming import stream_by
            from dbctl.backends.tls import forget_tls_errors

            stream_by(engine, self._kill_query)
            event.listen(engine, "handle_error", forget_tls_errors)
        pass_over(engine.dialect)
        hear_all_errors(engine.dialect)
        doubt_large_statements(engine, self)

        @event.listens_for(engine, "connect")
        def bound(driver_connection: Any, _record: Any) -> None:
            driver: Any = getattr(driver_connection, "driver_connection", driver_connection)
            bounds = self.bounds(mariadb=is_mariadb(driver))
            values = ", ".join(f"{name} = {value}" for name, value in bounds.items())
            statements = [f"SET SESSION {values}"] if values else []
            if engine.dialect.is_async and (collation := self.profile.query.get("collation")):
                statements.append(f"SET NAMES utf8mb4 COLLATE {collation}")  # asyncmy has no option for it
            for statement in statements:
                cursor = driver_connection.cursor()
                cursor.execute(statement)
                cursor.close()
            self.note_server(driver_connection)
            driver._read_timeout = None

    def bounds(self, *, mariadb: bool) -> dict[str, str]:
        """Return the server's variables for the profile's bounds.

        Of statements MariaDB bounds each, in seconds. MySQL bounds only SELECT,
        and makes nothing of a SLEEP that is over: it is there for clients that have gone, after the `stopper`'s time.
        """
        bounds: dict[str, str] = {}
        if lock := self.lock_timeout:
            bounds |= dict.fromkeys(("innodb_lock_wait_timeout", "lock_wait_timeout"), f"{lock:g}")
        if (timeout := self.profile.statement_timeout) and mariadb:
            bounds["max_statement_time"] = f"{timeout:f}"
        elif timeout:
            bounds["max_execution_time"] = str(round(timeout * 1000) + _BACKSTOP)
        return bounds

    def in_transaction(self, driver_connection: Any) -> bool:
        """Look at the flag that comes with each answer: after DDL, which commits, it is off.

        https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html: SERVER_STATUS_IN_TRANS
        """
        return bool(driver_connection.server_status & 1)

    def task_canceller(self, driver_connection: Any) -> Callable[[], Any] | None:
        """Kill the query: asyncmy leaves its server at work."""
        return self.canceller(driver_connection)

    def refresh_status(self, connection: Connection) -> None:
        """Ask anything: the flag does not come with errors."""
        connection.exec_driver_sql("DO 0")

    def limit_lock_waits(self, connection: Connection, seconds: float | None) -> None:
        """Set both limits of the session, in whole seconds."""
        value = "DEFAULT" if seconds is None else math.ceil(seconds) or _LONGEST_LOCK_WAIT
        names = ("innodb_lock_wait_timeout", "lock_wait_timeout")
        connection.exec_driver_sql(f"SET SESSION {', '.join(f'{name} = {value}' for name in names)}")

    def begin_strictly(self, connection: Connection, *, writes: bool) -> None:
        """Begin it READ ONLY."""
        if not writes:
            connection.exec_driver_sql("START TRANSACTION READ ONLY")

    def canceller(self, driver_connection: Any) -> Callable[[], Any]:
        """Kill the query from a second connection: at the server it would run on without its client."""
        return partial(self._kill_query, driver_connection)

    def stopper(self, driver_connection: Any) -> Callable[[], Any] | None:
        """Kill MySQL's, which bounds nothing but SELECT by itself; MariaDB bounds all."""
        return None if is_mariadb(driver_connection) else self.canceller(driver_connection)

    def overrun(self, error: Exception | None) -> tuple[object, ...] | None:
        """Return what MySQL says of a SELECT. A SLEEP that is killed only returns 1."""
        if error is None or self.error_code(error) == QUERY_KILLED:
            return STATEMENT_TIMEOUT, "Query execution was interrupted, maximum statement execution time exceeded"
        return None

    def _kill_query(self, driver_connection: Any) -> None:
        thread = driver_connection.thread_id()  # also of one that is closed
        with self.second_connection(driver_connection) as connection, connection.cursor() as cursor:
            cursor.execute(f"{self.kill} QUERY {int(thread)}")

    def descriptor(self, driver_connection: Any) -> int:
        """Return that of PyMySQL's socket; -1 where it has closed it, as older ones do when a read takes too long."""
        sock = driver_connection._sock
        return -1 if sock is None else int(sock.fileno())

    def transport(self, driver_connection: Any) -> Any:
        """Return asyncmy's, which it has no public name for."""
        return getattr(driver_connection, "_transport", None)

    def tls_version(self, driver_connection: Any) -> str | None:
        """Ask PyMySQL's socket or asyncmy's; the server's `Ssl_cipher` would speak of its own hop behind a proxy."""
        transport = getattr(driver_connection, "_transport", None)
        sock = transport.get_extra_info("ssl_object") if transport else driver_connection._sock
        version = getattr(sock, "version", None)
        return version() if version else None

    def usage(self, connection: Connection) -> ServerUsage:
        """Count threads, and what the limits of the server and of the account leave."""
        from dbctl.backends.audit import ServerUsage
        from dbctl.backends.mysql import audit

        return ServerUsage.of(audit.limits(connection))

    def facts(self, connection: Connection, *, deep: bool = False) -> Facts:
        """Ask what there is to ask; `deep` adds nothing here."""
        from dbctl.backends.mysql import audit

        return audit.facts(self, connection)


backend = MySQL
