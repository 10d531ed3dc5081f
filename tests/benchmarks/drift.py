"""What `dbctl drift` costs beside alembic's own `compare_metadata`, on 200 tables, on each database.

    python tests/benchmarks/drift.py [--rounds N]

Both compare the same models with the same database, in which there is no drift, on a connection each time anew.
alembic's also compares types and server defaults, as it does unless told otherwise for types; it tells false alarms by
that, which is no matter here.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, MetaData, Table

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

import dbctl
from dbctl.connections.connector import build_connector
from dbctl.drift.comparison import differences
from tests.benchmarks.compare import Comparison, Timed, print_table, rounds_option
from tests.harness.database import TestDatabase
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

TABLES = 200


def models() -> MetaData:
    """Return tables as services have them: keys, flags, times, JSON, members, indexes, a check here and there."""
    metadata = MetaData()
    for number in range(TABLES):
        table = Table(
            f"table_{number}",
            metadata,
            Column("id", sa.Integer, primary_key=True),
            Column("name", sa.String(50), nullable=False, index=True),
            Column("code", sa.String(20), unique=True),
            Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
            Column("color", sa.Enum("red", "green", name="color")),
            Column("details", sa.JSON),
            Column("price", sa.Numeric(10, 2), server_default="0"),
            Column("created", sa.DateTime, server_default=sa.func.now()),
            Column("before_id", sa.ForeignKey(f"table_{max(number - 1, 0)}.id"), index=True),
        )
        if number % 10 == 0:
            table.append_constraint(sa.CheckConstraint("price >= 0", name=f"table_{number}_price"))
    return metadata


def main() -> None:
    """Start the servers, measure, print."""
    rounds = rounds_option("dbctl's drift against alembic's compare_metadata.", 10)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-drift-")))
        print_table((_comparison(database, directory) for database in _databases(directory, stack)), rounds)


def _databases(directory: Path, stack: ExitStack) -> Iterator[TestDatabase]:
    """Start the servers one by one."""
    authority = Authority(directory)
    yield TestDatabase.on_file(directory / "drift.db")
    for make in (PostgresServer, MariaDBServer):
        server = stack.enter_context(make(authority))
        server.create_database("drift")
        yield TestDatabase.on_server(server, "drift")


def _comparison(database: TestDatabase, directory: Path) -> Comparison:
    (directory / "profiles.toml").write_text(database.toml, encoding="utf-8")
    os.environ.update(database.env)
    profile = dbctl.Profiles.load(str(directory / "profiles.toml"), name=database.profile).select()
    connector = build_connector(profile)
    metadata = models()
    metadata.create_all(connector.engine)

    def drift() -> None:
        with connector.engine.connect() as connection:
            if found := differences(connection, connector.backend, [metadata]):
                raise AssertionError(found)

    def bare() -> None:
        with connector.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_server_default": True})
            compare_metadata(context, metadata)

    return Comparison(
        f"{database.kind}: drift of {TABLES} tables", "alembic's compare_metadata", 1.2, _timed(drift), _timed(bare)
    )


def _timed(work: Callable[[], None]) -> Timed:
    def measure() -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    return measure


if __name__ == "__main__":
    main()
