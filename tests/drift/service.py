"""A database with all that the fleet's models declare, made by `create_all` as `init-tables` does."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, inspect

import dbctl
from dbctl.connections.connector import build_connector
from dbctl.drift.comparison import differences
from dbctl.drift.mending import statements
from dbctl.drift.state import Difference
from tests.drift.fleet import models
from tests.harness.database import TestDatabase
from tests.servers.client import rows


class Service:
    """The fleet's models, and a database of theirs.

    Args:
        database: The database, which may hold what other tests have left.
        directory: Where its profile is written.
    """

    def __init__(self, database: TestDatabase, directory: Path) -> None:
        self.database = database
        file = directory / "profiles.toml"
        file.write_text(database.toml, encoding="utf-8")
        os.environ.update(database.env)
        self.connector = build_connector(dbctl.Profiles.load(str(file), name=database.profile).select())
        with self.connector.engine.connect() as connection:
            self.default_schema = connection.dialect.default_schema_name or ""
        self.as_declared = False
        """Whether the database is known to be as the models are."""

    def models(self) -> Sequence[MetaData]:
        """Return the models as they are before any change."""
        return models(self.database.kind, self.default_schema)

    def make(self) -> None:
        """Have the database hold what the models declare, and nothing else."""
        if self.as_declared:
            return
        with self.connector.engine.begin() as connection:
            _clear(self.database, connection)
            for each in self.models():
                each.create_all(connection)
        self.as_declared = True

    def differences(self, metadata: Sequence[MetaData], *ignore: str) -> list[Difference]:
        """Return in what the database differs from models."""
        with self.connector.engine.connect() as connection:
            return differences(connection, self.connector.backend, metadata, ignore)

    def mend(self, metadata: Sequence[MetaData], found: Sequence[Difference]) -> list[str]:
        """Make the database what models declare, by the statements that are said to do it; return them."""
        with self.connector.engine.connect() as connection:
            said = statements(connection, self.connector.backend, metadata, found)
        with contextlib.closing(self.database.connect()) as raw:
            for statement in said:
                rows(raw, statement, ())
        return said


def by_name(metadata: Sequence[MetaData], default_schema: str) -> dict[str, Table]:
    """Return the tables by their names, with their schemas but for the default one."""
    tables = [table for each in metadata for table in each.tables.values()]
    return {table.name if table.schema in {None, default_schema} else table.key: table for table in tables}


def _clear(database: TestDatabase, connection: Connection) -> None:
    if database.kind == "postgresql":
        for schema in ("public", "store"):
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        return
    off, on = ("SET foreign_key_checks = 0", "SET foreign_key_checks = 1")
    if database.kind == "sqlite":
        off, on = ("PRAGMA defer_foreign_keys = ON", "PRAGMA defer_foreign_keys = OFF")
    connection.exec_driver_sql(off)
    quote = connection.dialect.identifier_preparer.quote
    for name in inspect(connection).get_table_names():
        connection.exec_driver_sql(f"DROP TABLE {quote(name)}")
    if database.kind == "mariadb":
        for name in inspect(connection).get_sequence_names():
            connection.exec_driver_sql(f"DROP SEQUENCE {quote(name)}")
    connection.exec_driver_sql(on)
