"""`dbctl heroes show`."""

from typing import Annotated

import typer

from dbctl import heroes
from dbctl.database import Database
from dbctl.heroes.rows import HeroDetail


def show(
    database: Database, hero: Annotated[str, typer.Argument(help="The hero's id or name.", show_default=False)]
) -> HeroDetail:
    """Show all that is known of a hero, the secret name too."""
    return heroes.show_hero(database.session, hero)
