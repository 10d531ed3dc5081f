"""`dbctl transfer`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.errors import UsageError
from dbctl.sample.rows import Transferred, TransferRow
from dbctl.work.database import Database
from dbctl.work.effects import one_profile, writes

PLACE = 3
PAGE = "sample"


@one_profile(lambda file=None, **_: "standard input can be read once" if file == "-" else "")
@writes(repeatable=True)
def transfer(
    database: Database,
    hero: Annotated[str | None, typer.Argument(help="The hero's id or name.", show_default=False)] = None,
    from_team: Annotated[
        str | None, typer.Option("--from", metavar="TEAM", help="The team to leave, by id or name.")
    ] = None,
    to_team: Annotated[
        str | None, typer.Option("--to", metavar="TEAM", help="The team to join, by id or name.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="Many moves: columns hero, from, to.")
    ] = None,
) -> TransferRow | Transferred:
    """Move a hero from one team to another, and log it in the same transaction.

    It succeeds only if the hero is in the team to leave at the moment of the move, whatever else runs at the time. All
    moves of a file are made, or none is.

    Examples:
        $ dbctl transfer Spider-Boy --from Preventers --to Z-Force
        $ dbctl transfer 1 --from 1 --to 2 --dry-run
        $ dbctl transfer --file moves.csv
    """
    if file is not None:
        if hero is not None or from_team is not None or to_team is not None:
            raise UsageError("--file has the heroes and their teams", "leave HERO, --from and --to out")
        from dbctl.sample.moves import transfer_all

        return transfer_all(database, file)
    if hero is None or from_team is None or to_team is None:
        raise UsageError("a transfer takes HERO, --from and --to", "or --file FILE for many")
    return sample.transfer(database.session, hero, from_team, to_team)
