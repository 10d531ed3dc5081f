"""What a command on many databases costs, against the same on one: time, the client's own CPU, and memory.

    python tests/benchmarks/fleet.py [--profiles N] [--rounds N]

All profiles are of databases on one PostgreSQL server on this machine, with TLS, each connected to anew. The floor is
one run on one profile, which is one import and one connection; what is aimed at is twice that for all of them. What
bounds the rest is said at the end: the client's CPU, where that is busy all the time; else the server, which starts a
process for each connection. Before all stands what bare psycopg2 takes for the connections alone: as many threads as
dbctl has at a time, the same TLS, one `SELECT 1` on each.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

from tests.harness.database import TestDatabase
from tests.servers.authority import Authority
from tests.servers.postgres import PostgresServer

COMMANDS = {
    "ping": ["ping", "--all"],
    "query": ["--all", "query", "SELECT 1 AS one"],
    "fleet drift": ["--all", "fleet", "drift"],
}
JOBS = 32
"""How many profiles dbctl works on at a time unless told otherwise."""

BARE = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
import psycopg2

def ask(place):
    connection = psycopg2.connect(place, password=os.environ["BARE_PASSWORD"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchall()
    connection.close()

with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    list(pool.map(ask, [sys.argv[1]] * int(sys.argv[3])))
"""
ON_ONE = {"ping": ["-p", "p0", "ping"], "query": ["-p", "p0", "query", "SELECT 1 AS one"]}


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds in all, seconds of the client's CPU, and its greatest size in bytes."""

    seconds: float
    cpu: float
    memory: int


def cost(command: Sequence[str], directory: Path, environment: dict[str, str]) -> Cost:
    """Run dbctl once."""
    return cost_of(["-m", "dbctl", *command, "--output", "jsonl"], directory, environment)


def cost_of(arguments: Sequence[str], directory: Path, environment: dict[str, str]) -> Cost:
    """Run Python once."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit code {process.returncode}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(
        statistics.median(each.seconds for each in costs),
        statistics.median(each.cpu for each in costs),
        int(statistics.median(each.memory for each in costs)),
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="What a command on many databases costs.")
    parser.add_argument("--profiles", type=int, default=500, metavar="N", help="how many (500)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each (3)")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with PostgresServer(Authority(directory)) as server:
            server.create_database("shop")
            database = TestDatabase.on_server(server, "shop")
            toml = database.toml.replace(f"[profiles.{database.profile}", "[profiles.{}")
            tables = [toml.replace("{}", f"p{number}") for number in range(said.profiles)]
            (directory / "profiles.toml").write_text("\n".join(tables), encoding="utf-8")
            environment = {**os.environ, **database.env, "PYTHONPATH": str(Path(__file__).parents[2])}
            environment["BARE_PASSWORD"] = server.app_password
            place = f"host={server.host} port={server.port} user={server.app_user} dbname=shop"
            place += f" sslmode=verify-full sslrootcert={server.ca}"
            floor = measure_bare(place, directory, environment, said.profiles, said.rounds)
            measure(directory, environment, said.profiles, said.rounds, floor)


def measure_bare(place: str, directory: Path, environment: dict[str, str], profiles: int, rounds: int) -> Cost:
    """Measure psycopg2's connections alone, in threads, and return what they take beyond one of them."""

    def take(count: int) -> Cost:
        arguments = ["-c", BARE, place, str(JOBS), str(count)]
        return median([cost_of(arguments, directory, environment) for _ in range(rounds)])

    one, all_ = take(1), take(profiles)
    more = Cost(all_.seconds - one.seconds, all_.cpu - one.cpu, all_.memory - one.memory)
    print(f"psycopg2 in {JOBS} threads: one {one.seconds:.2f} s, {profiles} {all_.seconds:.2f} s; ", end="")
    print(f"{1000 * more.cpu / max(1, profiles - 1):.1f} ms of CPU each")
    return more


def measure(directory: Path, environment: dict[str, str], profiles: int, rounds: int, floor: Cost) -> None:
    """Measure each command on one profile and on all, in turns, and print lines for it.

    Args:
        directory: Where the profile file is.
        environment: The environment.
        profiles: How many there are.
        rounds: How many turns.
        floor: What bare connections to all but one of them take.
    """
    print(f"{'command':<14}{'of one':>9}{'of all':>9}{'ratio':>8}{'CPU':>9}{'memory':>10}{'of one':>10}{'each':>10}")
    for command, line in COMMANDS.items():
        single = ON_ONE.get(command, ON_ONE["ping"])
        cost(single, directory, environment)  # what is compiled then is no matter of either
        pairs = [(cost(single, directory, environment), cost(line, directory, environment)) for _ in range(rounds)]
        one, all_ = (median(costs) for costs in zip(*pairs, strict=True))
        each = (all_.memory - one.memory) / max(1, profiles - 1)
        print(
            f"{command:<14}{one.seconds:>8.2f}s{all_.seconds:>8.2f}s{all_.seconds / one.seconds:>8.2f}{all_.cpu:>8.2f}s"
            f"{all_.memory / 2**20:>7.0f}MiB{one.memory / 2**20:>7.0f}MiB{each / 1024:>7.1f}KiB",
            flush=True,
        )
        busy = (all_.cpu - one.cpu) / max(0.001, all_.seconds - one.seconds)
        bound = "the client's CPU" if busy > 0.8 else "the server, or waiting for it"
        milliseconds = 1000 * (all_.cpu - one.cpu) / max(1, profiles - 1)
        print(f"{'':<14}bound by {bound}: {busy:.0%} of one core busy, {milliseconds:.1f} ms of CPU a profile")
        times, cpus = (all_.seconds - one.seconds) / floor.seconds, (all_.cpu - one.cpu) / floor.cpu
        print(f"{'':<14}{times:.2f} times what bare connections take, {cpus:.2f} times their CPU")


if __name__ == "__main__":
    main()
