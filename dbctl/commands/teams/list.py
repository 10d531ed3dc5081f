"""`dbctl teams list`."""

from collections.abc import Sequence

from dbctl import heroes
from dbctl.database import Database
from dbctl.heroes.rows import TeamRow


def list_(database: Database) -> Sequence[TeamRow]:
    """List the teams, by id."""
    return heroes.list_teams(database.session)
