"""`dbctl heroes remove`."""

from typing import Annotated

import typer

from dbctl import heroes
from dbctl.database import Database, writes
from dbctl.heroes.rows import HeroRow


@writes(repeatable=True)
def remove(
    database: Database, hero: Annotated[str, typer.Argument(help="The hero's id or name.", show_default=False)]
) -> HeroRow:
    """Remove a hero, and the log of the hero's transfers; shows who it was."""
    return heroes.remove_hero(database.session, hero)
