"""`dbctl tables`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.catalog.tables import Listed, tables_of
from dbctl.work.database import Database

PANEL = "Data"
PLACE = 22
PAGE = "look"


def tables(
    database: Database,
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Only those whose name matches, as in 'hero_*'.")
    ] = None,
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="NAME", help="Only those of this schema; on MySQL, a database.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Count all rows, of large tables too.")] = False,
) -> Sequence[Listed]:
    """List the tables and views, with their rows and sizes.

    Rows of small tables are counted; of large ones they are the server's own estimate, and marked so.

    Examples:
        $ dbctl tables
        $ dbctl -p prod tables 'order_*' --exact
        $ dbctl -p prod tables --schema audit --json
    """
    return tables_of(database, pattern, schema, exact=exact)
