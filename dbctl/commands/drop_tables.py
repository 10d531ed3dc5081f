"""`dbctl drop-tables`."""

from collections.abc import Sequence

from dbctl.tables import changes as tables
from dbctl.tables.losses import lost_by_dropping
from dbctl.tables.models import metadata_of, models_of
from dbctl.tables.options import AppDir, Models
from dbctl.work.database import Database
from dbctl.work.effects import writes

PANEL = "Data"
PLACE = 29
PAGE = "tables"


def _loses(database: Database, models: Models = None, app_dir: AppDir = ".") -> str:
    return f"drops {lost_by_dropping(database, metadata_of(models or database.profile.models, app_dir))}"


@writes(repeatable=True, loses=_loses)
def drop_tables(
    database: Database,
    models: Models = None,
    app_dir: AppDir = ".",
) -> Sequence[tables.TableState | tables.Ddl]:
    """Drop the tables, with all that is in them.

    The tables are those of the profile's models; without any, the sample's. Others, and what else the models made, such
    as types, are left alone. With --dry-run the DDL is shown, in the dialect of the profile's database.

    Examples:
        $ dbctl drop-tables --dry-run
        $ dbctl -p prod drop-tables --confirm=prod
    """
    metadata = metadata_of(models or models_of(database.profile), app_dir)
    if database.dry_run:
        return tables.ddl_of_existing(database, metadata)
    return tables.drop_existing(database, metadata)
