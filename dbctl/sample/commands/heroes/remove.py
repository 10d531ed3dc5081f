"""`dbctl heroes remove`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.sample.rows import HeroRow
from dbctl.work.database import Database
from dbctl.work.effects import writes

PLACE = 5
PAGE = "sample"


@writes(repeatable=True)
def remove(
    database: Database, hero: Annotated[str, typer.Argument(help="The hero's id or name.", show_default=False)]
) -> HeroRow:
    """Remove a hero, and the log of the hero's transfers; shows who it was.

    Examples:
        $ dbctl heroes remove Spider-Boy --dry-run
        $ dbctl heroes remove 1
    """
    return sample.remove_hero(database.session, hero)
