"""`dbctl heroes list`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.results import Rows
from dbctl.sample.rows import HeroRow
from dbctl.work.database import Database

PLACE = 1
PAGE = "sample"


def list_(
    database: Database,
    team: Annotated[
        str | None, typer.Option(metavar="TEAM", help="Only those in the team with this id or name.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most so many.")] = None,
    after: Annotated[int | None, typer.Option(metavar="ID", help="Only those with a greater id.")] = None,
) -> Rows[HeroRow]:
    """List the heroes, by id; --limit and --after make pages of them.

    Examples:
        $ dbctl heroes list
        $ dbctl heroes list --team Preventers --output csv
        $ dbctl heroes list --after 100 --limit 50
    """
    return sample.stream_heroes(database.session, team, limit, after)
