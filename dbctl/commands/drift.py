"""`dbctl drift`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.connections.connector import Connector
from dbctl.drift import reports
from dbctl.tables.models import metadata_for
from dbctl.tables.options import AppDir, Exclude, Models

PANEL = "Data"
PLACE = 24
PAGE = "drift"


def drift(
    connector: Connector,  # type: ignore[type-arg]  # its parameter is SQLAlchemy's, which help does not load
    models: Models = None,
    exclude: Exclude = None,
    app_dir: AppDir = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="PATTERN", help="Tables, types, sequences to leave alone, as in 'celery_*'; may repeat."
        ),
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Show the DDL that would mend it; it is never run.")] = False,
) -> Sequence[reports.Drift | reports.Statement]:
    """Compare the models with the database, and exit with 6 where they differ.

    Types, NULL, server defaults, keys, indexes, constraints, comments, enum members and sequences, in both directions.
    Defaults of Python's are no matter. Nothing is written: where words differ, the database is asked for its own by
    temporary tables.

    Examples:
        $ dbctl drift
        $ dbctl -p prod drift --ignore 'celery_*' --ignore 'audit.*'
        $ dbctl drift --models app.models --sql
    """
    metadata = metadata_for(connector.profile, models, app_dir, exclude)
    return reports.check_drift(connector, metadata, ignore=ignore or (), sql=sql)
