"""The functions on teams."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, func, or_, select

from dbctl.errors import Duplicate, WorkRefused
from dbctl.results import Rows
from dbctl.sample.limits import check_limits
from dbctl.sample.lookup import IdOrName, find, id_of, locked, named
from dbctl.sample.models import Hero, Team, TransferLog
from dbctl.sample.rows import TeamRow
from dbctl.work.streaming import stream


def add_team(session: Session, name: str, headquarters: str | None = None) -> TeamRow:
    """Add a team.

    Raises:
        Duplicate: There is a team of this name.
        Conflict: The name is empty, or a text too long.
    """
    team = Team(name=name, headquarters=headquarters)
    check_limits(team)
    # Two that add it at once both pass here: of them the database refuses one, in its own words.
    if (there := next(iter(named(session, Team, name)), None)) is not None:
        raise Duplicate(f'there is already a team "{name}" (id {there.id})')
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
    return [TeamRow(*row) for row in session.exec(_query())]


def stream_teams(session: Session) -> Rows[TeamRow]:
    """Return what `list_teams` does, as it is fetched."""
    return Rows.of(TeamRow, stream(session, _query()))


def _query() -> Any:
    heroes: Any = select(func.count(col(Hero.id))).where(Hero.team_id == Team.id).scalar_subquery()
    columns: Any = (Team.id, Team.name, Team.headquarters, heroes)
    return select(*columns).order_by(col(Team.id))


def remove_team(session: Session, wanted: IdOrName) -> TeamRow:
    """Remove a team that nothing refers to any more.

    Raises:
        NotFound: There is no such team.
        WorkRefused: Heroes are in it, or logged transfers name it.
    """
    team = locked(session, Team, wanted)
    in_it = _count(session, col(Hero.team_id) == team.id)
    if in_it:
        raise WorkRefused(
            f'team {team.id} "{team.name}" is not empty: heroes in it: {in_it}', "move them with: dbctl transfer"
        )
    named = _count(session, or_(col(TransferLog.from_team_id) == team.id, col(TransferLog.to_team_id) == team.id))
    if named:
        raise WorkRefused(
            f'team {team.id} "{team.name}" is named in the log of transfers: {named} of them',
            "a hero's log goes with the hero: dbctl heroes remove",
        )
    row = _row(team, 0)
    session.delete(team)
    session.flush()
    return row


def _count(session: Session, condition: Any) -> int:
    return session.exec(select(func.count()).where(condition)).one()


def _row(team: Team, heroes: int) -> TeamRow:
    return TeamRow(id_of(team), team.name, team.headquarters, heroes)
