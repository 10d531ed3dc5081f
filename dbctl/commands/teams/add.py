"""`dbctl teams add`."""

from typing import Annotated

import typer

from dbctl import heroes
from dbctl.database import Database, writes
from dbctl.heroes.rows import TeamRow


@writes(repeatable=True)
def add(
    database: Database,
    name: Annotated[str, typer.Argument(help="The team's name.", show_default=False)],
    headquarters: Annotated[str | None, typer.Option(help="Where it is.")] = None,
) -> TeamRow:
    """Add a team."""
    return heroes.add_team(database.session, name, headquarters)
