"""MySQL's and MariaDB's terminal clients.

Their own read an option file, and no other: one in the home directory would be read after it, and could lead elsewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backends.clients import NO_KEYRING, Client, Opening, Start
from dbctl.backends.programs import write_secret
from dbctl.backends.tls import trusted_authority
from dbctl.errors import ConfigError
from dbctl.profiles.tls import ENCRYPTING, VERIFYING

if TYPE_CHECKING:
    from dbctl.backends.mysql.engine import MySQL

_SSL_MODES = {"disable": "off", "prefer": "auto"}
"""What mycli calls them; all others are `on`."""

_INSISTING_MYCLI = (2, 26)
"""The first version that asks for PyMySQL 1.2."""

_TO_TELL = 10.0
"""Seconds that a program has to tell its version."""


def _statements(backend: MySQL, *, read_only: bool) -> Iterator[str]:
    """Yield what a session begins with: the profile's own options, its bounds, and that it only reads."""
    told = backend.told()
    if statement := told.get("init_command"):
        yield str(statement).rstrip("; \n")
    if "sql_mode" in told:
        yield f"SET SESSION sql_mode = '{told['sql_mode']}'"
    if bounds := _bounds(backend):
        yield bounds
    if read_only:
        yield "SET SESSION TRANSACTION READ ONLY"


def _bounds(backend: MySQL) -> str:
    """Return the statement that bounds locks and statements, whichever of the two servers reads it.

    https://mariadb.com/docs/server/reference/sql-structure/sql-language-structure/comment-syntax
    """
    on_mariadb, on_mysql = (
        [f"{name} = {value}" for name, value in backend.bounds(mariadb=mariadb).items()] for mariadb in (True, False)
    )
    common = [one for one in on_mariadb if one in on_mysql]
    comma = ", " if common else ""
    only = (("/*M!100101", on_mariadb), ("/*!50708", on_mysql))
    marked = [f"{mark} {comma}{one} */" for mark, all_ in only for one in all_ if one not in common]
    return f"SET SESSION {' '.join([', '.join(common), *marked])}" if common or marked else ""


def _refuse_other_name(backend: MySQL, client: str) -> None:
    """Refuse to verify, through a tunnel, the name of the tunnel's beginning in the place of the server's own.

    Raises:
        ConfigError: The profile asks for that.
    """
    if backend.tunnel and backend.profile.ssl.mode == "verify-full":
        where = backend.profile.origins.get("ssl.mode", backend.profile.called)
        raise ConfigError(
            f"{where}: ssl.mode: through a tunnel {client} can't verify the server's own name, as verify-full asks for",
            "a profile with verify-ca goes through, and dbctl's other commands verify the name all the same",
        )


def _own(backend: MySQL, opening: Opening) -> Start:
    statements = "; ".join(_statements(backend, read_only=opening.read_only))
    return Start(*told_by_file(backend, opening.program, opening.directory, statements))


def told_by_file(
    backend: MySQL, path: str, directory: Path, init_command: str = ""
) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the variables by which a program of MySQL's or MariaDB's reads the profile alone.

    Args:
        backend: The profile's backend.
        path: The program.
        directory: Where its option file is written, which nobody else can read.
        init_command: What a session of the client begins with.

    Raises:
        ConfigError: It can't do what the profile says.
    """
    program = os.path.basename(path)
    _refuse_other_name(backend, program)
    is_mariadb = "MariaDB" in _version(path)  # its client is called mysql too
    if is_mariadb and backend.profile.ssl.mode == "require":
        where = backend.profile.origins.get("ssl.mode", backend.profile.called)
        raise ConfigError(
            f"{where}: ssl.mode: MariaDB's {program} does not insist on TLS without verifying the server: where none is"
            " offered it would send the password in plaintext",
            "verify the server with verify-full or verify-ca, or take another client",
        )
    lines = backend.option_file(init_command, mariadb=is_mariadb)
    file = write_secret(directory / "my.cnf", "".join(f"{line}\n" for line in lines))
    return [f"--defaults-file={file}"], _no_logins(directory)


def _version(program: str) -> str:
    """Ask a client what it says of its version.

    Raises:
        ConfigError: It can't be run, or does not answer.
    """
    try:
        told = subprocess.run(
            [program, "--version"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TO_TELL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{program} does not tell its version: {getattr(error, 'strerror', error)}") from error
    return told.stdout.decode(errors="replace")


def _no_logins(directory: Path) -> dict[str, str]:
    """Return the variable that leads past ~/.mylogin.cnf, which MySQL's clients read whatever else they are told."""
    return {"MYSQL_TEST_LOGIN_FILE": str(directory / "no-logins")}


def _mycli(backend: MySQL, opening: Opening) -> Start:
    _refuse_other_name(backend, "mycli")
    if backend.profile.ssl.mode in ENCRYPTING:
        _refuse_old_mycli(backend, opening.program)
    return Start(list(_mycli_arguments(backend, opening)), NO_KEYRING | _no_logins(opening.directory))


def _refuse_old_mycli(backend: MySQL, program: str) -> None:
    """Refuse a version whose PyMySQL goes on in plaintext where a server, or who stands before it, offers no TLS.

    Raises:
        ConfigError: It is one, or does not tell.
    """
    found = re.search(r"(\d+)\.(\d+)\.\d+", _version(program))
    if found is None or (int(found[1]), int(found[2])) < _INSISTING_MYCLI:
        where = backend.profile.origins.get("ssl.mode", backend.profile.called)
        needed = ".".join(map(str, _INSISTING_MYCLI))
        raise ConfigError(
            f"{where}: ssl.mode: mycli {found[0] if found else 'of an unknown version'} does not insist on TLS",
            f"{needed} and newer does; or take another client",
        )


def _mycli_arguments(backend: MySQL, opening: Opening) -> Iterator[str]:
    profile, ssl, directory = backend.profile, backend.profile.ssl, opening.directory
    host, port = backend.program_place()
    port = port or backend.default_port
    socket = backend.socket
    named = {
        "--socket": socket,
        "--host": None if socket else host,
        "--port": None if socket else port,
        "--user": profile.user,
        "--database": profile.database,
        "--charset": "utf8mb4",
        "--ssl-mode": _SSL_MODES.get(ssl.mode, "on"),
        # Told of an authority it verifies; and by none that its configuration may name, for this directory is empty.
        "--ssl-ca": trusted_authority(profile),
        "--ssl-capath": _empty(directory) if ssl.mode in VERIFYING else None,
        "--ssl-cert": ssl.cert,
        "--ssl-key": ssl.key or ssl.cert,
        "--init-command": "; ".join(_statements(backend, read_only=opening.read_only)) or None,
    }
    yield from (f"{name}={value}" for name, value in named.items() if value is not None)
    if ssl.mode == "verify-full":
        yield "--ssl-verify-server-cert"
    if (password := backend.password) is not None:
        yield f"--password-file={write_secret(directory / 'password', password + chr(10))}"


def _empty(directory: Path) -> str:
    path = directory / "no-authorities"
    path.mkdir()
    return str(path)


CLIENTS = (
    Client(
        "mycli",
        'pip install "mycli>=2.26"',
        _mycli,
        completes=True,
        variables=("MYSQL_DSN", "MYSQL_USER", "MYSQL_UNIX_SOCKET"),
    ),
    Client("mariadb", "apt install mariadb-client", _own),
    Client("mysql", "apt install default-mysql-client", _own),
)
