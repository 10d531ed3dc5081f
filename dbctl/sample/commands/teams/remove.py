"""`dbctl teams remove`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.sample.rows import TeamRow
from dbctl.work.database import Database
from dbctl.work.effects import writes

PLACE = 3
PAGE = "sample"


@writes(repeatable=True)
def remove(
    database: Database, team: Annotated[str, typer.Argument(help="The team's id or name.", show_default=False)]
) -> TeamRow:
    """Remove a team that no hero is in and no logged transfer names; shows which it was.

    Examples:
        $ dbctl teams remove Z-Force --dry-run
        $ dbctl teams remove 2
    """
    return sample.remove_team(database.session, team)
