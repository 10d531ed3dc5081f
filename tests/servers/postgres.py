"""A PostgreSQL server for the tests."""

import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import psycopg2
from psycopg2 import sql

from tests.servers import templates
from tests.servers.authority import Authority, Certificate
from tests.servers.client import Connection, Demand, rows
from tests.servers.server import Server, ServerKind, StopMode
from tests.servers.system import newest, programs, search_path

# Members of these two groups may log in only over TLS, or only with a certificate too. A superuser is a member of no
# group that it was not put into, so it may always.
_HBA = """\
hostnossl  all  +needs_tls,+needs_certificate  127.0.0.1/32  reject
hostssl    all  +needs_certificate             127.0.0.1/32  scram-sha-256  clientcert=verify-ca
host       all  all                            127.0.0.1/32  scram-sha-256
host       replication  postgres               127.0.0.1/32  scram-sha-256
"""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path has 107 bytes at most, and a temporary directory may be longer
    "max_connections": "100",
    "shared_buffers": "32MB",
    # What is committed is with the kernel then, and outlives a crash of the server, though not one of the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # in the data directory: a killed server leaves nothing in /dev/shm
}
# Relative names are below the data directory, and the files beside it.
_TLS = {"ssl": "on", "ssl_cert_file": "../server.pem", "ssl_key_file": "../server.key", "ssl_ca_file": "../ca.pem"}


class PostgresServer(Server):
    """PostgreSQL, all logins with passwords (SCRAM-SHA-256), with TLS and without."""

    kind: ClassVar[ServerKind] = "postgresql"
    accounts: ClassVar[tuple[str, ...]] = ("postgres",)
    stop_signals: ClassVar[Mapping[StopMode, signal.Signals]] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

    user = "postgres"
    app_password = "p@ss/w%rd:ü"  # hostile to whoever writes it into a URL without quoting

    def __init__(self, authority: Authority | None, **settings: str) -> None:
        """Plan a server, with TLS if there is an authority, and with settings of its own."""
        self._settings = settings
        self._programs = programs(
            ["initdb", "postgres"], [*newest("usr/lib/postgresql/*/bin"), *_versions(), *search_path()]
        )
        super().__init__(authority)

    def initialise(self) -> None:
        """Make the data directory, in which the superuser's password stands; so a copy of another's has that one."""
        options: list[str | Path] = ["--username", self.user, "--pwfile", "password", "--auth", "scram-sha-256"]
        # The data need not outlive the machine, so nothing is written through to the disk.
        options += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]

        def make() -> None:
            self.body.give("password", self.password.encode())
            self.body.run([self._programs["initdb"], "--pgdata", self._data, *options])

        templates.fill(self.body, ["password", "data"], [*self._programs.values(), *options], make)
        self.password = (self.directory / "password").read_text()
        self.body.give("data/pg_hba.conf", _HBA.encode())
        # In the file, not in the command: there ALTER SYSTEM could not change them, for a test that wants to.
        settings = {"port": str(self.port)} | _SETTINGS | (_TLS if self.authority else {}) | self._settings
        written = (self._data / "postgresql.conf").read_text() + "".join(f"{n} = '{v}'\n" for n, v in settings.items())
        self.body.give("data/postgresql.conf", written.encode())

    def command(self) -> Sequence[str | Path]:
        """Return the command that runs the server in the foreground."""
        return [self._programs["postgres"], "-D", self._data]

    def set_up(self) -> None:
        """Make the roles, in the server that runs for the first time."""
        self.execute("CREATE ROLE needs_tls NOLOGIN")
        self.execute("CREATE ROLE needs_certificate NOLOGIN")
        self.create_role(self.app_user, self.app_password)

    def reload_certificate(self) -> None:
        """Make the running server show the certificate that now lies in its directory."""
        assert self.process
        # Without TLS, for the certificate may be one that is meant to be refused.
        with contextlib.closing(self.connect(tls=False)) as connection:
            before = rows(connection, "SELECT pg_conf_load_time()")
            self.process.send_signal(signal.SIGHUP)
            # The first process reads all files again before it tells this connection's process to do the same.
            while rows(connection, "SELECT pg_conf_load_time() FROM pg_sleep(0.01)") == before:
                pass

    def connect(
        self,
        *,
        user: str | None = None,
        password: str | None = None,
        database: str | None = None,
        host: str | None = None,
        tls: bool = True,
        ca: Path | None = None,
        certificate: Certificate | None = None,
        autocommit: bool = True,
        timeout: int = 10,
    ) -> Connection:
        """Connect with psycopg2, as the superuser unless told otherwise."""
        options: dict[str, Any] = {"sslmode": "disable"}
        if tls and self.authority:
            options = {"sslmode": "verify-full", "sslrootcert": str(ca or self.ca)}
        if certificate:
            options |= {"sslcert": str(certificate.cert), "sslkey": str(certificate.key)}
        connection: psycopg2.extensions.connection = psycopg2.connect(
            host=host or self.host,
            port=self.port,
            user=user or self.user,
            password=self.password if password is None else password,
            dbname=database or "postgres",
            connect_timeout=timeout,
            application_name="dbctl-tests",
            **options,
        )
        connection.autocommit = autocommit
        return connection

    def create_database(self, name: str, owner: str | None = None) -> None:
        """Create an empty database that belongs to the ordinary role, or to another."""
        self._run("CREATE DATABASE {} OWNER {}", name, owner or self.app_user)

    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, and throw out whoever uses it."""
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def create_role(
        self, name: str, password: str, *, connections: int | None = None, requires: Demand | None = None
    ) -> None:
        """Create an ordinary role that may log in."""
        limit = -1 if connections is None else connections
        self._run(f"CREATE ROLE {{}} LOGIN CONNECTION LIMIT {limit:d} PASSWORD %s", name, params=[password])
        if requires:
            self._run("GRANT {} TO {}", f"needs_{requires}", name)

    def drop_role(self, name: str) -> None:
        """Drop the role if it exists; it must own nothing any more."""
        self._run("DROP ROLE IF EXISTS {}", name)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _run(self, statement: str, *names: str, params: Sequence[Any] | None = None) -> None:
        """Run a statement as the superuser, with quoted names in place of its braces."""
        with contextlib.closing(self.connect()) as connection:
            connection.cursor().execute(sql.SQL(statement).format(*map(sql.Identifier, names)), params)


def _versions() -> list[Path]:
    """Return the program directories of Debian's PostgreSQL packages, the newest version first."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdecimal()]
    return sorted(found, key=lambda path: int(path.parent.name), reverse=True)
