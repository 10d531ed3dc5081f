"""`dbctl exec`."""

from typing import Annotated

import typer

from dbctl.errors import UsageError
from dbctl.work.database import Turn
from dbctl.work.effects import owns_terminal, passes_words_on, writes

PANEL = "Data"
PLACE = 50
PAGE = "exec"


@owns_terminal
@passes_words_on
@writes()
def exec_(
    turn: Turn,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="The program and its arguments, behind all options.")
    ],
    scheme: Annotated[
        str | None,
        typer.Option("--scheme", metavar="SCHEME", help="What DATABASE_URL begins with, such as postgresql+asyncpg."),
    ] = None,
) -> None:
    """Run any program with the profile's connection in its environment.

    It finds DATABASE_URL, and what the database's own programs read: PGHOST and the like, or MYSQL_HOME. It runs under
    the lock and within the deadline that are said; its exit code is dbctl's.

    Examples:
        $ dbctl -p prod exec --confirm prod -- pg_dump -Fc -f shop.dump
        $ dbctl exec --lock nightly --skip-locked --deadline 600 -- ./nightly.sh
        $ dbctl exec --scheme postgresql+asyncpg -- alembic upgrade head
    """
    from dbctl.programs.running import run_program

    if command[0].startswith("-"):
        raise UsageError(f"No such option: {command[0]}", "the program's own go behind its name")
    run_program(turn, command, scheme=scheme)
