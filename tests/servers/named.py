"""A server that somebody else runs, named by a URL: it is used, and neither started nor stopped."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg2
import pymysql
import pytest

from tests.servers.authority import Certificate
from tests.servers.server import Server, StopMode

_EXISTS = (psycopg2.errors.lookup("42710"), pymysql.err.OperationalError)


class _Named(Server):
    """What is another's instead of the tests' own: the life of the server, and its certificates."""

    def __init__(self, url: str) -> None:
        """Read the superuser's URL; `?ca=FILE` names the root certificate of a server that offers TLS."""
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or self.host, parts.port or 0
        self.user, self.password = unquote(parts.username or self.user), unquote(parts.password or "")
        self.authority = None
        self.ca = next((Path(path) for path in parse_qs(parts.query).get("ca", [])), None)

    def start(self) -> None:
        """Make the ordinary role, which stays: other runs may be using it."""
        with contextlib.suppress(*_EXISTS):
            self.create_role(self.app_user, self.app_password)

    def remove(self) -> None:
        """Leave it as it is."""

    revive = thaw = remove

    def initialise(self) -> None:
        """Do nothing: it is there."""

    def command(self) -> Sequence[str | Path]:
        """Return none: it runs."""
        return []

    def connect(self, *, tls: bool = True, **options: Any) -> Any:
        """Connect as `Client.connect` says, with TLS where the root certificate is known."""
        return super().connect(tls=tls, **{"ca": self.ca} | options)  # type: ignore[safe-super]

    def stop(self, mode: StopMode = "fast") -> NoReturn:
        """Skip the test."""
        pytest.skip(f"{self.kind}: a server that is named can't be stopped")

    freeze = stop

    @contextlib.contextmanager
    def presenting(self, certificate: Certificate) -> Iterator[None]:
        """Skip the test."""
        pytest.skip(f"{self.kind}: a server that is named keeps its certificate")
        yield


def named(kind: type[Server], url: str) -> Server:
    """Return the server of this kind that a URL names."""
    made: Server = type(f"Named{kind.__name__}", (_Named, kind), {})(url)
    return made
