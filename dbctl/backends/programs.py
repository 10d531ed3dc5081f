"""How a database's own programs, and any other, are told of a connection: by a URL, by variables, by files."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from dbctl.backends.logins import Logins
from dbctl.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


class Programs(Logins):
    """The part of a backend that tells programs of its connection; each database's own variables are overrides."""

    title: ClassVar[str]
    schemes: ClassVar[Collection[str]] = ()
    """What a URL may begin with, before a driver's name; the first is taken unless another is asked for."""
    client_variables: ClassVar[Collection[str]] = ()
    """The variables that the database's own programs read, which are not handed on from this process's own."""

    def url(self, driver: str | None = None) -> URL:
        """Return the URL for who connects by himself."""
        raise NotImplementedError

    def engine_url(self, driver: str | None = None) -> URL:
        """Return the URL of an engine."""
        raise NotImplementedError

    def connect_args(self) -> dict[str, Any]:
        """Return what the driver's `connect` is given besides the URL's parts."""
        raise NotImplementedError

    def place_for_programs(self) -> tuple[str, int] | None:
        """Return the host and the port of the tunnel's beginning, opened until this process ends; None without one.

        Raises:
            ConnectError: It does not open.
            ConfigError: Its program can't be run.
        """
        raise NotImplementedError

    def program_url(self, scheme: str | None = None) -> str:
        """Return the URL for a program, with the password in it.

        Args:
            scheme: What it begins with, such as `postgresql+asyncpg`; the database's plain name unless given.

        Raises:
            UsageError: The scheme is none of this database's.
        """
        scheme = scheme or next(iter(self.schemes))
        if scheme.partition("+")[0] not in self.schemes:
            raise UsageError(
                f"--scheme {scheme} is none of {self.title}'s", f"it begins with {', '.join(self.schemes)}"
            )
        url, query = self.url(scheme), self.program_query(scheme.partition("+")[2])
        if place := self.place_for_programs():
            # Who is told the address by itself finds the name to verify where it was.
            url = url.set(host=url.host if "hostaddr" in query else place[0], port=place[1])
        # A socket's directory stands in the query: no host of a URL is a path.
        host, port = (None, None) if (url.host or "").startswith("/") else (url.host, url.port)
        without = url.create(url.drivername, host=host, port=port, database=url.database, query=query)
        # Older versions of SQLAlchemy leave a % of the login as it is, of which others make something else.
        login = ":".join(quote(str(part), safe="") for part in (url.username, url.password) if part is not None)
        return without.render_as_string().replace("://", f"://{login}@" if login else "://", 1)

    def program_query(self, driver: str) -> Mapping[str, str]:
        """Return what a URL for a program says of TLS, in a driver's words.

        Args:
            driver: The driver's name, or "" for what has none.
        """
        return {}

    def client_environment(self, directory: Path) -> Mapping[str, str]:
        """Return the variables for the database's own programs.

        Args:
            directory: Where files may be made that they name, such as one with the password; nobody else can read it.
        """
        return {}

    def inherited(self, more: Collection[str] = ()) -> dict[str, str]:
        """Return this process's environment without what would lead a program elsewhere, and without the password.

        Args:
            more: What the program reads of it besides `client_variables`.
        """
        password = self.password
        left_out = {*self.client_variables, *more}
        return {
            name: value
            for name, value in os.environ.items()
            if name not in left_out and not _has_secret(value, password)
        }


def _has_secret(value: str, password: str | None) -> bool:
    """Tell whether a variable's value is the password, or a URL with it."""
    if not password:
        return False
    written = (password, quote(password), quote(password, safe=""))
    return value in written or any(f":{one}@" in value for one in written)


def write_secret(path: Path, text: str) -> str:
    """Write a file that only its owner can read, and return its path."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return str(path)
