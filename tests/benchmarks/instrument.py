"""What `dbctl pool-stats` measures of a checkout, against a bare loop on an engine of SQLAlchemy's own.

    python tests/benchmarks/instrument.py [--rounds N]

Both take the median wait for a connection, of a pool that pings each before it hands it out, over the same time: so the
instrument is to see the pool, and not itself. With ten threads both wait for Python's lock too.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, create_engine

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

from dbctl.backends import backend_of
from dbctl.pool.figures import Plan
from dbctl.pool.measuring import measure_pool
from dbctl.profiles import Profile
from tests.benchmarks.compare import Comparison, print_table, rounds_option
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

SECONDS = 0.3
WORKERS = (1, 10)


def main() -> None:
    """Start the servers, measure, print."""
    rounds = rounds_option("pool-stats against a bare loop of checkouts.", 10)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-instrument-")))
        print_table(_comparisons(directory, stack), rounds)


def _comparisons(directory: Path, stack: ExitStack) -> Iterator[Comparison]:
    authority = Authority(directory)
    for make in (PostgresServer, MariaDBServer):
        server = stack.enter_context(make(authority))
        server.create_database("instrument")
        database = TestDatabase.on_server(server, "instrument")
        os.environ.update(database.env)
        profile, backend = profile_of(database), backend_of(profile_of(database))
        bare = create_engine(backend.url(), connect_args=backend.connect_args(), **backend.pool_options())
        stack.callback(bare.dispose)
        for workers in WORKERS:
            what = f"{database.kind}, {workers} at a time: median checkout of pool-stats"
            instrument, loop = partial(_instrument, profile, workers), partial(_loop, bare, workers)
            yield Comparison(what, "a bare loop", 1.2, instrument, loop)


def _instrument(profile: Profile, workers: int) -> float:
    measured = measure_pool(profile, Plan(concurrency=workers, duration=SECONDS))
    return measured.waits.histogram.quantile(0.5)


def _loop(engine: Engine, workers: int) -> float:
    waits: list[float] = []
    threads = [threading.Thread(target=_check_out_and_in, args=(engine, waits)) for _ in range(workers)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return statistics.median(waits)


def _check_out_and_in(engine: Engine, waits: list[float]) -> None:
    end = time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        connection = engine.raw_connection()
        waits.append(time.perf_counter() - start)
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.fetchall()
        cursor.close()
        connection.close()


if __name__ == "__main__":
    main()
