"""`dbctl reset`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl import setup
from dbctl.databases.confirming import word_for
from dbctl.databases.options import Maintenance
from dbctl.errors import ConfirmationNeeded
from dbctl.profiles import Profile
from dbctl.work.effects import writes

PANEL = "Set-up"
PLACE = 80
PAGE = "setup"


def _word(profile: Profile, **_: object) -> str:
    if profile.protected:
        raise ConfirmationNeeded(f"{profile.called} is protected, and no such database is ever reset")
    return word_for(profile)


@writes(asks_for=_word)
def reset(
    undertaking: setup.Undertaking,
    force: Annotated[
        bool, typer.Option("--force", help="End other sessions on it, which else are in the way.")
    ] = False,
    no_seed: Annotated[bool, typer.Option("--no-seed", help="Do not call the profile's seed.")] = False,
    maintenance_database: Maintenance = None,
) -> Sequence[setup.Step]:
    """Drop the database, with all that is in it, and set it up anew: create, migrate or create tables, seed.

    The database's name is asked for, always; in a script it is said with --confirm. A protected profile's is never
    reset. What can't be imported of the service's own code ends it before anything is dropped.

    Examples:
        $ dbctl reset
        $ dbctl -p dev reset --confirm shop --force
    """
    maintenance = [maintenance_database] if maintenance_database else []
    return setup.reset(undertaking, force=force, seed=not no_seed, maintenance=maintenance)
