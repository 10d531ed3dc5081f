"""`dbctl restore`."""

from pathlib import Path
from typing import Annotated

import typer

from dbctl.backups.restoring import Restored
from dbctl.databases.places import Place
from dbctl.work.effects import writes

PANEL = "Backups"
PLACE = 71
PAGE = "backup"


@writes()
def restore(
    place: Place,
    backup: Annotated[
        Path, typer.Argument(metavar="FILE|DIRECTORY", help="The backup; of a directory the newest that it holds.")
    ],
    into: Annotated[
        str, typer.Option("--into", metavar="DATABASE", help="The database on the profile's server, there or not.")
    ],
    table: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="TABLE", help="Restore this table alone, where none is; may be said again."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="End other sessions on it, which else are in the way.")
    ] = False,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Drop the database that was there, when the new one has its name.")
    ] = False,
    no_owner: Annotated[
        bool, typer.Option("--no-owner", help="Leave all to the profile's user; grants to roles that are there stay.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar="NUMBER", help="Read so many tables at a time, where the tool can.")
    ] = 1,
) -> Restored:
    """Restore a backup into a database, beside what is there, and swap the two by name at the end.

    Its checksum comes first; a backup of another kind of database or of a newer server is refused. Until the swap the
    database stays as it is; then it is kept as NAME_before_TIME. Owner, grants and settings of the database go along.

    Examples:
        $ dbctl restore shop.dump --into shop_yesterday
        $ dbctl restore shop.dump --into shop --table invoice
        $ dbctl -p prod restore /backups --into shop --force --confirm prod
    """
    from dbctl.backups import restoring

    how = restoring.How(force=force, drop_old=drop_old, owners=not no_owner, jobs=jobs, tables=table or ())
    return restoring.restore(backup, place.profile, into, how, dry_run=place.dry_run)
