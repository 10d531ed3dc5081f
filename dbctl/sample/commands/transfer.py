"""`dbctl transfer`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.sample.rows import TransferRow
from dbctl.work.database import Database
from dbctl.work.effects import writes

PLACE = 3
PAGE = "sample"


@writes(repeatable=True)
def transfer(
    database: Database,
    hero: Annotated[str, typer.Argument(help="The hero's id or name.", show_default=False)],
    from_team: Annotated[str, typer.Option("--from", metavar="TEAM", help="The team to leave, by id or name.")],
    to_team: Annotated[str, typer.Option("--to", metavar="TEAM", help="The team to join, by id or name.")],
) -> TransferRow:
    """Move a hero from one team to another, and log it in the same transaction.

    It succeeds only if the hero is in the team to leave at the moment of the move, whatever else runs at the time.

    Examples:
        $ dbctl transfer Spider-Boy --from Preventers --to Z-Force
        $ dbctl transfer 1 --from 1 --to 2 --dry-run
    """
    return sample.transfer(database.session, hero, from_team, to_team)
