"""The fixtures for tests of backups: a database with something of everything, and the tools of the very servers."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.backups.schemas import SCHEMAS
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.servers.client import rows
from tests.servers.system import UNSTABLE

_UNPACKED = {"usr/lib/postgresql/*/bin": ("pg_dump", "pg_restore", "pg_dumpall"), "usr/bin": ("mysqldump", "mysql")}


@dataclass(frozen=True)
class Shop:
    """A database with something of everything in it.

    Attributes:
        dbctl: dbctl with the owner's profile as its default, and `admin`, the superuser's on the same database.
        database: the database.
    """

    dbctl: Dbctl
    database: TestDatabase

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each of its tables has."""
        return {name: self.database.execute(f"SELECT count(*) FROM {name}")[0][0] for name in self.tables}

    @property
    def tables(self) -> list[str]:
        """The names of its tables, those of partitions too."""
        return SCHEMAS[self.database.kind].tables

    def execute(self, sql: str, database: str | None = None) -> list[Any]:
        """Run a statement, as the superuser where another database of the same server is named."""
        if database is None:
            return self.database.execute(sql)
        if (server := self.database.server) is None:
            return replace(self.database, name=str(Path(self.database.name).parent / database)).execute(sql)
        with closing(server.connect(database=database, autocommit=True)) as connection:  # as the superuser
            return rows(connection, sql, ())

    def contents(self, database: str | None = None) -> dict[str, list[Any]]:
        """Return all rows of all tables and views, and what the schema's own questions answer."""
        schema = SCHEMAS[self.database.kind]
        found = {name: self.execute(f"SELECT * FROM {name} ORDER BY 1", database) for name in schema.readable}
        return found | {question: self.execute(question, database) for question in schema.questions}

    def backup(self, name: str = "shop.backup", *more: str) -> Path:
        """Make a backup, and return its path."""
        self.dbctl.ok("backup", "create", name, *more)
        return self.dbctl.cwd / name


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which the tools of the unpacked servers come before the machine's own."""
    place = tmp_path_factory.mktemp("tools")
    if (UNSTABLE / "complete").exists():
        (loader,), (library, *_) = UNSTABLE.glob("usr/lib*/ld-linux*.so.*"), UNSTABLE.glob("usr/lib/*/libc.so.6")
        for pattern, names in _UNPACKED.items():
            for name in names:
                for program in [*UNSTABLE.glob(f"{pattern}/{name}.bin"), *UNSTABLE.glob(f"{pattern}/{name}")][:1]:
                    script = place / name
                    run = f'{loader} --library-path {library.parent} --argv0 "$0" {program}'
                    script.write_text(f'#!/bin/sh\nexec {run} "$@"\n')
                    script.chmod(0o755)
    return f"{place}:{os.environ['PATH']}"


def _shop(dbctl: Dbctl, database: TestDatabase, tools: str) -> Shop:
    home = Forked(cwd=dbctl.cwd, home=dbctl.home, env={"PATH": tools, **database.env})
    admin = database.toml.replace(f"[profiles.{database.profile}", "[profiles.admin")
    if server := database.server:
        admin = admin.replace(f'user = "{server.app_user}"', f'user = "{server.user}"')
        admin = admin.replace(next(iter(database.env)), "ADMIN_PASSWORD")
        home = home.with_env(ADMIN_PASSWORD=server.password)
    toml = f'default = "{database.profile}"\n\n{database.toml}\n{admin}'
    (dbctl.cwd / "profiles.toml").write_text(toml, encoding="utf-8")
    if server and server.dialect == "mysql":  # the definer of a view has to see what it shows, wherever it is
        server.execute(f"GRANT ALL ON `{database.name}%`.* TO {server.app_user}")
    for statement in SCHEMAS[database.kind].statements:
        database.execute(statement)
    return Shop(home, database)


@pytest.fixture
def shop(dbctl: Dbctl, database: TestDatabase, tools: str) -> Iterator[Shop]:
    """One on each kind in turn."""
    yield _shop(dbctl, database, tools)
    if server := database.server:
        server.revive()
        query = {"postgresql": "SELECT datname FROM pg_database"}.get(database.kind, "SHOW DATABASES")
        for (name,) in server.execute(query):
            if name.startswith((f"{database.name}_", "dbctl_")):
                server.drop_database(name)


@pytest.fixture
def lite_shop(dbctl: Dbctl, sqlite_database: TestDatabase, tools: str) -> Shop:
    """One on SQLite."""
    return _shop(dbctl, sqlite_database, tools)


@pytest.fixture
def pg_shop(dbctl: Dbctl, postgres_database: TestDatabase, tools: str) -> Shop:
    """One on PostgreSQL."""
    return _shop(dbctl, postgres_database, tools)
