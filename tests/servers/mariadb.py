"""A MariaDB server for the tests."""

import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pymysql

from tests.servers import templates
from tests.servers.authority import Authority, Certificate
from tests.servers.client import Connection, Demand
from tests.servers.server import Server, ServerKind, StopMode
from tests.servers.system import newest, programs, search_path

# Run by the server before it takes its first connection: there is no moment without passwords.
_FIRST_STATEMENTS = """\
DELETE FROM mysql.global_priv WHERE User IN ('', 'root');
FLUSH PRIVILEGES;
CREATE USER 'root'@'%' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
"""

_STORAGE = [
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    # What is committed is with the kernel then, and outlives a crash of the server, though not one of the machine.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-use-native-aio=off",  # whose kernel memory is scarce where many servers run
]

_SETTINGS = [
    "--bind-address=127.0.0.1",
    "--socket=mariadb.sock",  # below the data directory; a whole path might be longer than the 107 bytes it may have
    "--pid-file=mariadb.pid",
    "--max-connections=100",
    "--character-set-server=utf8mb4",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--performance-schema=off",
    "--default-time-zone=+00:00",
]


class MariaDBServer(Server):
    """MariaDB, all logins with passwords, with TLS and without."""

    kind: ClassVar[ServerKind] = "mariadb"
    accounts: ClassVar[tuple[str, ...]] = ("mysql",)
    stop_signals: ClassVar[Mapping[StopMode, signal.Signals]] = {"fast": signal.SIGTERM, "immediate": signal.SIGKILL}

    user = "root"
    # Hostile to whoever writes it into a URL without quoting. All of it is ASCII: PyMySQL sends a `str` as Latin-1, and
    # the server knows passwords in UTF-8, so that anything else is a test's own subject.
    app_password = "p@ss/w%rd:#?&'"

    def __init__(self, authority: Authority | None) -> None:
        """Plan a server, with TLS if there is an authority."""
        places = [*newest("usr/sbin", "usr/bin"), *search_path()]
        # Debian keeps the server and its installer in different directories, of one package all the same.
        self._programs = programs(["mariadbd"], places) | programs(["mariadb-install-db"], places)
        self._base = self._programs["mariadbd"].parents[1]
        super().__init__(authority)

    def initialise(self) -> None:
        """Make the data directory."""
        self.body.give("first.sql", _FIRST_STATEMENTS.format(password=self.password).encode())
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", *_STORAGE]
        program = self._programs["mariadb-install-db"]

        def make() -> None:
            self.body.run([program, "--no-defaults", f"--basedir={self._base}", f"--datadir={self._data}", *options])

        templates.fill(self.body, ["data"], [*self._programs.values(), *options], make)

    def command(self) -> Sequence[str | Path]:
        """Return the command that runs the server in the foreground."""
        tls = self._tls() or ["--skip-ssl"]
        return [self._programs["mariadbd"], "--no-defaults", *self._own(), *tls, *_SETTINGS, *_STORAGE]

    def set_up(self) -> None:
        """Make the ordinary role, in the server that runs for the first time."""
        (self.directory / "first.sql").unlink()
        self.create_role(self.app_user, self.app_password)

    def reload_certificate(self) -> None:
        """Make the running server show the certificate that now lies in its directory."""
        with contextlib.closing(self.connect(tls=False)) as connection:
            connection.cursor().execute("FLUSH SSL")

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
        """Connect with PyMySQL, as the superuser unless told otherwise."""
        options: dict[str, Any] = {"ssl_disabled": True}
        if tls and self.authority:
            options = {"ssl_ca": str(ca or self.ca), "ssl_verify_cert": True, "ssl_verify_identity": True}
        if certificate:
            options |= {"ssl_cert": str(certificate.cert), "ssl_key": str(certificate.key)}
        connection: Connection = pymysql.connect(
            host=host or self.host,
            port=self.port,
            user=user or self.user,
            password=(self.password if password is None else password).encode(),
            database=database,
            charset="utf8mb4",
            connect_timeout=timeout,
            autocommit=autocommit,
            **options,
        )
        return connection

    def create_database(self, name: str, owner: str | None = None) -> None:
        """Create an empty database that belongs to the ordinary role, or to another."""
        self.execute(f"CREATE DATABASE {_quoted(name)}")
        self.execute(f"GRANT ALL ON {_quoted(_literally(name))}.* TO %s@'%%'", [owner or self.app_user])

    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, and throw out whoever uses it."""
        # DROP DATABASE waits for transactions that have touched its tables, for a day if need be.
        for (connection,) in self.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name]):
            with contextlib.suppress(pymysql.err.OperationalError):  # it is gone meanwhile
                self.execute(f"KILL {connection:d}")
        self.execute(f"DROP DATABASE IF EXISTS {_quoted(name)}")
        # The grants would outlive the database, and be there for another of the same name.
        self.execute("DELETE FROM mysql.db WHERE Db = %s", [_literally(name)])
        self.execute("FLUSH PRIVILEGES")

    def create_role(
        self, name: str, password: str, *, connections: int | None = None, requires: Demand | None = None
    ) -> None:
        """Create an ordinary role that may log in."""
        demand = {None: "NONE", "tls": "SSL", "certificate": "X509"}[requires]
        limit = 0 if connections is None else connections
        statement = f"CREATE USER %s@'%%' IDENTIFIED BY %s REQUIRE {demand} WITH MAX_USER_CONNECTIONS {limit:d}"
        self.execute(statement, [name, password])

    def drop_role(self, name: str) -> None:
        """Drop the role if it exists; it must own nothing any more."""
        self.execute("DROP USER IF EXISTS %s@'%%'", [name])

    def _own(self) -> list[str]:
        """Return the options that say where this server is, and what it does first."""
        own = [f"--basedir={self._base}", f"--datadir={self._data}", f"--port={self.port}", f"--tmpdir={self._data}"]
        first = self.directory / "first.sql"
        return [*own, f"--init-file={first}"] if first.exists() else own

    def _tls(self) -> list[str]:
        """Return the options that name the certificates; none where the server is to offer no TLS."""
        if not self.authority:
            return []
        files = {"ssl-cert": "server.pem", "ssl-key": "server.key", "ssl-ca": "ca.pem"}
        return [f"--{option}={self.directory / name}" for option, name in files.items()]

    @property
    def _data(self) -> Path:
        return self.directory / "data"


def _quoted(name: str) -> str:
    """Return the name as an identifier; % is doubled where the driver fills in parameters, so it can't be in one."""
    assert "%" not in name, name
    return "`" + name.replace("`", "``") + "`"


def _literally(name: str) -> str:
    """Return the name as a grant's pattern that fits itself alone, for there _ stands for any character."""
    return name.replace("\\", "\\\\").replace("_", "\\_")
