"""What a checkout and its return cost: with a recorder against without, and of dbctl's engine against a bare one.

    python tests/benchmarks/checkout.py [--rounds N]

Each worker is a thread that takes a connection and gives it back, over and over; each has one of its own in the pool.
The engines ping each connection before they hand it out, as a service's do; without that, and on a file, SQLAlchemy
itself takes three microseconds, of which its two events are a sixth: what the recorder adds is named there too.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import QueuePool

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

import dbctl
from dbctl.backends import backend_of
from tests.benchmarks.compare import Comparison, Timed, print_table, rounds_option
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.authority import Authority
from tests.servers.postgres import PostgresServer

WORKERS = (1, 10, 100, 1000)
CONNECTIONS = 80
"""The server has a hundred: more workers than this wait for each other, as they would in a service."""

ADDED, OWN = 1.10, 1.05


def main() -> None:
    """Start the server, measure, print."""
    rounds = rounds_option("A checkout and its return, with a recorder and without.", 50)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-checkout-")))
        server = stack.enter_context(PostgresServer(Authority(directory)))
        server.create_database("checkout")
        database = TestDatabase.on_server(server, "checkout")
        print_table(_comparisons(database, directory, stack), rounds)


def _comparisons(database: TestDatabase, directory: Path, stack: ExitStack) -> Iterator[Comparison]:
    for workers in WORKERS:
        size = min(workers, CONNECTIONS // 2)  # two engines at a time

        def built(own: bool = False, pre_ping: bool = True, size: int = size) -> Engine:
            engine = _engine(database, size, own=own, pre_ping=pre_ping)
            stack.callback(engine.dispose)
            return engine

        many = f"{workers} {'worker' if workers == 1 else 'workers'}"
        plain, observed = built(), built()
        dbctl.pool.observe(observed)
        yield Comparison(f"{many}: recorder", "a bare engine", ADDED, _timed(observed, workers), _timed(plain, workers))
        observed.dispose()
        own = built(own=True)
        yield Comparison(f"{many}: dbctl's engine", "a bare engine", OWN, _timed(own, workers), _timed(plain, workers))
        if workers == 1:
            own_observed = built(own=True)
            dbctl.pool.observe(own_observed)
            ours, floor = _timed(own_observed, workers), _timed(own, workers)
            yield Comparison(f"{many}: recorder", "dbctl's engine", ADDED, ours, floor)
            own_observed.dispose()
        own.dispose()
        plain.dispose()
    yield from _without_ping(database, directory)


def _without_ping(database: TestDatabase, directory: Path) -> Iterator[Comparison]:
    """Compare where nothing is asked of the database, and the recorder is most of what can be seen."""

    def on_file() -> Engine:
        return create_engine(f"sqlite:///{directory / 'checkout.db'}", poolclass=QueuePool)

    made: dict[str, Callable[[], Engine]] = {
        "no pre-ping": partial(_engine, database, 1, own=False, pre_ping=False),
        "a file, no pre-ping": on_file,
    }
    for what, make in made.items():
        for leak_after in (None, 60):
            plain, observed = make(), make()
            dbctl.pool.observe(observed, leak_after=leak_after)
            called = f"{what}: recorder{', leak_after' if leak_after else ''}"
            yield Comparison(called, "a bare engine", ADDED, _timed(observed, 1), _timed(plain, 1))
            observed.dispose()
            plain.dispose()


def _engine(database: TestDatabase, size: int, *, own: bool, pre_ping: bool) -> Engine:
    pool = {"pool.size": size, "pool.max_overflow": 0, "pool.timeout": 60, "pool.pre_ping": pre_ping}
    profile = profile_of(database, pool)
    if own:
        return dbctl.build_engine(profile)
    backend = backend_of(profile)
    return create_engine(backend.url(), connect_args=backend.connect_args(), **backend.pool_options())


def _timed(engine: Engine, workers: int) -> Timed:
    """Return what times some checkouts by so many workers: turns are short, so that noise hits few of them."""
    share = max(2, 100 // workers)

    def work() -> None:
        for _ in range(share):
            with engine.connect():
                pass

    def run() -> float:
        if workers == 1:
            start = time.perf_counter()
            work()
            return time.perf_counter() - start
        threads = [threading.Thread(target=work) for _ in range(workers)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    return run


if __name__ == "__main__":
    main()
