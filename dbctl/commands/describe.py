"""`dbctl describe`."""

import logging
from typing import Annotated

import typer

from dbctl.catalog.description import Description
from dbctl.connections.connector import Connector
from dbctl.errors import ConfigError
from dbctl.profiles.presets import BUILT_IN_MODELS
from dbctl.tables.options import AppDir, Exclude, Models

PANEL = "Data"
PLACE = 23
PAGE = "look"

_log = logging.getLogger(__name__)


def describe(
    connector: Connector,  # type: ignore[type-arg]  # its parameter is SQLAlchemy's, which help does not load
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table or a view, as hero, or audit.entry.")],
    exact: Annotated[bool, typer.Option("--exact", help="Count the rows, where there are many too.")] = False,
    models: Models = None,
    exclude: Exclude = None,
    app_dir: AppDir = None,
) -> Description:
    """Describe a table: columns, keys, indexes with size and use, constraints, triggers, what refers to it, partitions.

    Where models are known, it says in what each column differs from its model. As JSON it is one object.

    Examples:
        $ dbctl describe hero
        $ dbctl -p prod describe audit.entry --json
        $ dbctl describe order --models app.models
    """
    from dbctl.catalog.describing import describe_table
    from dbctl.tables.models import metadata_for, metadata_of

    profile = connector.profile
    try:
        if models is None and profile.origins.get("models") == BUILT_IN_MODELS:
            known = metadata_of(profile.models)
        else:
            known = metadata_for(profile, models, app_dir, exclude) if models or profile.models else []
    except ConfigError as error:
        if models:
            raise
        _log.warning("it is not compared with its model: %s", error)
        known = []
    return describe_table(connector, table, known, exact=exact)
