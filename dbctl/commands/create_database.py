"""`dbctl create-database`."""

from typing import Annotated

import typer

from dbctl.backends.databases import Wanted
from dbctl.databases.changes import DatabaseState, create
from dbctl.databases.options import Maintenance
from dbctl.databases.places import Place, at
from dbctl.work.effects import shows_what_it_has, writes

PANEL = "Set-up"
PLACE = 30
PAGE = "setup"


@shows_what_it_has
@writes()
def create_database(
    place: Place,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Another database than the profile's, on the same server.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="How it stores text; on MySQL and MariaDB utf8mb4 unless said.")
    ] = None,
    collation: Annotated[str | None, typer.Option(metavar="NAME", help="How it sorts text.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="ROLE", help="Who owns it, on PostgreSQL.")] = None,
    template: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which database it is a copy of, on PostgreSQL.")
    ] = None,
    maintenance_database: Maintenance = None,
) -> DatabaseState:
    """Create the profile's database, unless it is there.

    One that is there stays as it is, and needs no right to create any. Several runs at once do no harm.

    Examples:
        $ dbctl create-database
        $ dbctl -p admin create-database shop --owner shop
        $ dbctl -p admin create-database shop --encoding UTF8 --collation C
    """
    wanted = Wanted(encoding, collation, owner, template)
    maintenance = [maintenance_database] if maintenance_database else []
    return create(at(place.profile, name), wanted, maintenance, place.sleep, dry_run=place.dry_run)
