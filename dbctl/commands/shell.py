"""`dbctl shell`."""

from typing import Annotated

import typer

from dbctl.work.database import Turn
from dbctl.work.effects import owns_terminal, writes

PANEL = "Data"
PLACE = 55
PAGE = "shell"


@owns_terminal
@writes(unless="reading")
def shell(
    turn: Turn,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS", help="What the client is told besides, behind two hyphens.")
    ] = None,
    client: Annotated[
        str | None,
        typer.Option("--client", metavar="NAME", envvar="DBCTL_CLIENT", help="Which client, by its name or its path."),
    ] = None,
    reading: Annotated[bool, typer.Option("--read-only", help="Begin a session that only reads.")] = False,
) -> None:
    """Open the database's own client: pgcli or psql; mycli, mariadb or mysql; litecli or sqlite3.

    It connects as dbctl does, with the profile's TLS, time limits and tunnel, and has the password from a file. At a
    terminal one that completes words is looked for first, with ARGS or in a pipe the database's own. Its exit code is
    dbctl's.

    Examples:
        $ dbctl shell
        $ dbctl -p prod shell --read-only --client psql
        $ dbctl -p prod shell --read-only -- -c "SELECT 1"
    """
    from dbctl.programs.shell import run_shell

    run_shell(turn, words or [], client=client, read_only=reading)
