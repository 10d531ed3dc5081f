"""`dbctl init-tables`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.tables import changes as tables
from dbctl.tables.models import metadata_for
from dbctl.tables.options import AppDir, Exclude, Models
from dbctl.work.database import Database
from dbctl.work.effects import writes

PANEL = "Data"
PLACE = 20
PAGE = "tables"


@writes(creates=True, unless="check", repeatable=True)
def init_tables(
    database: Database,
    models: Models = None,
    exclude: Exclude = None,
    app_dir: AppDir = None,
    check: Annotated[bool, typer.Option("--check", help="Create nothing; exit 6 where tables are missing.")] = False,
) -> Sequence[tables.TableState | tables.Ddl]:
    """Create the tables that are missing.

    The tables are those of the profile's models; without any, the sample's. Several runs at once wait for each other.
    With --dry-run the DDL is shown, in the dialect of the profile's database.

    Examples:
        $ dbctl init-tables
        $ dbctl -p prod init-tables --check
        $ dbctl init-tables --models app --exclude app.legacy --app-dir src
    """
    metadata = metadata_for(database.profile, models, app_dir, exclude)
    if check:
        return tables.check_tables(database, metadata)
    if database.dry_run:
        return tables.ddl_of_missing(database, metadata)
    return tables.create_missing(database, metadata)
