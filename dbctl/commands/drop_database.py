"""`dbctl drop-database`."""

from typing import Annotated

import typer

from dbctl.databases.changes import DatabaseState, drop
from dbctl.databases.confirming import word_for
from dbctl.databases.options import Maintenance
from dbctl.databases.places import Place, at
from dbctl.profiles import Profile
from dbctl.work.effects import shows_what_it_has, writes

PANEL = "Set-up"
PLACE = 90
PAGE = "setup"


def _word(profile: Profile, name: str | None = None, **_: object) -> str:
    return word_for(at(profile, name))


@shows_what_it_has
@writes(asks_for=_word)
def drop_database(
    place: Place,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Another database than the profile's, on the same server.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="End other sessions on it, which else are in the way.")
    ] = False,
    maintenance_database: Maintenance = None,
) -> DatabaseState:
    """Drop the profile's database, with all that is in it.

    Its name is asked for, always; in a script it is said with --confirm. Where the profile is protected it is the
    profile's name, a slash, and the database's. While others are connected to it nothing is dropped.

    Examples:
        $ dbctl drop-database
        $ dbctl -p admin drop-database shop_review_17 --confirm shop_review_17
        $ dbctl -p prod drop-database --confirm prod/shop --force
    """
    maintenance = [maintenance_database] if maintenance_database else []
    return drop(at(place.profile, name), maintenance, force=force, dry_run=place.dry_run)
