"""`dbctl heroes show`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.sample.rows import HeroDetail
from dbctl.work.database import Database

PLACE = 2


def show(
    database: Database, hero: Annotated[str, typer.Argument(help="The hero's id or name.", show_default=False)]
) -> HeroDetail:
    """Show all that is known of a hero, the secret name too."""
    return sample.show_hero(database.session, hero)
