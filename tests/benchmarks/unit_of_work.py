"""What dbctl's unit of work adds to a bare `Session.begin()` block, on each database.

    python tests/benchmarks/unit_of_work.py [--rounds N]

Both do the same work in this process, on engines alike: one built by dbctl from a profile, one by SQLAlchemy alone.

`dbctl.unit_of_work` is what a FastAPI request runs in. `dbctl.session` and the commands do more, and pay for it with up
to two round trips, which weigh much here, where a server is a few microseconds away: a transaction that only reads is
READ ONLY, PostgreSQL looks after its client meanwhile, and a COMMIT without an answer can be asked about.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlmodel import Session

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

import dbctl
from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.sample import Hero, SampleModel
from tests.benchmarks.compare import Comparison, Timed, print_table, rounds_option
from tests.harness.database import TestDatabase
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

Work = Callable[[Session], None]


def insert(session: Session) -> None:
    """Run one INSERT."""
    session.add(Hero(name="Spider-Boy", secret_name="Pedro Parqueador", age=16))


def select(session: Session) -> None:
    """Run one SELECT."""
    session.get(Hero, 1)


def main() -> None:
    """Start the servers, measure, print."""
    rounds = rounds_option("dbctl's unit of work against a bare Session.begin() block.", 1000)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-unit-")))
        print_table((found for database in _databases(directory, stack) for found in _comparisons(database)), rounds)


def _databases(directory: Path, stack: ExitStack) -> Iterator[TestDatabase]:
    """Start the servers one by one; dbctl's profiles are set up for each."""
    authority = Authority(directory)
    databases = [TestDatabase.on_file(directory / "unit.db")]
    for make in (PostgresServer, MariaDBServer):
        server = stack.enter_context(make(authority))
        server.create_database("unit")
        databases.append(TestDatabase.on_server(server, "unit"))
    (directory / "profiles.toml").write_text("".join(database.toml for database in databases), encoding="utf-8")
    os.environ["DBCTL_CONFIG"] = str(directory / "profiles.toml")
    for database in databases:
        os.environ.update(database.env)
        yield database


def _comparisons(database: TestDatabase) -> Iterator[Comparison]:
    profile = dbctl.profile(database.profile)
    backend = backend_of(profile)
    engine = dbctl.build_engine(profile)
    plain = create_engine(backend.url(), connect_args=backend.connect_args(), **backend.pool_options())
    if database.kind == "sqlite":
        _begin_in_earnest(plain)
    SampleModel.metadata.create_all(engine)
    yield from _against_bare_block(database, insert, engine, plain, writes=True)
    yield from _against_bare_block(database, select, engine, plain, writes=False)
    engine.dispose()
    plain.dispose()
    dbctl.dispose()


def _against_bare_block(
    database: TestDatabase, work: Work, engine: Engine, plain: Engine, *, writes: bool
) -> Iterator[Comparison]:
    backend = backend_of(dbctl.profile(database.profile))

    def in_unit_of_work() -> None:
        with dbctl.unit_of_work(Connector(engine, backend), writes=writes) as unit:
            work(unit.session)

    def in_session() -> None:
        with dbctl.session(database.profile, writes=writes) as session:
            work(session)

    def in_bare_block() -> None:
        with Session(plain) as session, session.begin():
            work(session)

    statement = f"{database.kind}, one {work.__name__.upper()}"
    for what, unit, goal in (("dbctl.unit_of_work", in_unit_of_work, 1.05), ("dbctl.session", in_session, 1.5)):
        ours, floor = _timed(unit), _timed(in_bare_block)
        yield Comparison(f"{statement}: {what}", "a bare Session.begin() block", goal, ours, floor)


def _begin_in_earnest(engine: Engine) -> None:
    """Give a plain engine on SQLite real transactions, by the recipe in SQLAlchemy's documentation.

    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#enabling-non-legacy-sqlite-transactional-modes-with-the-sqlite3-or-aiosqlite-driver
    Without it a block that only reads is in no transaction at all, and there would be nothing to compare.
    """

    @event.listens_for(engine, "connect")
    def connect(driver_connection: Any, _record: Any) -> None:
        driver_connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


def _timed(unit: Callable[[], None]) -> Timed:
    def run() -> float:
        start = time.perf_counter()
        unit()
        return time.perf_counter() - start

    return run


if __name__ == "__main__":
    main()
