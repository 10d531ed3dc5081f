"""The functions on teams."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, func, select

from dbctl.heroes.lookup import IdOrName, find, id_of
from dbctl.heroes.models import Hero, Team
from dbctl.heroes.rows import TeamRow


def add_team(session: Session, name: str, headquarters: str | None = None) -> TeamRow:
    """Add a team.

    Raises:
        Conflict: There is a team of this name.
    """
    team = Team(name=name, headquarters=headquarters)
    session.add(team)
    session.flush()
    session.refresh(team)
    return _row(team, 0)


def find_team(session: Session, wanted: IdOrName) -> Team:
    """Return the team whose id or name this is.

    Raises:
        NotFound: There is none.
    """
    return find(session, Team, wanted)


def list_teams(session: Session) -> Sequence[TeamRow]:
    """Return all teams, by id."""
    heroes: Any = select(func.count(col(Hero.id))).where(Hero.team_id == Team.id).scalar_subquery()
    rows = session.exec(select(Team, heroes).order_by(col(Team.id))).all()
    return [_row(team, count) for team, count in rows]


def _row(team: Team, heroes: int) -> TeamRow:
    return TeamRow(id_of(team), team.name, team.headquarters, heroes)
