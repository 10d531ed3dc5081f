"""`dbctl heroes show`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.sample.rows import HeroDetail
from dbctl.work.database import Database

PLACE = 2
PAGE = "sample"


def show(
    database: Database, hero: Annotated[str, typer.Argument(help="The hero's id or name.", show_default=False)]
) -> HeroDetail:
    """Show all that is known of a hero, the secret name too.

    Examples:
        $ dbctl heroes show Spider-Boy
        $ dbctl heroes show 1 --json
    """
    return sample.show_hero(database.session, hero)
