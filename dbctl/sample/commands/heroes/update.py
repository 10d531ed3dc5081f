"""`dbctl heroes update`."""

from typing import Annotated

import typer

from dbctl import sample
from dbctl.errors import UsageError
from dbctl.sample.rows import HeroRow
from dbctl.work.database import Database
from dbctl.work.effects import writes

PLACE = 4
PAGE = "sample"


@writes(repeatable=True)
def update(
    database: Database,
    hero: Annotated[str, typer.Argument(help="The hero's id or name.", show_default=False)],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A new name.")] = None,
    secret_name: Annotated[str | None, typer.Option(metavar="NAME", help="A new secret name.")] = None,
    age: Annotated[int | None, typer.Option(min=0, metavar="YEARS", help="The hero's age.")] = None,
    team: Annotated[
        str | None, typer.Option(metavar="TEAM", help="A team, by id or name, for a hero who is in none.")
    ] = None,
) -> HeroRow:
    """Change what is given of a hero, and leave the rest.

    A hero who is in a team moves by `dbctl transfer`, which logs it.

    Examples:
        $ dbctl heroes update Spider-Boy --age 17
        $ dbctl heroes update 1 --team Z-Force
    """
    if all(value is None for value in (name, secret_name, age, team)):
        raise UsageError("nothing to change", "give --name, --secret-name, --age or --team")
    return sample.update_hero(database.session, hero, name=name, secret_name=secret_name, age=age, team=team)
