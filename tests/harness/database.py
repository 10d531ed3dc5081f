"""A database of one test's own."""

import contextlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from tests.servers.client import Connection, Row, rows
from tests.servers.server import Server, ServerKind

Kind = Literal["sqlite"] | ServerKind
KINDS: Sequence[Kind] = ("sqlite", "postgresql", "mariadb", "mysql")

SERVER_KINDS: Sequence[ServerKind] = ("postgresql", "mariadb", "mysql")

_PROFILES: Mapping[ServerKind, tuple[str, str]] = {
    "postgresql": ("pg", "postgresql+psycopg2"),
    "mariadb": ("my", "mysql+pymysql"),
    "mysql": ("my", "mysql+pymysql"),
}


@dataclass(frozen=True)
class TestDatabase:
    """A fresh database, what a profile says of it, and a way to look into it past dbctl.

    Attributes:
        kind: which database system.
        name: the database's name, or SQLite's file.
        profile: the profile's name: "lite", "pg" or "my".
        toml: the profile's table for a `profiles.toml`; the servers' with TLS in full (verify-full).
        env: the variable that the profile takes its password from.
        url: an SQLAlchemy URL, with the password in it and without TLS.
        server: the server that it is on; None for SQLite.
    """

    __test__: ClassVar[bool] = False  # its name begins as a test's does

    kind: Kind
    name: str
    profile: str
    toml: str
    env: Mapping[str, str]
    url: str
    server: Server | None = None

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name for what it speaks: "sqlite", "postgresql" or "mysql"."""
        return self.server.dialect if self.server else self.kind

    @classmethod
    def on_file(cls, path: Path) -> "TestDatabase":
        """Describe an SQLite database; the file is made by whoever first connects."""
        url = f"sqlite:///{path}"
        return cls("sqlite", str(path), "lite", _table("lite", {"url": url}), {}, url)

    @classmethod
    def on_server(cls, server: Server, name: str) -> "TestDatabase":
        """Describe a database of the ordinary role on a server that offers TLS."""
        profile, driver = _PROFILES[server.kind]
        variable = f"TEST_DB_PASSWORD_{profile.upper()}"
        place: dict[str, str | int] = {"driver": driver, "host": server.host, "port": server.port}
        toml = _table(profile, place | {"user": server.app_user, "database": name, "password_env": variable})
        tls = {"mode": "verify-full", "ca": str(server.ca)} if server.ca else {"mode": "prefer"}
        toml += _table(f"{profile}.ssl", tls)
        login = f"{server.app_user}:{quote(server.app_password, safe='')}"
        url = f"{driver}://{login}@{server.host}:{server.port}/{name}"
        return cls(server.kind, name, profile, toml, {variable: server.app_password}, url, server)

    def connect(self, *, autocommit: bool = True) -> Connection:
        """Open a connection of the bare driver, for who wants to hold a lock or a transaction; the caller closes it."""
        if self.server:
            owner, password = self.server.app_user, self.server.app_password
            return self.server.connect(user=owner, password=password, database=self.name, autocommit=autocommit)
        # With None as its isolation level the module begins no transaction by itself.
        return sqlite3.connect(self.name, isolation_level=None if autocommit else "DEFERRED", timeout=10)

    def execute(self, sql: str, *params: Any) -> list[Row]:
        """Run one statement on a connection of its own, committed at once; return its rows.

        Parameters stand as `?` in the statement, whatever the database; so a `?` can't stand for anything else in it.
        """
        if self.server and params:
            sql = sql.replace("%", "%%").replace("?", "%s")
        with contextlib.closing(self.connect()) as connection:
            return rows(connection, sql, params)


def isolates_snapshots(database: TestDatabase) -> bool:
    """Tell whether it is a MariaDB where nobody changes what has changed since he read it: the default since 11.6."""
    if database.kind != "mariadb" or not database.server:
        return False
    found = database.server.execute("SHOW GLOBAL VARIABLES LIKE 'innodb_snapshot_isolation'")
    return [value for _, value in found] == ["ON"]


def _table(profile: str, values: Mapping[str, str | int]) -> str:
    """Return a table of a `profiles.toml`."""
    # JSON's strings and numbers are TOML's too, as long as no character is written as a pair of surrogates.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([f"[profiles.{profile}]", *lines, "", ""])
