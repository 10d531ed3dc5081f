"""What a checkout and its return cost: with a recorder against without, and of dbctl's engine against a bare one.

    python tests/benchmarks/checkout.py [--rounds N]

Each worker is a thread that takes a connection and gives it back, over and over; each has one of its own in the pool.
The engines ping each connection before they hand it out, as a service's do. Without that, and on a file, SQLAlchemy
itself takes six microseconds: what the recorder adds is named there too, and as the floor of what can be heard of a
checkout and a return what listeners cost that do nothing, by SQLAlchemy's events and as methods before the pool's own.

What is measured is this process' CPU time: there is no waiting for the server in it, more than half of the time, which
would hide what is added, and which on a machine that does anything else is anything from once to three times as long,
for either engine by chance. All of it, the server too, runs on one processor: on several, who wakes up whom on another
one is decided by chance as well, for seconds on end, and costs as much as all of Python's work.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
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
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before the server is started, which is given the same
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
        plain, observed, own = built(), built(), built(own=True)
        dbctl.pool.observe(observed)
        yield Comparison(f"{many}: recorder", "a bare engine", ADDED, _timed(observed, workers), _timed(plain, workers))
        observed.dispose()
        yield Comparison(f"{many}: dbctl's engine", "a bare engine", OWN, _timed(own, workers), _timed(plain, workers))
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
    heard: dict[str, Callable[[Engine], object]] = {
        "two events heard by nobody": _by_events,
        "two methods put before": _by_methods,
        "recorder": dbctl.pool.observe,
        "recorder, leak_after": partial(dbctl.pool.observe, leak_after=60),
    }
    for what, make in made.items():
        for called, hear in heard.items():
            plain, observed = make(), make()
            hear(observed)
            one, other = _timed(observed, 1), _timed(plain, 1)
            yield Comparison(f"{what}: {called}", "a bare engine", ADDED, one, other)
            observed.dispose()
            plain.dispose()


def _by_events(engine: Engine) -> None:
    event.listen(engine, "checkout", lambda *_: None)
    event.listen(engine, "checkin", lambda *_: None)


def _by_methods(engine: Engine) -> None:
    pool: Any = engine.pool
    pool.connect = _passed_on(pool.connect)
    pool._return_conn = _passed_on(pool._return_conn)


def _passed_on(method: Callable[..., Any]) -> Callable[..., Any]:
    def pass_on(*record: Any) -> Any:
        return method(*record)

    return pass_on


def _engine(database: TestDatabase, size: int, *, own: bool, pre_ping: bool) -> Engine:
    pool = {"pool.size": size, "pool.max_overflow": 0, "pool.timeout": 60, "pool.pre_ping": pre_ping}
    profile = profile_of(database, pool)
    if own:
        return dbctl.build_engine(profile)
    backend = backend_of(profile)
    return create_engine(backend.url(), connect_args=backend.connect_args(), **backend.pool_options())


def _timed(engine: Engine, workers: int) -> Timed:
    """Return what times some checkouts by so many workers: turns are short, so that noise hits few of them."""
    share = max(2, 40 // workers)

    def work() -> None:
        for _ in range(share):
            with engine.connect():
                pass

    def run() -> float:
        threads = [threading.Thread(target=work) for _ in range(workers if workers > 1 else 0)]
        start = time.process_time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not threads:
            work()
        return time.process_time() - start

    return run


if __name__ == "__main__":
    main()
