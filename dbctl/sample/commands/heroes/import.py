"""`dbctl heroes import`."""

from typing import Annotated

import typer

from dbctl.bulk.terms import How, Imported
from dbctl.work.database import Database
from dbctl.work.effects import one_profile, writes

PLACE = 6
PAGE = "sample"


@one_profile(lambda files, **_: "standard input can be read once" if "-" in files else "")
@writes()
def import_(
    database: Database,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="CSV, TSV, JSON or Parquet; or - for CSV.")],
    max_errors: Annotated[
        int, typer.Option("--max-errors", min=0, metavar="ROWS", help="Add the rest where so many can't be.")
    ] = 0,
    rejects: Annotated[str | None, typer.Option("--rejects", metavar="FILE", help="Write those to a file.")] = None,
) -> Imported:
    """Add all heroes of files, or none: columns name, secret_name, age, and team by its name.

    Each is validated as the service does; the first that is no hero is named, with the reason.

    Examples:
        $ dbctl heroes import heroes.csv
        $ dbctl heroes import heroes.jsonl.gz --dry-run
    """
    from dbctl.sample.importing import import_heroes

    return import_heroes(database, files, How(max_errors=max_errors, rejects=rejects))
