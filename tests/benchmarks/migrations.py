"""How long `dbctl migrate upgrade` takes where nothing is to be done, against `alembic current` of the same service.

    python tests/benchmarks/migrations.py [--rounds N]

That is what each pod of a service does when it starts. Each turn is a process of its own, run by the same interpreter,
with its compiled files in place. The service is that of `tests/services/library`, as it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

from tests.benchmarks.compare import Comparison, Timed, print_table, rounds_option
from tests.harness.database import TestDatabase
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

LIBRARY = Path(__file__).parents[1] / "services" / "library"


def main() -> None:
    """Start the servers, measure, print."""
    rounds = rounds_option("dbctl's migrate upgrade with nothing to do against alembic's current.", 20)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-migrations-")))
        print_table((_comparison(database, directory) for database in _databases(directory, stack)), rounds)


def _databases(directory: Path, stack: ExitStack) -> Iterator[TestDatabase]:
    """Start the servers one by one; without TLS, which only dbctl's profile would ask for."""
    yield TestDatabase.on_file(directory / "library.db")
    for make in (PostgresServer, MariaDBServer):
        server = stack.enter_context(make(None))
        server.create_database("library")
        yield TestDatabase.on_server(server, "library")


def _comparison(database: TestDatabase, directory: Path) -> Comparison:
    root = directory / database.kind
    shutil.copytree(LIBRARY, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "profiles.toml").write_text(database.toml, encoding="utf-8")
    environment = os.environ | {
        **database.env,
        "DATABASE_URL": database.url,
        "DBCTL_PROFILE": database.profile,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }

    def timed(*words: str, tells: str) -> Timed:
        command: Sequence[str] = [sys.executable, "-m", *words]

        def run() -> float:
            began = time.perf_counter()
            done = subprocess.run(command, check=False, cwd=root, env=environment, capture_output=True, text=True)
            took = time.perf_counter() - began
            if tells not in done.stdout + done.stderr:
                raise AssertionError(done.stdout + done.stderr)
            return took

        return run

    timed("dbctl", "migrate", "upgrade", tells="upgrade 9c2b")()
    return Comparison(
        f"{database.kind}: dbctl migrate upgrade",
        "alembic current",
        1.0,
        timed("dbctl", "migrate", "upgrade", tells="nothing to do"),
        timed("alembic", "current", tells="9c2b (head)"),
    )


if __name__ == "__main__":
    main()
