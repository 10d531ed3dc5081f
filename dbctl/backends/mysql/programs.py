"""What MySQL's and MariaDB's programs, mysql and mysqldump among them, are told of a connection.

They take a password from an option file, which they read from the directory that MYSQL_HOME names:
https://dev.mysql.com/doc/refman/8.4/en/option-files.html
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dbctl.backends.programs import Programs, write_secret
from dbctl.backends.tls import trusted_authority

_log = logging.getLogger("dbctl")

_MODES = {"disable": "DISABLED", "require": "REQUIRED", "verify-ca": "VERIFY_CA", "verify-full": "VERIFY_IDENTITY"}

_OF_MARIADB: Mapping[str, Mapping[str, object]] = {
    "disable": {"ssl": 0},
    "prefer": {"ssl": 1, "ssl-verify-server-cert": 0},
    # They insist on TLS only where they verify too: what is signed by nobody they know is refused then.
    "require": {"ssl": 1, "ssl-verify-server-cert": 1},
    "verify-ca": {"ssl": 1, "ssl-verify-server-cert": 1},
    "verify-full": {"ssl": 1, "ssl-verify-server-cert": 1},
}
"""What MariaDB's programs have in the place of MySQL's modes, in a group that MySQL's do not read."""


_GROUPS = re.compile(r"client|mysql(?!d\b|d_|d-)|mariadb-")
"""The groups that clients read; the others are a server's."""
_LEADING = re.compile(
    r"(?:loose[-_])?(?P<option>(?:(?:skip|disable|enable)[-_])?"
    r"(?:ssl[\w-]*|tls[\w-]*|host|port|protocol|socket|user|password|database))\s*(?:=|$)"
)
"""An option that says where to connect, as whom, or whether by TLS."""


class MySQLPrograms(Programs):
    """How MySQL's programs are told."""

    schemes = ("mysql", "mariadb", "mysql2")
    client_variables = (
        "MYSQL_HOME",
        "MYSQL_HOST",
        "MYSQL_PWD",
        "MYSQL_TCP_PORT",
        "MYSQL_UNIX_PORT",
        "MYSQL_GROUP_SUFFIX",
    )

    def program_place(self) -> tuple[str | None, int | None]:
        """Return the host and the port: those of the tunnel's beginning, or of the one of several that is wanted."""
        raise NotImplementedError

    def program_query(self, driver: str) -> Mapping[str, str]:
        """Return the socket, and TLS in SQLAlchemy's words for what is like MySQLdb: others have none in common."""
        ssl = self.profile.ssl
        place = {"unix_socket": self.socket} if self.socket else {}
        if driver not in {"pymysql", "mysqldb", "aiomysql"} or ssl.mode in {"disable", "prefer"}:
            return place
        files = {"ssl_ca": ssl.ca, "ssl_cert": ssl.cert, "ssl_key": ssl.key}
        named = place | {name: path for name, path in files.items() if path}
        return named | {"ssl_check_hostname": "true" if ssl.mode == "verify-full" else "false"}

    def client_environment(self, directory: Path) -> Mapping[str, str]:
        """Return the variables; what has to be secret is in the option file that one of them leads to."""
        write_secret(directory / "my.cnf", "".join(f"{line}\n" for line in self.option_file()))
        home = Path("~/.my.cnf").expanduser()
        if elsewhere := list(_leading_elsewhere(home)):
            _log.warning(
                "%s says %s, which MySQL's and MariaDB's programs obey rather than the profile; they don't read it "
                "where their first argument is --defaults-file=$MYSQL_HOME/my.cnf",
                home,
                ", ".join(dict.fromkeys(elsewhere)),
            )
        host, port = self.program_place()
        found = {
            "MYSQL_HOST": host,
            "MYSQL_TCP_PORT": str(port) if port else None,
            "MYSQL_UNIX_PORT": self.socket,
        }
        return {name: value for name, value in found.items() if value} | {"MYSQL_HOME": str(directory)}

    def option_file(self, init_command: str = "", *, mariadb: bool = False) -> Iterator[str]:
        """Yield the lines of an option file, which has the password.

        Args:
            init_command: What a session of the client begins with.
            mariadb: Whether MariaDB's programs alone read it.
        """
        profile, ssl, socket = self.profile, self.profile.ssl, self.socket
        host, port = self.program_place()
        yield from _group(
            "client",
            {
                "host": host,
                "port": port,
                "protocol": "SOCKET" if socket else "TCP",  # which a host that is called localhost would not be
                "socket": socket,
                "user": profile.user,
                "password": self.password,
                "default-character-set": "utf8mb4",
                "ssl-ca": trusted_authority(profile),  # MySQL's look for none by themselves
                "ssl-cert": ssl.cert,
                "ssl-key": ssl.key,
                # MySQL's own word, which MariaDB's programs warn of, and pass over.
                "loose-ssl-mode": None if mariadb else _MODES.get(ssl.mode),
            },
        )
        yield from _group("client-mariadb", _OF_MARIADB.get(ssl.mode, {}))
        session = {"database": profile.database, "connect-timeout": math.ceil(profile.connect_timeout)}
        yield from _group("mysql", {**session, "init-command": init_command or None})

    @property
    def socket(self) -> str | None:
        """The socket file's path, where the profile names one."""
        found = self.profile.query.get("unix_socket")
        return found if isinstance(found, str) else None


def _leading_elsewhere(path: Path) -> Iterator[str]:
    """Yield the options of a connection that an option file gives to programs, which read it after the profile's."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # there is none, or none that the programs could read
        return
    group = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            group = line.strip("[] ").lower()
        elif _GROUPS.match(group) and (found := _LEADING.match(line)):
            yield found["option"]


def _group(name: str, values: Mapping[str, object]) -> Iterator[str]:
    yield f"[{name}]"
    yield from (f"{key}={_quoted(str(value))}" for key, value in values.items() if value is not None)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return f'"{escaped}"'
