"""How long `dbctl run` of an empty function takes, against a script with Typer that was written by hand for it.

    python tests/benchmarks/functions.py [--rounds N]

Each turn is a process of its own, run by the same interpreter, with its compiled files in place, on SQLite.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository

from tests.benchmarks.compare import Comparison, Timed, print_table, rounds_option

FUNCTION = '''\
from sqlmodel import Session


def nothing(session: Session) -> None:
    """Do nothing."""
'''

BY_HAND = '''\
import os

import typer
from sqlmodel import Session, create_engine

from service import nothing

app = typer.Typer()


@app.command()
def run() -> None:
    """Run it."""
    with Session(create_engine(os.environ["DATABASE_URL"])) as session:
        nothing(session)
        session.commit()


app()
'''


def timed(directory: Path, command: Sequence[str]) -> Timed:
    """Return what runs a command in a directory and tells how long it took."""
    environment = os.environ | {
        "DATABASE_URL": "sqlite:///service.db",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])),
    }

    def run() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=directory, env=environment, check=True, capture_output=True)
        return time.perf_counter() - began

    return run


def main() -> None:
    """Measure, and print."""
    rounds = rounds_option("How long an empty function takes.", 30)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "service.py").write_text(FUNCTION, encoding="utf-8")
        (directory / "by_hand.py").write_text(BY_HAND, encoding="utf-8")
        sqlite3.connect(directory / "service.db").execute("CREATE TABLE something (id INTEGER)").close()
        ours = timed(directory, ["-m", "dbctl", "run", "service:nothing", "--url", "sqlite:///service.db"])
        floor = timed(directory, ["by_hand.py"])
        print_table(
            [Comparison("dbctl run service:nothing", "a script by hand, with Typer", 1.10, ours, floor)], rounds
        )


if __name__ == "__main__":
    main()
