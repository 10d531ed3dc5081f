"""`dbctl teams list`."""

from collections.abc import Sequence

from dbctl import sample
from dbctl.sample.rows import TeamRow
from dbctl.work.database import Database

PLACE = 1
PAGE = "sample"


def list_(database: Database) -> Sequence[TeamRow]:
    """List the teams, by id.

    Examples:
        $ dbctl teams list
        $ dbctl teams list --json
    """
    return sample.list_teams(database.session)
