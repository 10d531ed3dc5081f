"""`dbctl drop-tables`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.tables import changes as tables
from dbctl.tables.losses import lost_by_dropping
from dbctl.tables.models import metadata_for, metadata_of
from dbctl.tables.options import AppDir, Exclude, Models
from dbctl.work.database import Database
from dbctl.work.effects import writes

PANEL = "Data"
PLACE = 29
PAGE = "tables"


def _loses(
    database: Database, models: Models = None, exclude: Exclude = None, app_dir: AppDir = None, **_: object
) -> str:
    # `metadata_of`, for the command itself will say where the models come from.
    profile = database.profile
    metadata = metadata_of(models or profile.models, app_dir or profile.app_dir or ".", exclude or profile.exclude)
    return f"drops {lost_by_dropping(database, metadata)}"


@writes(repeatable=True, loses=_loses, asks_person=True)
def drop_tables(
    database: Database,
    models: Models = None,
    exclude: Exclude = None,
    app_dir: AppDir = None,
    in_batches: Annotated[
        bool,
        typer.Option("--in-batches", help="Commit after each hundred statements, where all are too many."),
    ] = False,
) -> Sequence[tables.TableState | tables.Ddl]:
    """Drop the tables, with all that is in them.

    The tables are those of the profile's models; without any, the sample's. Others are left alone; types that the
    models made go too. With --dry-run the DDL is shown, in the dialect of the profile's database. At a terminal the
    profile's name is asked for, always; --confirm says it before.

    Examples:
        $ dbctl drop-tables --dry-run
        $ dbctl drop-tables --confirm=development
        $ dbctl drop-tables --in-batches
    """
    metadata = metadata_for(database.profile, models, app_dir, exclude)
    if database.dry_run:
        return tables.ddl_of_existing(database, metadata, in_batches=in_batches)
    return tables.drop_existing(database, metadata, in_batches=in_batches)
