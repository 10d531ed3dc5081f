"""`dbctl teams list`."""

from dbctl import sample
from dbctl.results import Rows
from dbctl.sample.rows import TeamRow
from dbctl.work.database import Database

PLACE = 1
PAGE = "sample"


def list_(database: Database) -> Rows[TeamRow]:
    """List the teams, by id.

    Examples:
        $ dbctl teams list
        $ dbctl teams list --json
    """
    return sample.stream_teams(database.session)
