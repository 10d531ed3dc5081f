"""`dbctl transfers list`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.results import Rows
from dbctl.sample.rows import TransferRow
from dbctl.work.database import Database

PAGE = "sample"


def list_(
    database: Database,
    hero: Annotated[
        str | None, typer.Option(metavar="HERO", help="Only those of the hero with this id or name.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most so many.")] = None,
    after: Annotated[int | None, typer.Option(metavar="ID", help="Only those with a greater id.")] = None,
) -> Rows[TransferRow]:
    """List the transfers that took place, by id.

    Examples:
        $ dbctl transfers list
        $ dbctl transfers list --hero Spider-Boy --output jsonl
    """
    return sample.stream_transfers(database.session, hero, limit, after)
