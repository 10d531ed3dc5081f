"""`dbctl init-tables`."""

import logging
from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.migrations.location import is_used_by
from dbctl.tables import changes as tables
from dbctl.tables.models import metadata_for
from dbctl.tables.options import AppDir, Exclude, Models
from dbctl.work.database import Database
from dbctl.work.effects import writes

PANEL = "Data"
PLACE = 20
PAGE = "tables"

_log = logging.getLogger("dbctl")


@writes(creates=True, unless="check", repeatable=True)
def init_tables(
    database: Database,
    models: Models = None,
    exclude: Exclude = None,
    app_dir: AppDir = None,
    create_schemas: Annotated[
        bool, typer.Option("--create-schemas", help="Create the schemas that tables name and that are missing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Create them also where alembic manages the database.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Create nothing; exit 6 where something is missing.")] = False,
) -> Sequence[tables.TableState | tables.Ddl]:
    """Create the tables that are missing, and what others lack of their indexes and constraints.

    The tables are those of the profile's models; without any, the sample's. Several runs at once wait for each other.
    With --dry-run the DDL is shown, in the dialect of the profile's database.

    Examples:
        $ dbctl init-tables
        $ dbctl -p prod init-tables --check
        $ dbctl init-tables --models app.models --dry-run
    """
    metadata = metadata_for(database.profile, models, app_dir, exclude)
    if check:
        return tables.check_tables(database, metadata)
    if database.dry_run:
        return tables.ddl_of_missing(database, metadata, create_schemas=create_schemas)
    states = tables.create_missing(database, metadata, create_schemas=create_schemas, force=force)
    profile = database.profile
    if any(one.state == "created" for one in states) and not (force or profile.in_memory) and is_used_by(profile):
        _log.warning("this service has an alembic, which is to be told of these tables: dbctl migrate stamp head")
    return states
