"""`dbctl drop-tables`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl import tables
from dbctl.database import Database, writes


@writes(repeatable=True)
def drop_tables(
    database: Database,
    models: Annotated[
        list[str] | None,
        typer.Option("--models", metavar="MODULE", help="A module that defines tables; may be repeated."),
    ] = None,
    app_dir: Annotated[
        str, typer.Option("--app-dir", metavar="DIR", help="Where the modules are imported from.")
    ] = ".",
) -> Sequence[tables.TableState | tables.Ddl]:
    """Drop the tables, with all that is in them.

    The tables are those of the profile's models; without any, the sample's. Others, and what else the models made, such
    as types, are left alone. With --dry-run the DDL is shown, in the dialect of the profile's database.
    """
    metadata = tables.metadata_of(models or database.profile.models, app_dir)
    if database.dry_run:
        return tables.ddl_of_existing(database, metadata)
    return tables.drop_existing(database, metadata)
