"""`dbctl fleet drift`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.catalog.fleets import FleetDrift
from dbctl.errors import UsageError
from dbctl.fleet import Several
from dbctl.profiles.completion import complete_profile
from dbctl.work.effects import takes_several

PLACE = 1
PAGE = "fleet"


@takes_several
def drift(
    several: Several,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The profile that the others are held against; else the schema that most have.",
            autocompletion=complete_profile,
        ),
    ] = None,
    models: Annotated[bool, typer.Option("--models", help="Hold each against its models instead.")] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Tables, types, sequences to leave alone, as in 'tmp_*'; may repeat."),
    ] = None,
    own_schema: Annotated[
        bool,
        typer.Option("--own-schema", help="Only the schema that names without one lead to."),
    ] = False,
) -> Sequence[FleetDrift]:
    """Hold the schemas of several profiles against each other, and exit with 6 where they differ.

    Tables, columns, keys, indexes, constraints, views, triggers, types and sequences, in the database's own words.
    Those that are alike are told once. One that can't be looked at is a row with its error, and the exit code is its.

    Examples:
        $ dbctl fleet drift -p 'tenants/*'
        $ dbctl fleet drift --tag tenant --reference tenants/acme --json
        $ dbctl fleet drift --all --models --ignore 'tmp_*'
    """
    from dbctl.catalog.fleets import fleet_drift
    from dbctl.tables.models import metadata_for

    if models and (reference or own_schema):
        raise UsageError("--models is given beside --reference or --own-schema", "give one of them")
    return fleet_drift(
        several,
        reference=reference,
        models=(lambda profile: metadata_for(profile, None, None, None)) if models else None,
        ignore=ignore or (),
        own_schema=own_schema,
    )
