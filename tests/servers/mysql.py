"""A MySQL server for the tests: Oracle's own, where it could be had."""

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pymysql

from tests.servers import templates
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.server import Server, ServerKind
from tests.servers.system import ServerMissing, programs, search_path, unstable

# Run by the server before it takes its first connection: there is no moment without passwords.
_FIRST_STATEMENTS = """\
CREATE USER 'root'@'%' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
DROP USER 'root'@'localhost';
"""

_STORAGE = [
    "--innodb-buffer-pool-size=32M",
    "--innodb-redo-log-capacity=8M",
    # What is committed is with the kernel then, and outlives a crash of the server, though not one of the machine.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-use-native-aio=off",  # whose kernel memory is scarce where many servers run
]

_SETTINGS = [
    "--bind-address=127.0.0.1",
    "--socket=mysql.sock",  # below the data directory; a whole path might be longer than the 107 bytes it may have
    "--pid-file=mysql.pid",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
    "--max-connections=100",
    "--character-set-server=utf8mb4",
    "--skip-name-resolve",
    "--disable-log-bin",
    "--default-time-zone=+00:00",
]


_TLS_REFUSED = 3888


class MySQLServer(MariaDBServer):
    """MySQL, all logins with passwords (caching_sha2_password), with TLS and without."""

    kind: ClassVar[ServerKind] = "mysql"
    is_elsewhere: ClassVar[bool] = True

    def __init__(self, authority: Authority | None) -> None:
        """Plan a server, with TLS if there is an authority."""
        self._program = programs(["mysqld"], [*unstable("usr/sbin"), *search_path()])["mysqld"]
        if "MariaDB" in subprocess.run([self._program, "--version"], capture_output=True, text=True, check=True).stdout:
            raise ServerMissing(f"{self._program} is MariaDB's; `bash tests/run`, on Debian, unpacks MySQL")
        self._base = self._program.parents[1]
        Server.__init__(self, authority)

    def initialise(self) -> None:
        """Make the data directory."""
        self.body.give("first.sql", _FIRST_STATEMENTS.format(password=self.password).encode())

        def make() -> None:
            options = [f"--basedir={self._base}", f"--datadir={self._data}", *self._shared()]
            self.body.run([self._program, "--no-defaults", *options, "--initialize-insecure"])

        templates.fill(self.body, ["data"], [self._program, *_STORAGE], make)
        # Or both the copy and its original would be taken for one server.
        (self._data / "auto.cnf").unlink(missing_ok=True)

    def command(self) -> Sequence[str | Path]:
        """Return the command that runs the server in the foreground."""
        tls = self._tls() or ["--tls-version=", "--auto-generate-certs=OFF"]
        return [self._program, "--no-defaults", *self._own(), *tls, *self._shared(), *_SETTINGS]

    def reload_certificate(self) -> None:
        """Make the running server show the certificate that now lies in its directory."""
        try:
            with contextlib.closing(self.connect(tls=False)) as connection:
                connection.cursor().execute("ALTER INSTANCE RELOAD TLS")
        except pymysql.err.OperationalError as error:
            if error.args[0] != _TLS_REFUSED:
                raise
            self.restart()  # which shows whatever there is

    def _shared(self) -> list[str]:
        """Return the options that making a data directory and running a server on it have in common."""
        places = {"lc-messages-dir": "share/mysql", "plugin-dir": "lib/mysql/plugin"}
        return [*[f"--{option}={self._base / place}" for option, place in places.items()], *_STORAGE]
