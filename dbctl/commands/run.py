"""`dbctl run`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.results import Unshown
from dbctl.scripts.parameters import parameters_of
from dbctl.scripts.running import Done, run_script
from dbctl.scripts.sources import script_from
from dbctl.tables.options import AppDir
from dbctl.work.database import Database
from dbctl.work.effects import names_function, one_profile, writes

PANEL = "Data"
PLACE = 40
PAGE = "run"


@one_profile(lambda target, **_: "standard input can be read once" if target == "-" else "")
@names_function
@writes(repeatable=True, retries=0)
def run(
    database: Database,
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="package.module:function; or a script of SQL, or - for standard input."),
    ],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="What :NAME stands for in a script; may be repeated."),
    ] = None,
    no_transaction: Annotated[
        bool, typer.Option("--no-transaction", help="Commit each statement of a script by itself.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what each statement of a script did.")] = False,
    app_dir: AppDir = None,
) -> Sequence[Done] | Unshown:
    """Call a function of your own service, or run a script of SQL, in one unit of work.

    A function gets what its first parameter is annotated with, such as Session, AsyncSession, Connection, Engine or
    Profile. Its other parameters are options: name it, and say --help. What it returns is shown.

    Examples:
        $ dbctl run app.seed:users
        $ dbctl run app.seed:users --dry-run
        $ dbctl -p prod run fix.sql --param id=42 --verbose
    """
    done = run_script(database, script_from(target), parameters_of(param or ()), transaction=not no_transaction)
    return done if verbose else Unshown(sum(one.rows or 0 for one in done))
