"""How long a command of dbctl takes, from the shell's point of view, against a script that does the same without it.

    python tests/benchmarks/startup.py [--rounds N]

Each turn is a process of its own, run by the same interpreter, with its compiled files in place.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

import dbctl
from tests.benchmarks.compare import Comparison, Timed, print_table, rounds_option
from tests.harness.database import TestDatabase
from tests.servers.authority import Authority
from tests.servers.postgres import PostgresServer

COMMANDS = 30

TWO_COMMANDS = '''\
import typer

app = typer.Typer()


@app.command()
def hello(name: str, formal: bool = False) -> None:
    """Say hello."""


@app.command()
def goodbye(name: str) -> None:
    """Say goodbye."""


app()
'''

SELECT_1 = '''\
from typing import Annotated

import typer
from sqlalchemy import create_engine, text


def main(url: Annotated[str, typer.Option()]) -> None:
    """Run SELECT 1."""
    engine = create_engine(
        url, pool_size=5, max_overflow=10, pool_pre_ping=True, pool_recycle=-1, pool_timeout=30
    )
    with engine.connect() as connection:
        print(connection.execute(text("SELECT 1")).scalar())
    engine.dispose()


typer.run(main)
'''

INSERT = '''\
from typing import Annotated

import typer
from sqlmodel import Field, Session, SQLModel, create_engine


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=200, unique=True)
    headquarters: str | None = Field(default=None, max_length=200)


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=200, index=True)
    secret_name: str = Field(max_length=200)
    age: int | None = None
    team_id: int | None = Field(default=None, foreign_key="team.id", index=True)


def main(
    name: str,
    url: Annotated[str, typer.Option()],
    secret_name: Annotated[str, typer.Option()],
    age: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Add a hero."""
    engine = create_engine(
        url, pool_size=5, max_overflow=10, pool_pre_ping=True, pool_recycle=-1, pool_timeout=30
    )
    with Session(engine) as session:
        hero = Hero(name=name, secret_name=secret_name, age=age)
        session.add(hero)
        session.commit()
        session.refresh(hero)
        print(hero.id, hero.name, hero.age, hero.team_id, sep="\\t")
    engine.dispose()


typer.run(main)
'''

DUMMY = '''\
"""`dbctl dummy-{number}`."""

from typing import Annotated

import typer

from dbctl.work.database import Database


def dummy_{number}(
    database: Database,
    name: Annotated[str, typer.Argument(help="A name.")],
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
) -> None:
    """Do nothing, for the {number}th time."""
'''


def main() -> None:
    """Start the server, measure, print."""
    rounds = rounds_option("Commands of dbctl against scripts that do the same without it.", 20)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-startup-")))
        server = stack.enter_context(PostgresServer(Authority(directory)))
        server.create_database("startup")
        print_table(_comparisons(directory, TestDatabase.on_server(server, "startup")), rounds)


def _comparisons(directory: Path, database: TestDatabase) -> Iterator[Comparison]:
    installed = Path(sys.executable).with_name("dbctl")
    launchers = {"": installed, f", {COMMANDS} more commands": _with_more_commands(directory, installed)}
    (directory / "profiles.toml").write_text(f'default = "{database.profile}"\n\n{database.toml}', encoding="utf-8")
    run = partial(_process, directory, database.env)
    run(installed, "init-tables", "--quiet")()

    floor = run(_script(directory, "two_commands", TWO_COMMANDS), "--help")
    for option in ("--help", "--version"):
        for among, launcher in launchers.items():
            yield Comparison(
                f"dbctl {option}{among}", "--help of two Typer commands", 1.0, run(launcher, option), floor
            )

    floor = run(_script(directory, "import_typer", "import typer\n"))
    tab = partial(
        _process, directory, {"_DBCTL_COMPLETE": "complete_bash", "COMP_WORDS": "dbctl --profile ", "COMP_CWORD": "2"}
    )
    for among, launcher in launchers.items():
        yield Comparison(f"Tab after --profile{among}", "import typer", 1.3, tab(launcher), floor)

    url = _with_tls(database)
    floor = run(_script(directory, "select_1", SELECT_1), "--url", url)
    for among, launcher in launchers.items():
        yield Comparison(f"dbctl ping{among}", "typer, sqlalchemy, SELECT 1", 1.0, run(launcher, "ping"), floor)

    hero = ("Spider-Boy", "--secret-name", "Pedro Parqueador", "--age", "16")
    floor = run(_script(directory, "insert", INSERT), "--url", url, *hero)
    for among, launcher in launchers.items():
        ours = run(launcher, "heroes", "add", *hero)
        yield Comparison(f"dbctl heroes add{among}", "typer, sqlmodel, one INSERT", 1.0, ours, floor)


def _process(directory: Path, env: Mapping[str, str], script: Path, *arguments: str) -> Timed:
    """Make a run of a script by this interpreter into something to be timed; one that fails ends the measuring."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(directory), **env}

    def run() -> float:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, script, *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - start

    return run


def _script(directory: Path, name: str, text: str) -> Path:
    path = directory / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


def _with_more_commands(directory: Path, launcher: Path) -> Path:
    """Copy dbctl, add commands to the copy, and return the script that runs it: it finds what lies beside itself."""
    crowded = directory / "crowded"
    shutil.copytree(Path(dbctl.__file__).parent, crowded / "dbctl")
    for number in range(COMMANDS):
        path = crowded / "dbctl" / "commands" / f"dummy_{number}.py"
        path.write_text(DUMMY.format(number=number), encoding="utf-8")
    return Path(shutil.copy(launcher, crowded / "run_dbctl.py"))


def _with_tls(database: TestDatabase) -> str:
    """Return the URL of what the profile says: the same TLS, the same timeout, the same name."""
    assert database.server, "SQLite has no TLS"
    options = {
        "sslmode": "verify-full",
        "sslrootcert": str(database.server.ca),
        "connect_timeout": "10",
        "application_name": "dbctl",
    }
    return make_url(database.url).update_query_dict(options).render_as_string(hide_password=False)


if __name__ == "__main__":
    main()
