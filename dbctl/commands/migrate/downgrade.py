"""`dbctl migrate downgrade`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.migrations.access import Migrations
from dbctl.migrations.options import AsSql, Resume, X
from dbctl.migrations.results import Applied, Sql
from dbctl.work.database import Database
from dbctl.work.effects import writes

PLACE = 2
PAGE = "migrate"


def _loses(_database: Database, revision: str, **_: object) -> str:
    return f"takes back all after {revision}, with what is in it,"


@writes(unless="sql", loses=_loses)
def downgrade(
    migrations: Migrations,
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="Where to: an id or its beginning, base, -1; with --sql FROM:TO.")
    ],
    sql: AsSql = False,
    resume: Resume = False,
    x: X = None,
) -> Sequence[Applied | Sql]:
    """Take migrations back, under the lock that upgrade takes.

    Examples:
        $ dbctl migrate downgrade base --dry-run
        $ dbctl -p prod migrate downgrade 2f1c --confirm prod
    """
    from dbctl.migrations import changes, offline

    if sql:
        return offline.sql_of(migrations, "downgrade", revision, x or ())
    return changes.downgrade(migrations, revision, resume=resume, x=x or ())
