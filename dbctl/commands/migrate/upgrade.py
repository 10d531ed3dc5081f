"""`dbctl migrate upgrade`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.migrations.access import Migrations
from dbctl.migrations.options import AsSql, Resume, X
from dbctl.migrations.results import Applied, Sql
from dbctl.work.effects import writes

PLACE = 1
PAGE = "migrate"


@writes(creates=True, unless="sql")
def upgrade(
    migrations: Migrations,
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="Where to: an id or its beginning, heads, +1; with --sql FROM:TO.")
    ] = "head",
    sql: AsSql = False,
    resume: Resume = False,
    x: X = None,
) -> Sequence[Applied | Sql]:
    """Run the migrations that are pending, each of them once, however many runs begin at a time.

    Where nothing is pending no lock is taken. Else another run is waited for, 600 s unless --lock-wait says otherwise.

    Examples:
        $ dbctl migrate upgrade
        $ dbctl -p prod migrate upgrade --lock-timeout 2 --confirm prod
        $ dbctl migrate upgrade --dry-run
    """
    from dbctl.migrations import changes, offline

    if sql:
        return offline.sql_of(migrations, "upgrade", revision, x or ())
    return changes.upgrade(migrations, revision, resume=resume, x=x or ())
