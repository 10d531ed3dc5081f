"""`dbctl migrate stamp`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.errors import UsageError
from dbctl.migrations.access import Migrations
from dbctl.migrations.options import AsSql, X
from dbctl.migrations.results import Applied, Sql
from dbctl.work.effects import writes

PLACE = 5
PAGE = "migrate"


@writes(creates=True, unless="sql")
def stamp(
    migrations: Migrations,
    revisions: Annotated[
        list[str],
        typer.Argument(metavar="REVISION", help="Where the database is: ids or their beginnings, heads."),
    ],
    purge: Annotated[
        bool, typer.Option("--purge", help="Forget first what is said of it now, also what no script knows.")
    ] = False,
    sql: AsSql = False,
    x: X = None,
) -> Sequence[Applied | Sql]:
    """Say which revision the database is at, and run nothing; what was done in part is taken for mended.

    Examples:
        $ dbctl migrate stamp head
        $ dbctl -p prod migrate stamp 2f1c --purge --confirm prod
    """
    from dbctl.migrations import changes, offline

    if sql and len(revisions) > 1:
        raise UsageError("--sql takes one REVISION", "say FROM:TO")
    if sql:
        return offline.sql_of(migrations, "stamp", revisions[0], x or ())
    return changes.stamp(migrations, revisions, purge=purge, x=x or ())
