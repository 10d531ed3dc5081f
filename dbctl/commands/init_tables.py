"""`dbctl init-tables`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl import tables
from dbctl.database import Database, writes


@writes(creates=True, unless="check", repeatable=True)
def init_tables(
    database: Database,
    models: Annotated[
        list[str] | None,
        typer.Option("--models", metavar="MODULE", help="A module that defines tables; may be repeated."),
    ] = None,
    app_dir: Annotated[
        str, typer.Option("--app-dir", metavar="DIR", help="Where the modules are imported from.")
    ] = ".",
    check: Annotated[bool, typer.Option("--check", help="Create nothing; exit 6 where tables are missing.")] = False,
) -> Sequence[tables.TableState | tables.Ddl]:
    """Create the tables that are missing.

    The tables are those of the profile's models; without any, the sample's. Several runs at once wait for each other.
    With --dry-run the DDL is shown, in the dialect of the profile's database.
    """
    metadata = tables.metadata_of(models or database.profile.models, app_dir)
    if check:
        return tables.check_tables(database, metadata)
    if database.dry_run:
        return tables.ddl_of_missing(database, metadata)
    return tables.create_missing(database, metadata)
