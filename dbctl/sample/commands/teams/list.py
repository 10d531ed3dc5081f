"""`dbctl teams list`."""

from collections.abc import Sequence

from dbctl import sample
from dbctl.sample.rows import TeamRow
from dbctl.work.database import Database

PLACE = 1


def list_(database: Database) -> Sequence[TeamRow]:
    """List the teams, by id."""
    return sample.list_teams(database.session)
