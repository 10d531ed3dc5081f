"""`dbctl setup`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.databases.options import Maintenance
from dbctl.setup import Step, Undertaking, set_up
from dbctl.work.effects import writes

PANEL = "Set-up"
PLACE = 1
PAGE = "setup"


@writes()
def setup(
    undertaking: Undertaking,
    wait: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the server.")] = 60.0,
    no_seed: Annotated[bool, typer.Option("--no-seed", help="Do not call the profile's seed.")] = False,
    maintenance_database: Maintenance = None,
) -> Sequence[Step]:
    """Set the database up: wait for the server, create the database, migrate it or create its tables, and seed it.

    All of it may be run again, and by many at once: who comes second finds it done. Where there is no alembic the
    tables are those of the profile's models. The seed is the profile's function, seed = "app.seed:main"; it is called
    each time, and so has to be idempotent.

    Examples:
        $ dbctl setup
        $ dbctl -p ci setup --wait 120 --no-seed
    """
    maintenance = [maintenance_database] if maintenance_database else []
    return set_up(undertaking, wait=wait, seed=not no_seed, maintenance=maintenance)
