"""`dbctl heroes add`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.sample.rows import HeroRow
from dbctl.work.database import Database
from dbctl.work.effects import writes

PLACE = 3
PAGE = "sample"


@writes(repeatable=True)
def add(
    database: Database,
    name: Annotated[str, typer.Argument(help="The hero's name.", show_default=False)],
    secret_name: Annotated[str, typer.Option(metavar="NAME", help="The name behind the mask.")],
    age: Annotated[int | None, typer.Option(min=0, metavar="YEARS", help="The hero's age.")] = None,
    team: Annotated[str | None, typer.Option(metavar="TEAM", help="The hero's team, by id or name.")] = None,
) -> HeroRow:
    """Add a hero.

    Examples:
        $ dbctl heroes add Spider-Boy --secret-name "Pedro Parqueador" --age 16 --team Preventers
        $ dbctl heroes add Deadpond --secret-name "Dive Wilson" --dry-run
    """
    return sample.add_hero(database.session, name, secret_name, age, team)
