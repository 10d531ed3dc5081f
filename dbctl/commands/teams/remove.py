"""`dbctl teams remove`."""

from typing import Annotated

import typer

from dbctl import heroes
from dbctl.database import Database, writes
from dbctl.heroes.rows import TeamRow


@writes(repeatable=True)
def remove(
    database: Database, team: Annotated[str, typer.Argument(help="The team's id or name.", show_default=False)]
) -> TeamRow:
    """Remove a team that no hero is in and no logged transfer names; shows which it was."""
    return heroes.remove_team(database.session, team)
