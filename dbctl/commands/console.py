"""`dbctl console`."""

from typing import Annotated

import typer

from dbctl.connections.connector import Connector
from dbctl.tables.options import AppDir, Models
from dbctl.work.effects import owns_terminal, writes

PANEL = "Data"
PLACE = 60
PAGE = "console"


@owns_terminal
@writes(unless="reading", reads_protected_unless="write")
def console(
    connector: Connector,  # type: ignore[type-arg]  # whichever engine it has
    code: Annotated[
        str | None, typer.Option("--code", "-c", metavar="CODE", help="Run this, and ask for nothing; - is a script.")
    ] = None,
    reading: Annotated[bool, typer.Option("--read-only", help="Let the database refuse to write.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Let it write also where the profile is protected.")] = False,
    by_loop: Annotated[bool, typer.Option("--async", help="Take the async driver, and await at the prompt.")] = False,
    models: Models = None,
    app_dir: AppDir = None,
    idle_timeout: Annotated[
        float | None,
        typer.Option("--idle-timeout", metavar="SECONDS", min=0.001, help="End a transaction that is idle so long."),
    ] = None,
) -> None:
    """Ask for Python on the profile: session, engine, select, func, profile, commit(), rollback(), all models by name.

    What commit() does not keep is rolled back at the end. Models and rows are shown as tables. A protected profile
    is read-only unless --write is said. Standard input that is no terminal is a script.

    Examples:
        $ dbctl console
        $ dbctl console --async --models app.models
        $ cat mend.py | dbctl -p prod console --write --confirm prod
    """
    from dbctl.console.running import Settings, run_console

    read_only = reading or (connector.profile.protected and not write)
    settings = Settings(code, read_only, by_loop, models, app_dir, idle_timeout)
    run_console(connector, settings)
