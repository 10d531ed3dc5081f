"""`dbctl teams add`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.sample.rows import TeamRow
from dbctl.work.database import Database
from dbctl.work.effects import writes

PLACE = 2
PAGE = "sample"


@writes(repeatable=True)
def add(
    database: Database,
    name: Annotated[str, typer.Argument(help="The team's name.", show_default=False)],
    headquarters: Annotated[str | None, typer.Option(metavar="PLACE", help="Where it is.")] = None,
) -> TeamRow:
    """Add a team.

    Examples:
        $ dbctl teams add Preventers --headquarters "Sharp Tower"
        $ dbctl teams add Z-Force --dry-run
    """
    return sample.add_team(database.session, name, headquarters)
