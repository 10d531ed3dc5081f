"""`dbctl migrate check`."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from dbctl.errors import ConfigError
from dbctl.migrations.access import Migrations
from dbctl.migrations.options import X
from dbctl.migrations.results import Pending
from dbctl.profiles import Profile
from dbctl.profiles.presets import BUILT_IN_MODELS
from dbctl.tables.models import metadata_of

if TYPE_CHECKING:
    from sqlalchemy import MetaData

PLACE = 4
PAGE = "migrate"


def check(
    migrations: Migrations,
    models: Annotated[
        bool,
        typer.Option("--models", help="Also what autogenerate would add: the env.py's models, else the profile's."),
    ] = False,
    x: X = None,
) -> Sequence[Pending]:
    """Tell whether migrations are pending; exit 6 where some are.

    Examples:
        $ dbctl migrate check
        $ dbctl -p prod migrate check --models --json
    """
    from dbctl.migrations import states

    return states.check(migrations, partial(_metadata, migrations.profile) if models else None, x=x or ())


def _metadata(profile: Profile) -> "Sequence[MetaData]":
    if profile.origins.get("models") == BUILT_IN_MODELS:
        raise ConfigError("the env.py has no target_metadata to compare, and the profile no models", "name either")
    return metadata_of(profile.models, profile.app_dir or ".")
