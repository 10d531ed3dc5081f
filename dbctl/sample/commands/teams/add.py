"""`dbctl teams add`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.sample.rows import TeamRow
from dbctl.work.database import Database
from dbctl.work.effects import writes

PLACE = 2


@writes(repeatable=True)
def add(
    database: Database,
    name: Annotated[str, typer.Argument(help="The team's name.", show_default=False)],
    headquarters: Annotated[str | None, typer.Option(metavar="PLACE", help="Where it is.")] = None,
) -> TeamRow:
    """Add a team."""
    return sample.add_team(database.session, name, headquarters)
